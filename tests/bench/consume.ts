/**
 * State-only consumption on Kafka: interactions through four tasks in one process, exactly once, compared with a bare
 * kafkajs loop that consumes, parses and writes as many bytes in transactions. Needs Java and Maven.
 *
 * Tasks whose states are not written, or are cut to the size of a delta, show what the changelog costs.
 *
 * `deno run -A tests/bench/consume.ts [events, 100000] [users, 20000] [groups, base,dien,requests]`
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { setImmediate as turn } from "node:timers/promises";
import { type EachBatchPayload, Kafka, logLevel, Partitioners, type Producer } from "kafkajs";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { Commit, Log, NewRecord } from "../../streams/log/log.ts";
import { Task } from "../../streams/task/task.ts";
import { TimeShare } from "../../streams/task/pace/time_share.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { startMeasuredBroker } from "./end_with.ts";
import { serve } from "./serving.ts";

const PARTITIONS = [0, 1, 2, 3];
const ITEMS = 5000;
const START = Date.UTC(2026, 0, 1);
const COMMIT_MS = 100;
const COMMIT_EVENTS = 1000;
const CANDIDATES = 50;
const ROUNDS = 3;
const OUTPUT = "bare.output";
const [events = 100_000, users = 20_000] = Deno.args.slice(0, 2).map(Number);
const groups = Deno.args[2]?.split(",") ?? ["base", "dien", "requests"];

/** The result of a run. */
interface Outcome {
  readonly seconds: number;
  /** Bytes of values written. */
  readonly bytes: number;
}

await using broker = await startMeasuredBroker();
const brokers = [broker.address];
let runs = 0;

/** A way to process the events. */
type Contender = readonly [name: string, run: (bytesPerEvent: number) => Promise<Outcome>];

const whole = (record: NewRecord) => record;
const bare: Contender = ["bare kafkajs, the same bytes", (bytes) => consumeBarely(bytes)];
await compare("base", [
  ["base", () => consume("base", "state only", whole)],
  bare,
  ["base, each partition for itself", () => consume("base", "state only", whole, { shared: false })],
  ["base, zstd", () => consume("base", "state only", whole, { compression: "zstd" })],
  ["base, states of 60 bytes: deltas", () => consume("base", "state only", (record) => cut(record, 60))],
  ["base, no states: written now and then", () => consume("base", "state only", () => null)],
]);
await compare("dien", [
  ["dien", () => consume("dien", "state only", whole)],
  bare,
  ["dien, each partition for itself", () => consume("dien", "state only", whole, { shared: false })],
  ["dien, zstd", () => consume("dien", "state only", whole, { compression: "zstd" })],
  ["dien, states of 190 bytes: deltas", () => consume("dien", "state only", (record) => cut(record, 190))],
  ["dien, no states: written now and then", () => consume("dien", "state only", () => null)],
]);
await compare("requests", [
  [`base, 10 % requests of ${CANDIDATES}`, () => consume("base", "requests", whole)],
  [`dien, 10 % requests of ${CANDIDATES}`, () => consume("dien", "requests", whole)],
]);

/** Runs the contenders in turns, and prints the best result of each and how the first compares with it. */
async function compare(group: string, contenders: readonly Contender[]): Promise<void> {
  if (!groups.includes(group)) return;
  const best: Outcome[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [, run]] of contenders.entries()) {
      const outcome = await run((best[0]?.bytes ?? 0) / events);
      if (outcome.seconds < (best[i]?.seconds ?? Infinity)) best[i] = outcome;
    }
  }
  for (const [i, [name]] of contenders.entries()) {
    const { seconds, bytes } = best[i] ?? { seconds: NaN, bytes: NaN };
    await print(
      `${name.padEnd(40)} ${Math.round(events / seconds).toLocaleString("en").padStart(8)} events/s ${
        Math.round(bytes / events).toString().padStart(5)
      } bytes written an event   x${(seconds / (best[0]?.seconds ?? NaN)).toFixed(2)}\n`,
    );
  }
}

/** Runs tasks over all events. @param change returns what is written of a state */
async function consume(
  model: ModelName,
  what: "state only" | "requests",
  change: (record: NewRecord) => NewRecord | null,
  { compression = "none", shared = true }: {
    readonly compression?: "none" | "zstd";
    readonly shared?: boolean;
  } = {},
): Promise<Outcome> {
  const topics = topicNames(`run${runs++}.`);
  await using log = await KafkaLog.open({ brokers, compression });
  await fill(log, topics, what);
  const serving = serve(model, ITEMS, START);
  let bytes = 0;
  const measured = measuring(log, (commit) => {
    const records = commit.records.flatMap((record) =>
      record.topic === topics.state ? change(record) ?? [] : record
    );
    for (const { value } of records) bytes += value?.length ?? 0;
    return { ...commit, records };
  });
  const options = { schema: DEFAULT_SCHEMA, retrieval: { shared } };
  const othersTime = new TimeShare();
  const tasks = await Promise.all(
    PARTITIONS.map((p) => Task.open({ log: measured, topics, partition: p, options, serving, othersTime })),
  );
  const ends = await Promise.all(PARTITIONS.map(async (p) => (await log.bounds(topics.events, p)).end));
  const limits = { now: () => performance.now(), commitIntervalMs: COMMIT_MS, commitEvents: COMMIT_EVENTS };
  const started = performance.now();
  await Promise.all(tasks.map(async (task, p) => {
    while (task.next < (ends[p] ?? 0)) {
      await task.step({ ...limits, waitMs: 100 });
      await turn();
    }
    if (task.isDirty) await task.commit();
  }));
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(tasks.map((task) => task[Symbol.asyncDispose]()));
  return { seconds, bytes };
}

