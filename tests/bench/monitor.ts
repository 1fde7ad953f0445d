/**
 * What the monitor of experiments costs beside the tasks whose answers and samples it reads, and what it keeps.
 *
 * ```sh
 * deno run -A tests/bench/monitor.ts    # half a minute
 * ```
 *
 * @module
 */

import process from "node:process";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { ExperimentMonitor } from "../../streams/experiments/monitor.ts";
import { ExperimentRegistry } from "../../streams/experiments/registry.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const START = Date.UTC(2026, 0, 1);
const K = 16;
const USERS = 2000, REQUESTS = 20_000;
const CANDIDATES = Array.from({ length: 100 }, (_, i) => `item-${i}`);
const topics = topicNames();

const print = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

async function cpuMs(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function serve(): ServingModel {
  const sizes = modelSizes(DEFAULT_SCHEMA, K);
  const make = () => createModel("dien", sizes, {}, mulberry32(1));
  const serving = new ServingModel(make(), DEFAULT_SCHEMA, K);
  serving.apply(new Learner(make(), { schema: DEFAULT_SCHEMA, embeddingWidth: K }).version("full", 1));
  return serving;
}

/** Requests for ten of a hundred candidates, and a click on each list. */
function* events(): Generator<Event> {
  for (let n = 0; n < REQUESTS; n++) {
    const [user, time, request] = [`u${n * 7919 % USERS}`, START + 1000 * n, `r${n}`];
    yield { type: "request", user, time, request, count: 10, candidates: CANDIDATES };
    const item = CANDIDATES[n % 10]!;
    yield { type: "interaction", user, time: time + 500, request, item, action: "click" };
  }
}

const log = new MemoryLog();
await log.createTopics(topicSpecs(topics, 1));
const changes = new ExperimentRegistry(log, topics, { models: [], now: () => START });
const experiments = Number(Deno.args[0] ?? 1);
for (let e = 0; e < experiments; e++) {
  await changes.start({
    name: `e${e}`,
    layer: `l${e}`,
    variants: [{ name: "A" }, { name: "B" }],
    guardRails: [{ metric: "listsPerUser" }],
  });
}
for (const event of events()) {
  const value = encodeEvent(event);
  await log.append([{ topic: topics.events, partition: 0, key: event.user, value, time: event.time }]);
}
const options = { schema: DEFAULT_SCHEMA, outcomeWindowMs: 1_800_000, allowedLatenessMs: 0 };
await using task = await Task.open({ log, topics, partition: 0, options, serving: serve() });
const tasks = await cpuMs(async () => {
  while ((await task.round({ rows: 2000, events: 1000 })).complete);
  await task.flush();
});
const monitor = await ExperimentMonitor.open(log, topics, changes);
let bytes = 0, records = 0, written = 0;
const read = await cpuMs(async () => records = await monitor.update());
const writing = await cpuMs(async () => {
  const figures = monitor.takeChanges();
  written = figures.length;
  for (const { value } of figures) bytes += value?.length ?? 0;
  await log.append(figures);
});
const judging = await cpuMs(async () => {
  for (let n = 0; n < 100; n++) await Promise.resolve(monitor.status());
});
const restoring = await cpuMs(() => ExperimentMonitor.open(log, topics, changes));
const micros = (ms: number, of: number) => `${(1000 * ms / of).toFixed(1)} µs`;
print(`${experiments} experiments, ${REQUESTS} requests of ${USERS} users, ${records} answers and samples`);
print(`tasks           ${micros(tasks, REQUESTS)} a request`);
print(
  `monitor reads   ${micros(read, REQUESTS)} a request, ${(100 * read / tasks).toFixed(1)} % of the tasks`,
);
print(
  `monitor writes  ${micros(writing, written)} a user that has changed, ${Math.round(bytes / written)} B`,
);
print(`verdicts        ${micros(judging, 100 * experiments)} an experiment`);
print(`restore         ${micros(restoring, written)} a user`);
