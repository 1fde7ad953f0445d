/**
 * How long answers stop when processes of a deployment on Kafka join, leave or are killed; broker, engine and this
 * client share the machine. Needs Java and Maven. For each partition: the longest time between two answers around the
 * event, with a request every 20 ms on each.
 *
 * `deno run -A tests/bench/stalls.ts [users to restore, 20000]`
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { encodeEvent } from "../../src/events/codec.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { Fleet } from "../chaos/fleet.ts";
import { catalogue, traffic } from "../chaos/traffic.ts";
import { startMeasuredBroker } from "./end_with.ts";

const PARTITIONS = 4;
const EVERY_MS = 20;
/** Long enough for a session to end, and for its consequences. */
const WATCH_MS = 15_000;
const users = Number(Deno.args[0] ?? 20_000);
const topics = topicNames();

await using broker = await startMeasuredBroker();
await using log = await KafkaLog.open({ brokers: [broker.address] });
await log.createTopics(topicSpecs(topics, PARTITIONS));
// One more partition: nobody must be left out.
const people = { seed: 1, events: 5 * users, users, partitions: PARTITIONS };
await log.append([...catalogue(topics, people)]);
const history = [...traffic(topics, people)];
for (let at = 0; at < history.length; at += 5000) await log.append(history.slice(at, at + 5000));
const end = history.at(-1)?.time ?? 0;
const folder = await Deno.makeTempDir({ prefix: "meander-stalls-" });
/** Where a process notes that it is alive, shared by those of one machine. */
let members = (_name: string) => "members";
await using fleet = new Fleet({
  folder,
  report: (problem) => print(`${problem}\n`),
  args: (
    name,
  ) => [
    "--log",
    "kafka",
    "--brokers",
    broker.address,
    "--model",
    "base",
    "--snapshots",
    `${folder}/snapshots`,
    "--members",
    `${folder}/${members(name)}`,
  ],
});
globalThis.addEventListener("unload", () => void fleet[Symbol.asyncDispose]());
fleet.start("learner-0");
fleet.start("task-0");
while (await lag() > 0) {
  if (fleet.started > 2) throw new Error("Cannot measure: a process has ended by itself");
  await delay(200);
}

/** When each partition answered, since the last check. */
const answers: number[][] = Array.from({ length: PARTITIONS }, () => []);
const stop = new AbortController();
const readers = answers.map(async (times, partition) => {
  let { end: next } = await log.bounds(topics.recommendations, partition);
  while (!stop.signal.aborted) {
    const result = await log.read(topics.recommendations, partition, next, { waitMs: 500 });
    next = result.next;
    if (result.records.length > 0) times.push(performance.now());
  }
});
const driver = (async () => {
  const names = Array.from({ length: PARTITIONS }, (_, p) => {
    for (let u = 0;; u++) if (partitionOf(`stall-${u}`, PARTITIONS) === p) return `stall-${u}`;
  });
  for (let n = 0; !stop.signal.aborted; n++) {
    const time = end + n * EVERY_MS;
    await log.append(names.map((user) => {
      const value = encodeEvent({ type: "request", user, time, request: `${user}-${n}`, count: 8 });
      return { topic: topics.events, key: user, value, time };
    }));
    await delay(EVERY_MS);
  }
})();

await delay(3000);
await measure("nothing happens", () => Promise.resolve());
await measure("task-1 joins", () => Promise.resolve(fleet.start("task-1")));
await measure("task-1 leaves (SIGTERM)", () => fleet.stop("task-1"));
fleet.start("task-1");
await delay(WATCH_MS);
await measure("task-1 is killed (-9), on the same machine", () => fleet.kill("task-1"));
const again = async () => {
  await fleet.kill("task-0");
  fleet.start("task-0");
};
await measure("the only one is killed (-9) and started again at once", again);
members = () => crypto.randomUUID();
fleet.start("task-1");
await delay(WATCH_MS);
await measure("task-1 is killed (-9), on another machine", () => fleet.kill("task-1"));
await measure("the only one is killed (-9) and started again at once, in a new place", again);
stop.abort();
await Promise.all([...readers, driver]);
await Deno.remove(folder, { recursive: true });

/** Does something, and reports the longest pause of each partition around it. */
async function measure(what: string, act: () => Promise<void>): Promise<void> {
  for (const times of answers) times.splice(0, times.length - 1);
  await act();
  await delay(WATCH_MS);
  const pauses = answers.map((times) =>
    Math.max(...[...times.slice(1), performance.now()].map((time, i) => time - (times[i] ?? time)))
  );
  print(`${what}: longest pause ${pauses.map((ms) => `${Math.round(ms)} ms`).join(", ")}\n`);
}

async function lag(): Promise<number> {
  let sum = 0;
  for (let p = 0; p < PARTITIONS; p++) {
    const { end } = await log.bounds(topics.events, p);
    sum += end - (await log.committed(`${topics.events}-tasks`, topics.events, p) ?? 0);
  }
  return sum;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
