/**
 * The Kafka log compared with bare kafkajs, on a broker that it starts itself (needs Java and Maven). Each figure is
 * the best of some rounds, which take turns; other load on the machine disturbs both sides alike.
 *
 * - read: 4 partitions of 100,000 records of 200 bytes. Bare is a kafkajs consumer that only counts; ours is what a
 *   task does: a loop of `read()` of 256 records at most for each partition.
 * - append: 20 times 1,000 records. Bare is an idempotent kafkajs producer; over several partitions ours is a
 *   transaction, so that all or nothing is appended.
 * - commit: 100 times 100 records of one partition and an offset.
 *
 * `deno run -A tests/bench/kafka.ts` (not a file of `deno bench`, which would need Java and Maven then)
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Kafka, logLevel, Partitioners, type ProducerConfig } from "kafkajs";
import { COMPRESSIONS } from "../../streams/log/kafka/protocol/codecs.ts";
import { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { NewRecord } from "../../streams/log/log.ts";
import { startMeasuredBroker } from "./end_with.ts";

const PARTITIONS = [0, 1, 2, 3];
const RECORDS = 400_000;
const ROUNDS = 4;

/** A way to do something. @returns its time in milliseconds */
type Contender = readonly [name: string, run: () => Promise<number>];

await using broker = await startMeasuredBroker();
const brokers = [broker.address];
const kafka = new Kafka({ brokers, logLevel: logLevel.NOTHING });

for (const compression of ["none", "zstd"] as const) {
  const topic = `read-${compression}`;
  await using filler = await KafkaLog.open({ brokers, compression });
  await filler.createTopics([{ name: topic, partitions: 4, cleanup: "delete" }]);
  for (let i = 0; i < RECORDS; i += 4000) {
    await Promise.all(PARTITIONS.map((p) => filler.append(records(topic, 1000, p))));
  }
  const bare: Contender[] = compression === "none"
    ? [["kafkajs consumer that counts", () => readBarely(topic)]]
    : [];
  await compare(`read, ${compression}`, RECORDS, "records", [
    ...bare,
    ["KafkaLog.read(), 256 records", () => readOurs(topic, 256)],
    ["KafkaLog.read(), 10 records", () => readOurs(topic, 10)],
  ]);
}

await using log = await KafkaLog.open({ brokers, compression: "none" });
await log.createTopics([{ name: "append", partitions: 4, cleanup: "delete" }]);
const producer = await barely({ idempotent: true });
for (const [title, partition] of [["4 partitions", undefined], ["one partition", 0]] as const) {
  const batch = records("append", 1000, partition);
  const logs = await Promise.all(COMPRESSIONS.map((compression) => KafkaLog.open({ brokers, compression })));
  await compare(`append to ${title}`, 20_000, "records", [
    [
      "kafkajs producer, none",
      () => timed(20, async () => void await producer.send({ topic: "append", messages: messages(batch) })),
    ],
    ...logs.map((log, i): Contender => [
      `KafkaLog.append(), ${COMPRESSIONS[i]}`,
      () => timed(20, async () => void await log.append(batch)),
    ]),
  ]);
  await Promise.all(logs.map((log) => log[Symbol.asyncDispose]()));
}
const one = records("append", 1, 0);
await compare("append one record, one after the other", 200, "records", [
  [
    "kafkajs producer",
    () => timed(200, async () => void await producer.send({ topic: "append", messages: messages(one) })),
  ],
  ["KafkaLog.append()", () => timed(200, async () => void await log.append(one))],
  [
    "KafkaLog.append(), 50 at a time",
    () => timed(4, async () => void await Promise.all(Array.from({ length: 50 }, () => log.append(one)))),
  ],
]);
await producer.disconnect();

const transactional = await barely({ transactionalId: "bare" });
const writers = await Promise.all(PARTITIONS.map((p) => log.writer(`bench-${p}`)));
const commit = (partition: number) => ({
  records: records("append", 100, partition),
  group: "bench",
  offsets: [{ topic: "append", partition, offset: 1 }],
});
const outputs = records("append", 100, 0);
await compare("commit 100 records and an offset", 100, "commits", [
  ["kafkajs transaction", () =>
    timed(100, async () => {
      const transaction = await transactional.transaction();
      await transaction.send({ topic: "append", messages: messages(outputs) });
      await transaction.sendOffsets({
        consumerGroupId: "bare",
        topics: [{ topic: "append", partitions: [{ partition: 0, offset: "1" }] }],
      });
      await transaction.commit();
    })],
  ["Writer.commit()", () => timed(100, async () => void await writers[0]?.commit(commit(0)))],
  [
    "Writer.commit(), four writers",
    () => timed(25, async () => void await Promise.all(writers.map((writer, p) => writer.commit(commit(p))))),
  ],
]);
await transactional.disconnect();

