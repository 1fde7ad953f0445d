/**
 * What the pair head adds to a request of 100 candidates: the same requests of a task with the head and of one without,
 * in turns. Quantiles of the wall clock; the first quartile is what a busy machine distorts least.
 *
 * ```sh
 * deno run -A --v8-flags=--no-wasm-bounds-checks tests/bench/head_request.ts ml-100k ../shared/data/ml-100k 20000
 * ```
 *
 * @module
 */

import { nextItem } from "../../scripts/evaluate/next_item.ts";
import { streamOf } from "../../scripts/evaluate/stream.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import type { Format } from "../../streams/sources/open.ts";

const [format = "ml-100k", data = "../shared/data/ml-100k", behaviours = "20000"] = Deno.args;
const ROUNDS = 6000, WARM = 2000;

async function taskWith(head: boolean): Promise<TaskState> {
  const { task } = await nextItem({
    stream: streamOf(format as Format, data),
    config: { retrieval: { head }, features: { pooled: false } },
    limit: Number(behaviours),
    queries: 100,
    sources: false,
    baselines: [],
  });
  return task;
}

/** Milliseconds that the lists of a user take. */
function ask({ retrieval, users, clock }: TaskState, name: string): number {
  const user = users.get(name);
  if (user === undefined) throw new RangeError(`Cannot ask for user ${name}: nobody has this name`);
  const { time } = clock;
  const begun = performance.now();
  const context = retrieval.past.context(user, time);
  const excluded = retrieval.past.items(user, time);
  retrieval.candidates({ user, context, time, excluded, allowed: () => true }, { most: 20, stacked: true });
  return performance.now() - begun;
}

const tasks = [await taskWith(false), await taskWith(true)] as const;
const names = Array.from(tasks[0].users.values(), ({ id }) => id);
const times: [number[], number[]] = [[], []];
for (let n = 0; n < ROUNDS; n++) {
  for (const side of [0, 1] as const) {
    const took = ask(tasks[side], names[n % names.length]!);
    if (n >= WARM) times[side].push(took);
  }
}
for (const side of times) side.sort((a, b) => a - b);
for (const q of [0.1, 0.25, 0.5]) {
  const [without, given] = times.map((side) => side[Math.floor(q * side.length)]!) as [number, number];
  const line = [without, given, given - without].map((ms) => ms.toFixed(3));
  const text = `quantile ${q}: without the head ${line[0]} ms, with it ${line[1]} ms, difference ${
    line[2]
  } ms\n`;
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
