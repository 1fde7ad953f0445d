/**
 * Prints the mean bytes that a behaviour allocates, without commits, for users with 20, 200 and 2,000 behaviours before
 * it, in sequences that hold them all. V8's flags keep it from collecting while it counts.
 *
 * ```sh
 * deno run --v8-flags=--expose-gc,--min-semi-space-size=256,--max-semi-space-size=256 tests/engine/allocation.ts dien
# or, for what retrieval allocates, with the arguments: base retrieval
 * ```
 *
 * @module
 */

import { createKernels } from "../../src/nn/kernels/choose.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { createModel, type ModelConfigs, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";

/** Behaviours of each user before counting begins. */
const HISTORIES = [20, 200, 2000] as const;

const K = 8;
const USERS = 20;
/** Two hops of the window, so that each user is refolded twice. */
const EVENTS = 20;
const ROUNDS = 5;
const START = Date.UTC(2026, 0, 1);

const collect = (globalThis as { readonly gc?: () => void }).gc;

/** Bytes on V8's heap and behind typed arrays. */
function bytes(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

function serve(name: ModelName): ServingModel {
  const sizes = modelSizes(DEFAULT_SCHEMA, K);
  const config = {} as ModelConfigs[ModelName];
  return new ServingModel(
    createModel(name, sizes, config, mulberry32(1), createKernels("plain")),
    DEFAULT_SCHEMA,
    K,
  );
}

class People {
  readonly #task: TaskState;
  readonly #out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  #offset = 0;

  constructor(name: ModelName, learn: boolean) {
    this.#task = new TaskState({
      schema: DEFAULT_SCHEMA,
      sequence: { capacity: 4000 },
      retrieval: { learn, neighbours: { bytes: 2 ** 20 } },
    }, serve(name));
  }

  /** `count` behaviours of each user, in turns. */
  act(count: number): void {
    for (let n = 0; n < count * USERS; n++) {
      const offset = this.#offset++;
      this.#task.apply(
        {
          type: "interaction",
          user: `u${offset % USERS}`,
          time: START + 1000 * offset,
          item: `i${(offset * 7919) % 300}`,
          action: "click",
        },
        offset,
        this.#out,
      );
    }
  }

  /** Clears what a commit would clear. */
  commit(): void {
    this.#task.dirtyUsers.clear();
    this.#task.dirtyItems.clear();
    this.#task.numbers.changes();
    this.#task.retrieval.state.changes();
  }
}

/** Bytes per behaviour, the least of some rounds: what the compiler allocates meanwhile does not count. */
function measure(people: People): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    people.commit();
    collect?.();
    collect?.(); // the second frees the buffers of the first
    const before = bytes();
    people.act(EVENTS);
    least = Math.min(least, (bytes() - before) / (EVENTS * USERS));
  }
  return least;
}

if (import.meta.main) {
  if (collect === undefined) throw new Error("Cannot count: --v8-flags=--expose-gc is missing");
  const name = Deno.args[0] as ModelName;
  const learn = Deno.args[1] === "retrieval";
  new People(name, learn).act(100); // compiles
  const counts = HISTORIES.map((history) => {
    const people = new People(name, learn);
    people.act(history);
    return measure(people);
  });
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(counts)));
}