await log.createTopics([{ name: "wait", partitions: 1, cleanup: "delete" }]);
await using reader = await KafkaLog.open({ brokers });
await compare("append a record and wait for it in another log", 200, "records", [
  ["KafkaLog", () => {
    let next: number | undefined;
    return timed(200, async () => {
      next ??= (await reader.bounds("wait", 0)).end;
      const reading = reader.read("wait", 0, next, { waitMs: 10_000 });
      await log.append(records("wait", 1, 0));
      ({ next } = await reading);
    });
  }],
]);

/** Runs the contenders in turns, and prints the best result of each and how the others compare with the first. */
async function compare(
  title: string,
  count: number,
  unit: string,
  contenders: readonly Contender[],
): Promise<void> {
  await print(`\n${title}`);
  const best = contenders.map(() => Infinity);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, [, run]] of contenders.entries()) best[i] = Math.min(best[i] ?? Infinity, await run());
  }
  for (const [i, [name]] of contenders.entries()) {
    const ms = best[i] ?? NaN;
    const rate = Math.round(count / ms * 1000).toLocaleString("en");
    const ratio = ((best[0] ?? NaN) / ms).toFixed(2);
    await print(
      `  ${name.padEnd(36)} ${rate.padStart(9)} ${unit}/s  ${(ms / count).toFixed(4)} ms  x${ratio}`,
    );
  }
}

async function timed(times: number, action: () => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < times; i++) await action();
  return performance.now() - start;
}

async function readOurs(topic: string, maxRecords: number): Promise<number> {
  await using log = await KafkaLog.open({ brokers });
  const ends = await Promise.all(PARTITIONS.map((p) => log.bounds(topic, p)));
  const start = performance.now();
  const counts = await Promise.all(ends.map(async ({ end }, p) => {
    let count = 0;
    for (let next = 0; next < end;) {
      const result = await log.read(topic, p, next, { maxRecords });
      count += result.records.length;
      next = result.next;
    }
    return count;
  }));
  const ms = performance.now() - start;
  if (counts.reduce((a, b) => a + b) !== RECORDS) throw new Error(`Cannot read all: ${counts}`);
  return ms;
}

async function readBarely(topic: string): Promise<number> {
  const groupId = `bare-${crypto.randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxBytesPerPartition: 1 << 20, maxWaitTimeInMs: 50 });
  await consumer.connect();
  await consumer.subscribe({ topics: [topic], fromBeginning: true });
  const [done, joined] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  consumer.on(consumer.events.GROUP_JOIN, () => joined.resolve());
  let count = 0;
  const running = consumer.run({
    autoCommit: false,
    eachBatch({ batch }) {
      count += batch.messages.length;
      if (count === RECORDS) done.resolve();
      return Promise.resolve();
    },
  });
  await joined.promise;
  const start = performance.now();
  await done.promise;
  const ms = performance.now() - start;
  await running;
  await consumer.disconnect();
  return ms;
}

async function barely(config: ProducerConfig) {
  const createPartitioner = Partitioners.DefaultPartitioner;
  const producer = kafka.producer({ maxInFlightRequests: 1, createPartitioner, ...config });
  await producer.connect();
  return producer;
}

/** Records of 200 bytes, similar to the JSON of events, so that compression has an effect. */
function records(topic: string, count: number, partition?: number): NewRecord[] {
  return Array.from({ length: count }, (_, i) => {
    const user = `user-${(i * 7919) % 5000}`;
    const event = { type: "interaction", user, item: `item-${(i * 104_729) % 100_000}`, time: 1.7e12 + i };
    const text = JSON.stringify(event).padEnd(200, ` ${((i * 2_654_435_761) % 2 ** 32).toString(36)}`);
    const value = new TextEncoder().encode(text);
    return { topic, key: user, value, time: 1.7e12 + i, ...(partition === undefined ? {} : { partition }) };
  });
}

function messages(records: readonly NewRecord[]) {
  return records.map(({ key, value, time, partition }) => ({
    key,
    value: value && Buffer.from(value),
    timestamp: `${time}`,
    ...(partition === undefined ? {} : { partition }),
  }));
}

async function print(line: string): Promise<void> {
  await Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
}
