/**
 * What the pair head adds to a request of 100 candidates: the same requests to two tasks with the head and two without,
 * in turns of fifty. Quantiles over turns of processor time, which a busy machine distorts least, and of wall-clock
 * time.
 *
 * ```sh
 * deno run -A --v8-flags=--no-wasm-bounds-checks tests/bench/head_request.ts ml-100k ../shared/data/ml-100k 20000
 * ```
 *
 * @module
 */

import process from "node:process";
import { nextItem } from "../../scripts/evaluate/next_item.ts";
import { streamOf } from "../../scripts/evaluate/stream.ts";
import type { TaskState } from "../../src/engine/task_state.ts";
import type { Format } from "../../streams/sources/open.ts";

const [format = "ml-100k", data = "../shared/data/ml-100k", behaviours = "20000"] = Deno.args;
const TURNS = 200, WARM = 80, REQUESTS = 50;

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

/** Requests the lists of a user. */
function ask({ retrieval, users, clock }: TaskState, name: string): void {
  const user = users.get(name);
  if (user === undefined) throw new RangeError(`Cannot ask for user ${name}: nobody has this name`);
  const { time } = clock;
  const context = retrieval.past.context(user, time);
  const excluded = retrieval.past.items(user, time);
  retrieval.candidates({ user, context, time, excluded, allowed: () => true }, { most: 20, stacked: true });
}

/** Milliseconds per request of a turn, of processor and wall-clock time. */
function timesOf(task: TaskState, turn: number) {
  const begun = performance.now(), cpu = process.cpuUsage();
  for (let n = 0; n < REQUESTS; n++) ask(task, names[(turn * REQUESTS + n) % names.length]!);
  const { user, system } = process.cpuUsage(cpu);
  return { processor: (user + system) / 1000 / REQUESTS, wall: (performance.now() - begun) / REQUESTS };
}

/** Tasks without the head and with it, created in an order that favours neither: memory of a later task is slower. */
const without = [await taskWith(false)], given = [await taskWith(true), await taskWith(true)];
without.push(await taskWith(false));
const sides = [without, given] as const;
const names = Array.from(without[0]!.users.values(), ({ id }) => id);
const turns = sides.map((): ReturnType<typeof timesOf>[] => []);
for (let turn = 0; turn < TURNS; turn++) {
  for (const [side, tasks] of sides.entries()) {
    const times = timesOf(tasks[turn % 2]!, turn >> 1);
    if (turn >= WARM) turns[side]!.push(times);
  }
}
for (const clock of ["processor", "wall"] as const) {
  const [less, more] = turns.map((side) => side.map((times) => times[clock]).sort((a, b) => a - b));
  for (const q of [0.1, 0.25, 0.5]) {
    const [one, other] = [less!, more!].map((side) => side[Math.floor(q * side.length)]!) as [number, number];
    const [off, on, difference] = [one, other, other - one].map((ms) => ms.toFixed(3));
    print(
      `${clock}, quantile ${q}: without the head ${off} ms, with it ${on} ms, difference ${difference} ms`,
    );
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
