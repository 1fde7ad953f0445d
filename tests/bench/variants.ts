/**
 * What a variant with a model of its own costs beside the deployment's DIEN: an event, a request, a user, a learnt row.
 *
 * ```sh
 * deno run -A tests/bench/variants.ts    # a minute
 * ```
 *
 * @module
 */

import process from "node:process";
import { startExperiment } from "../../src/assignment/changes.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { createModel, MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import { serve } from "./serving.ts";

const START = Date.UTC(2026, 0, 1);
const USERS = 50, CLICKS = 3000, REQUESTS = 150, ROUNDS = 7, K = 16;
const CANDIDATES = Array.from({ length: 100 }, (_, i) => `item-${i}`);
const SETUPS = [[], ["base"], ["mimn"], [
  "base",
  "mimn",
]] as const satisfies readonly (readonly ModelName[])[];

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** CPU time of this thread's process, microseconds for each of `count`. */
function cpu(count: number, work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

const nothing = (): TaskOutputs => ({ recommendations: [], samples: [], forgotten: [] });

function click(task: TaskState, n: number, out: TaskOutputs): void {
  const time = START + 1000 * n;
  const item = CANDIDATES[7919 * n % 100]!;
  task.apply({ type: "interaction", user: `u${n % USERS}`, item, time, action: "click" }, n, out);
}

/** Users of sixty behaviours; then clicks, then requests. */
function measure(variants: readonly ModelName[]) {
  const options = { schema: DEFAULT_SCHEMA, retrieval: { learn: false } };
  const task = new TaskState(options, serve("dien", 100, START), variants.map((v) => serve(v, 100, START)));
  if (variants.length > 0) {
    const shadows = variants.map((model) => ({ name: model, model, shadow: true }));
    const draft = { name: "e", variants: [{ name: "A" }, ...shadows] };
    task.applyExperiments([startExperiment(draft, { records: new Map(), models: MODEL_NAMES })]);
  }
  let n = 0;
  for (; n < 60 * USERS; n++) click(task, n, nothing());
  const event = cpu(CLICKS, () => {
    for (let i = 0; i < CLICKS; i++, n++) click(task, n, nothing());
  });
  const out = nothing();
  const request = cpu(REQUESTS, () => {
    for (let i = 0; i < REQUESTS; i++, n++) {
      const time = START + 1000 * n;
      const ask = { type: "request", user: `u${n % USERS}`, time, request: `r${n}`, count: 10 } as const;
      task.apply({ ...ask, candidates: CANDIDATES }, n, out);
    }
  });
  task.flush(out);
  const [user] = task.users.values();
  const sample = out.samples.at(-1)!;
  return {
    event,
    request,
    state: task.memory.record(user!).length,
    sample: encodeSample(sample).length,
    out,
  };
}

function learns(name: ModelName, samples: readonly Sample[]): number {
  const sizes = modelSizes(DEFAULT_SCHEMA, K);
  const model = createModel(name, sizes, {}, mulberry32(1));
  const learner = new Learner(model, { schema: DEFAULT_SCHEMA, embeddingWidth: K });
  const own = samples.map(({ state, otherStates = [], ...sample }): Sample => {
    const known = name === "dien" ? state : otherStates.find(({ model }) => model === name);
    return { ...sample, ...(known === undefined ? {} : { state: known }) };
  });
  learner.learn(own.slice(0, 7));
  return cpu(10 * own.length, () => {
    for (let at = 0; at < own.length; at += 7) learner.learn(own.slice(at, at + 7));
  });
}

print("| variants' models | an event | a request with shadows | record of a user | sample |");
print("| --- | --- | --- | --- | --- |");
let samples: readonly Sample[] = [];
const least = SETUPS.map(() => ({ event: Infinity, request: Infinity, state: 0, sample: 0 }));
// In turns, so that who else uses the machine disturbs all alike.
for (let round = 0; round < ROUNDS; round++) {
  for (const [s, variants] of SETUPS.entries()) {
    const { event, request, out, ...sizes } = measure(variants);
    const best = least[s]!;
    least[s] = { event: Math.min(best.event, event), request: Math.min(best.request, request), ...sizes };
    samples = out.samples;
  }
}
for (const [s, variants] of SETUPS.entries()) {
  const { event, request, state, sample } = least[s]!;
  const name = variants.join(", ") || "none";
  print(`| ${name} | ${event.toFixed(1)} µs | ${request.toFixed(0)} µs | ${state} B | ${sample} B |`);
}
print("\n| learner | a row |\n| --- | --- |");
for (const name of MODEL_NAMES) {
  const best = Math.min(...Array.from({ length: ROUNDS }, () => learns(name, samples)));
  print(`| ${name} | ${best.toFixed(0)} µs |`);
}