function measuring(log: Log, change: (commit: Commit) => Commit): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name === "writer") {
        return async (id: string) => {
          const writer = await target.writer(id);
          return {
            id,
            // Offsets are queried by place: those of records left out do not matter here.
            commit: (commit: Commit) => writer.commit(change(commit)),
            [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
          };
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A loop with one transactional producer per partition, which writes so many bytes for each event. */
async function consumeBarely(bytesPerEvent: number): Promise<Outcome> {
  const topics = topicNames(`run${runs++}.`);
  {
    await using log = await KafkaLog.open({ brokers, compression: "none" });
    await fill(log, topics, "state only");
    await log.createTopics([{ name: `${topics.events}.${OUTPUT}`, partitions: 4, cleanup: "delete" }]);
  }
  const topic = `${topics.events}.${OUTPUT}`;
  const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });
  const groupId = `bare-${crypto.randomUUID()}`;
  const producers = await Promise.all(PARTITIONS.map(async (p) => {
    const producer = kafka.producer({
      transactionalId: `${groupId}-${p}`,
      idempotent: true,
      maxInFlightRequests: 1,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    return producer;
  }));
  const value = Buffer.from(
    Uint8Array.from({ length: Math.round(bytesPerEvent) }, () => 256 * Math.random()),
  );
  const consumer = kafka.consumer({ groupId, maxBytesPerPartition: 1 << 20, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topics.events], fromBeginning: true });
  const joined = Promise.withResolvers<void>();
  const done = Promise.withResolvers<void>();
  consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve());
  let read = 0;
  const eachBatch = async ({ batch }: EachBatchPayload) => {
    const { partition, messages } = batch;
    const producer = producers[partition];
    for (let at = 0; producer && at < messages.length; at += COMMIT_EVENTS) {
      const some = messages.slice(at, at + COMMIT_EVENTS);
      const outputs = some.map((message) => {
        const { user } = JSON.parse(`${message.value}`) as Event;
        return { partition, key: user, value };
      });
      await commitBarely(producer, outputs, {
        topic,
        input: topics.events,
        groupId,
        next: some.at(-1)?.offset,
      });
      read += some.length;
    }
    if (read >= events) done.resolve();
  };
  await consumer.run({ autoCommit: false, partitionsConsumedConcurrently: 4, eachBatch });
  await joined.promise;
  const started = performance.now();
  await done.promise;
  const seconds = (performance.now() - started) / 1000;
  await consumer.disconnect();
  await Promise.all(producers.map((producer) => producer.disconnect()));
  return { seconds, bytes: events * value.length };
}

async function commitBarely(
  producer: Producer,
  messages: { partition: number; key: string; value: Buffer }[],
  to: { topic: string; input: string; groupId: string; next: string | undefined },
): Promise<void> {
  const transaction = await producer.transaction();
  await transaction.send({ topic: to.topic, messages });
  const [partition = 0] = messages.map((message) => message.partition);
  const offset = `${BigInt(to.next ?? "0") + 1n}`;
  await transaction.sendOffsets({
    consumerGroupId: to.groupId,
    topics: [{ topic: to.input, partitions: [{ partition, offset }] }],
  });
  await transaction.commit();
}

/** Writes the events: people and items in random order, a second apart. */
async function fill(
  log: Log,
  topics: ReturnType<typeof topicNames>,
  what: "state only" | "requests",
): Promise<void> {
  await log.createTopics(topicSpecs(topics, PARTITIONS.length));
  const item = (n: number) => `item-${(n * 7919) % ITEMS}`;
  let batch: NewRecord[] = [];
  for (let n = 0; n < events; n++) {
    const base = { user: `user-${(n * 104_729) % users}`, time: START + 1000 * n };
    const event: Event = what === "requests" && n % 10 === 9
      ? {
        ...base,
        type: "request",
        request: `r${n}`,
        count: 10,
        candidates: Array.from({ length: CANDIDATES }, (_, k) => item(n + 13 * k)),
      }
      : { ...base, type: "interaction", id: `e${n}`, item: item(n), action: "click" };
    batch.push({ topic: topics.events, key: event.user, value: encodeEvent(event), time: event.time });
    if (batch.length < 4000 && n < events - 1) continue;
    await log.append(batch);
    batch = [];
  }
}

function cut(record: NewRecord, bytes: number): NewRecord {
  return { ...record, value: record.value?.subarray(0, bytes) ?? null };
}

async function print(text: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(text));
}
