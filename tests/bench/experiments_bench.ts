/**
 * What experiments add to a request: none, one, two layers, variants and shadows of the same model and of others.
 * Fifty users with twenty behaviours each.
 *
 * ```sh
 * deno bench -A tests/bench/experiments_bench.ts
 * ```
 *
 * @module
 */

import { startExperiment } from "../../src/assignment/changes.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import { createModel, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";

const START = Date.UTC(2026, 0, 1);
const K = 16;
/** Few at a time, so that the least of many times is without the others who use the machine. */
const REQUESTS = 2;
const CANDIDATES = Array.from({ length: 100 }, (_, i) => `item-${i}`);

function serve(name: ModelName): ServingModel {
  const sizes = modelSizes(DEFAULT_SCHEMA, K);
  const make = () => createModel(name, sizes, {}, mulberry32(1));
  const serving = new ServingModel(make(), DEFAULT_SCHEMA, K);
  serving.apply(new Learner(make(), { schema: DEFAULT_SCHEMA, embeddingWidth: K }).version("full", 1));
  return serving;
}

const none = { records: new Map(), models: ["base", "dien"] };
const greedy = { name: "greedy" } as const;
const ranking = startExperiment(
  { name: "a", variants: [{ name: "A" }, { name: "B", policy: greedy }] },
  none,
);
const size = startExperiment(
  { name: "b", layer: "size", variants: [{ name: "A" }, { name: "B", maxCandidates: 100 }] },
  none,
);
const shadow = (model?: string) =>
  startExperiment({
    name: "s",
    variants: [{ name: "A" }, { name: "S", shadow: true, ...(model === undefined ? {} : { model }) }],
  }, none);

const own = startExperiment(
  { name: "m", variants: [{ name: "A" }, { name: "B", model: "base" }] },
  none,
);

const SETUPS: readonly [string, readonly Experiment[]][] = [
  ["no experiment", []],
  ["one experiment", [ranking]],
  ["two layers", [ranking, size]],
  ["a shadow of the same model", [shadow()]],
  ["a shadow of the prior", [shadow("prior")]],
  ["half of the users get base", [own]],
  ["a shadow of base", [shadow("base")]],
];

for (const [name, experiments] of SETUPS) {
  const task = new TaskState({ schema: DEFAULT_SCHEMA }, serve("dien"), [serve("base")]);
  task.applyExperiments(experiments);
  let n = 0;
  const behaved: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  for (; n < 1000; n++) {
    const [user, item, time] = [`u${n % 50}`, CANDIDATES[7 * n % 100]!, START + 1000 * n];
    task.apply({ type: "interaction", user, item, time, action: "click" }, n, behaved);
  }
  Deno.bench(`${REQUESTS} requests of 100 candidates, dien: ${name}`, {
    group: "request",
    n: 150,
    warmup: 20,
  }, () => {
    const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
    for (let r = 0; r < REQUESTS; r++, n++) {
      const event = {
        type: "request",
        user: `u${n % 50}`,
        time: START + 1000 * n,
        request: `r${n}`,
      } as const;
      task.apply({ ...event, count: 10, candidates: CANDIDATES }, n, out);
    }
  });
}
