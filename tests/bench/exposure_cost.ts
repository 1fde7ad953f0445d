/**
 * What being in experiments costs a request, from the event to the bytes of its answer and sample. Lists are short and
 * the model small, so that microseconds can be seen; the setups take turns, and the least of many times counts.
 *
 * ```sh
 * deno run -A tests/bench/exposure_cost.ts
 * ```
 *
 * @module
 */

import { startExperiment } from "../../src/assignment/changes.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";

const K = 4;
const ROUNDS = 400;
const REQUESTS = 100;
const CANDIDATES = ["a", "b", "c"];
const START = Date.UTC(2026, 0, 1);
const STEP_MS = 10_000;

const none = { records: new Map(), models: ["base"] };
const greedy = { name: "greedy" } as const;
const order = startExperiment(
  { name: "order", variants: [{ name: "A" }, { name: "B", policy: greedy }] },
  none,
);
const length = startExperiment(
  { name: "length", layer: "length", variants: [{ name: "A" }, { name: "B", maxCandidates: 100 }] },
  none,
);

/** A task whose people are in some experiments. */
class Setup {
  best = Infinity;
  readonly #task: TaskState;
  #n = 0;
  readonly #encoder = new TextEncoder();

  constructor(experiments: readonly Experiment[]) {
    const sizes = modelSizes(DEFAULT_SCHEMA, K);
    const model = createModel("base", sizes, {}, mulberry32(1));
    this.#task = new TaskState({ schema: DEFAULT_SCHEMA }, new ServingModel(model, DEFAULT_SCHEMA, K));
    this.#task.applyExperiments(experiments);
  }

  /** Answers requests; the samples of earlier ones come out meanwhile. */
  round(): void {
    const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
    const start = performance.now();
    let bytes = 0;
    for (let r = 0; r < REQUESTS; r++, this.#n++) {
      const [user, request, time] = [`u${this.#n % 50}`, `r${this.#n}`, START + STEP_MS * this.#n];
      this.#task.apply(
        { type: "request", user, request, time, count: 3, candidates: CANDIDATES },
        this.#n,
        out,
      );
    }
    for (const answer of out.recommendations) bytes += this.#encoder.encode(JSON.stringify(answer)).length;
    for (const sample of out.samples) bytes += encodeSample(sample).length;
    const micros = 1000 * (performance.now() - start) / REQUESTS;
    if (bytes === 0) throw new Error("nothing was answered");
    this.best = Math.min(this.best, micros);
  }
}

const setups = [[], [order], [order, length]].map((experiments) => new Setup(experiments));
for (let round = 0; round < ROUNDS; round++) for (const setup of setups) setup.round();
const [without] = setups;
for (const [experiments, { best }] of setups.entries()) {
  const more = best - without!.best;
  Deno.stdout.writeSync(
    new TextEncoder().encode(
      `${experiments} experiments: ${best.toFixed(2)} µs a request, ${more.toFixed(2)} µs more` + "\n",
    ),
  );
}
