/**
 * What a list of 100 given candidates costs the answering thread: the shop of `fixtures/` with a learner, on a log in
 * memory, lists of 20 out of 300 users in turn, whose outcomes are final after a second. CPU time of this process, the
 * least of the rounds; garbage by the growth of the heap while nothing is collected. Then what a version costs that has
 * learnt 50 lists. The digests cover all answers, all samples, and the states and learner at the end.
 *
 *     V8="--no-wasm-bounds-checks,--min-semi-space-size=256,--max-semi-space-size=256"
 *     deno run -A --v8-flags=$V8 tests/bench/lists.ts [model, dien] [rounds, 60]
 *
 * @module
 */

import { createHash } from "node:crypto";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { encodeEvent } from "../../src/events/codec.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { decodeVersion } from "../../src/serving/version.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import {
  learnerOptions,
  learningOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "../../streams/config/config.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { makeModel, openLearning } from "../../streams/service/jobs/learner_job.ts";
import { openSource } from "../../streams/sources/open.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const [model = "dien", rounds = "60"] = Deno.args;
const SHOP = fileURLToPath(new URL("../../fixtures/shop", import.meta.url));
const EVENTS = 12_000;
/** Lists per version, and per commit. */
const ROUND = 50;
const COMMIT = 4;
/** Time after the newest ingested event. */
const START = 1_741_864_100_000;
const MS_A_LIST = 2;
/** Time between two versions of a service. */
const PUBLISH_MS = 1000;

const text = await Deno.readTextFile(`${SHOP}/meander.json`);
const config = {
  ...parseConfig(text, "meander.json"),
  outcomeWindowMs: 1000,
  allowedLatenessMs: 0,
  guard: null,
};
const name = model as ModelName;
const options = { ...taskOptions({ schema: DEFAULT_SCHEMA }, config, name), seed: 1 };
const topics = topicNames();
const spec = {
  model: name,
  modelConfig: modelConfig(name, config),
  schema: options.schema,
  topics,
  learner: learnerOptions(options, config, 1),
  learning: learningOptions(config),
};
await using log = new MemoryLog();
await log.createTopics(topicSpecs(topics, 1));
const serving = new ServingModel(makeModel(spec), options.schema, 16);
let clock = 0;
await using learning = await openLearning(log, spec, { now: () => clock });
await using task = await Task.open({ log, topics, partition: 0, options, serving });
{
  await using feeder = await Feeder.open(log, topics, openSource("meander", SHOP), { limit: EVENTS });
  while (await feeder.feed()) await step();
}
const versions: number[] = [];
/** The longest portion of each. */
const portions: number[] = [];
let applied = 0;
const learnt: number[] = [];
await learn();

const candidates: string[] = [];
for await (const record of openSource("meander", SHOP)) {
  if (record.kind === "event" || candidates.length === 100) break;
  if (record.kind !== "item") continue;
  const { item, time, expires = Infinity } = record.item;
  if (time < START && expires > START + 3_600_000) candidates.push(item);
}
let turn = 0;
const costs: number[] = [];
const garbage: number[] = [];
for (let round = 0; round < Number(rounds); round++) {
  let micros = 0, bytes = 0;
  for (let lists = 0; lists < ROUND; lists += COMMIT) {
    await log.append(Array.from({ length: COMMIT }, () => {
      const time = START + MS_A_LIST * turn;
      const user = `u${turn++ % 300}`;
      const event = { type: "request", request: `r${turn}`, time, user, count: 20, candidates } as const;
      return { topic: topics.events, partition: 0, key: user, value: encodeEvent(event), time };
    }));
    const before = cpuMicros(), heap = heapBytes();
    await step();
    micros += cpuMicros() - before;
    bytes += heapBytes() - heap;
  }
  costs.push(micros / ROUND);
  garbage.push(bytes / ROUND);
  await learn();
}
print(`CPU time a list    ${low(costs).toFixed(0)} µs least, ${middle(costs).toFixed(0)} µs in the middle`);
print(`garbage a list     ${(middle(garbage) / 1000).toFixed(0)} kB in the middle`);
print(`CPU time to learn it ${middle(learnt).toFixed(0)} µs in the middle`);
for (const [what, times] of [["a version", versions], ["its longest portion", portions]] as const) {
  const later = times.slice(times.length >> 1);
  print(`CPU time ${what} ${low(later).toFixed(0)} µs least, ${middle(later).toFixed(0)} µs in the middle`);
}
print(`answers ${await digest(topics.recommendations)}`);
print(`samples ${await digest(topics.samples)}`);
const hash = createHash("sha256");
for await (const [id, record] of task.users.records()) hash.update(id).update(record);
print(`states  ${hash.digest("hex").slice(0, 16)}`);
print(`learner ${createHash("sha256").update(learning.learner.encode()).digest("hex").slice(0, 16)}`);

/** Applies new events and commits them. */
async function step(): Promise<void> {
  const limits = { now: () => performance.now(), commitIntervalMs: 1e9, commitEvents: 1e9 };
  const { end } = await log.bounds(topics.events, 0);
  while (task.next < end) await task.step(limits);
  await task.commit();
}

/** Learns new samples and applies the resulting versions. */
async function learn(): Promise<void> {
  clock += PUBLISH_MS;
  const begun = cpuMicros();
  while (await learning.step({ maxSamples: 64 }));
  learnt.push((cpuMicros() - begun) / ROUND);
  clock += PUBLISH_MS;
  const { records, next } = await log.read(topics.parameters, 0, applied, { maxRecords: 1000 });
  applied = next;
  for (const { value } of records) {
    const times: number[] = [];
    let begun = cpuMicros();
    const took = () => {
      times.push(cpuMicros() - begun);
      begun = cpuMicros();
    };
    for (const _portion of serving.applying(decodeVersion(value ?? new Uint8Array(0)))) took();
    took();
    versions.push(times.reduce((sum, time) => sum + time));
    portions.push(Math.max(...times));
  }
}

function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function heapBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

async function digest(topic: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const { value } of readAll(log, topic, 0)) hash.update(value ?? new Uint8Array(0));
  return hash.digest("hex").slice(0, 16);
}

function low(values: readonly number[]): number {
  return Math.min(...values);
}

function middle(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
