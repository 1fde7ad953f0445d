import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { encodeSample } from "../../src/learner/sample_codec.ts";
import { Learning, type LearningOptions } from "../../streams/learning.ts";
import type { Log, NewRecord, ReadOptions } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SqliteLog } from "../../streams/log/sqlite_log.ts";
import { monitorGroup } from "../../streams/service/monitor_job.ts";
import type { Deployment } from "../../streams/service/needed.ts";
import { Retention, type RetentionOptions } from "../../streams/service/retention.ts";
import { Task } from "../../streams/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics.ts";
import { makeLearner, makeSamples, SCHEMA } from "../learner/batches.ts";
import { FakeServing } from "../state/fake_serving.ts";

const topics = topicNames();
const PARTITIONS = 3;
const START = 1_700_000_000_000;
const HOUR = 3_600_000;
const ALL = {
  eventsHours: 1,
  recommendationsHours: 1,
  samplesHours: 1,
  signalsHours: 1,
  rejectedHours: 1,
};

/** A retention to which everything is old, unless it is told otherwise. */
function retentionOf(
  log: Log,
  { options = {}, ...over }: Partial<Deployment> & { readonly options?: Partial<RetentionOptions> } = {},
): Retention {
  return new Retention({
    ...{ log, topics, partitions: PARTITIONS, models: ["base"], tasks: () => new Map() },
    ...over,
  }, { settings: ALL, outcomeWindowMs: 0, now: () => START + 1e12, clock: () => 0, ...options });
}

async function createLog(partitions = PARTITIONS): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, partitions));
  return log;
}

const note = (topic: string, hours: number, partition = 0): NewRecord => ({
  ...{ topic, partition, key: "ann", value: Uint8Array.of(1), time: START + hours * HOUR },
});

async function commit(log: Log, group: string, topic: string, offset: number): Promise<void> {
  await using writer = await log.writer(group);
  await writer.commit({ records: [], group, offsets: [{ topic, partition: 0, offset }] });
}

Deno.test("Retention.look() drops records that are old and done with, up to the first that is not", async () => {
  const { events } = topics;
  const cases:
    readonly (readonly [hours: readonly number[], now: number, committed: number, start: number])[] = [
      [[0, 1, 2, 3], 3.5, 4, 2], // 2 h are kept
      [[0, 1, 2, 3], 3.5, 1, 1],
      [[0, 1, 2, 3], 3.5, 0, 0],
      [[0, 3, 0, 0], 3.5, 4, 1],
      [[0, 1, 2, 3], 30, 4, 4],
      [[], 30, 0, 0],
    ];
  for (const [hours, now, committed, start] of cases) {
    const log = await createLog();
    await log.append(hours.map((hour) => note(events, hour)));
    await commit(log, `${events}-tasks`, events, committed);
    const retention = retentionOf(log, {
      options: { settings: { eventsHours: 2 }, now: () => START + now * HOUR },
    });
    assert.equal(await retention.look(), start, `${hours} at ${now}, ${committed} committed`);
    assert.equal((await log.bounds(events, 0)).start, start);
    assert.equal(await retention.look(), 0);
  }
});

Deno.test("Retention.look() keeps events for as long as an outcome counts, and all else that is not asked for", async () => {
  const log = await createLog();
  const { events, recommendations, samples, signals, rejected } = topics;
  const all = [events, recommendations, samples, signals, rejected];
  await log.append(all.map((topic) => note(topic, 0)));
  await commit(log, `${events}-tasks`, events, 1);
  const starts = () => Promise.all(all.map(async (topic) => (await log.bounds(topic, 0)).start));
  const now = () => START + 30 * HOUR;
  const window = { settings: { eventsHours: 1 }, outcomeWindowMs: 48 * HOUR, now };
  await retentionOf(log, { options: window }).look();
  assert.deepEqual(await starts(), [0, 0, 0, 0, 0]);
  const task = { others: { learnt: 0, isShared: false, positions: new Map(), committed: new Map() } };
  const tasks = () => new Map([0, 1, 2].map((partition) => [partition, task]));
  await retentionOf(log, { options: { settings: {}, now }, tasks }).look();
  assert.deepEqual(await starts(), [0, 0, 0, 1, 0], "signals are kept for a day unless it is said");
});

Deno.test("Retention.look() keeps answers and samples that figures of experiments lack, and samples to be learnt", async () => {
  const { experiments, recommendations, samples } = topics;
  const log = await createLog();
  await log.append([0, 0, 0].flatMap((hour) => [note(recommendations, hour), note(samples, hour)]));
  const starts = async () => [
    (await log.bounds(recommendations, 0)).start,
    (await log.bounds(samples, 0)).start,
  ];
  await retentionOf(log, { models: [] }).look();
  assert.deepEqual(await starts(), [3, 3], "nobody needs them");
  await log.append([0, 0].flatMap((hour) => [note(recommendations, hour), note(samples, hour)]));
  await log.append([{ topic: experiments, key: "e", value: Uint8Array.of(1), time: START }]);
  await retentionOf(log, { models: [] }).look();
  assert.deepEqual(await starts(), [3, 3], "figures have none of them");
  await commit(log, monitorGroup(topics), recommendations, 4);
  await commit(log, monitorGroup(topics), samples, 5);
  await retentionOf(log).look();
  assert.deepEqual(await starts(), [4, 3], "the learner has written no checkpoint");
  await retentionOf(log, { models: [] }).look();
  assert.deepEqual(await starts(), [4, 5]);
});

Deno.test("Learning.open() goes on as ever when samples before its checkpoint were dropped", async () => {
  const options: LearningOptions = { batchRows: 32, checkpointBatches: 5, snapshotVersions: 3 };
  const samples = makeSamples(200);
  const run = async (drops: boolean) => {
    const log = await createLog();
    let dropped = 0;
    for (let at = 0; at < samples.length; at += 20) {
      await log.append(
        samples.slice(at, at + 20).map((sample, s) => ({
          topic: topics.samples,
          partition: s % PARTITIONS,
          key: sample.user,
          value: encodeSample(sample),
          time: sample.time,
        })),
      );
      // Each life ends without a checkpoint of its own.
      let time = 0;
      await using learning = await Learning.open(
        log,
        topics,
        makeLearner("base"),
        options,
        () => time += 10_000,
      );
      while (await learning.step({ maxSamples: 4 }));
      if (drops) dropped += await retentionOf(log).look();
    }
    await using learning = await Learning.open(log, topics, makeLearner("base"), options);
    await learning.drain();
    return { dropped, learner: learning.learner.encode(), version: learning.version };
  };
  const { dropped, ...same } = await run(true);
  assert.ok(dropped > 100, `${dropped} dropped`);
  const { dropped: _, ...want } = await run(false);
  assert.deepEqual(same, want);
});

/** People on all partitions: views and requests. */
function visits(from: number, to: number): Event[] {
  return Array.from({ length: to - from }, (_, i): Event => {
    const n = from + i;
    const [user, time] = [`u${n * 7 % 40}`, START + n * 7000];
    return n % 9 === 0
      ? { type: "request", user, time, request: `r${n}`, count: 8 }
      : { type: "interaction", user, time, item: `i${n * n % 60}`, action: "click" };
  });
}

/** The log, which notes reads of what was dropped. */
function watched(log: Log, missed: string[]): Log {
  return new Proxy(log, {
    get(target, name) {
      if (name === "read") {
        return async (topic: string, partition: number, from: number, options?: ReadOptions) => {
          const { start } = await target.bounds(topic, partition);
          const isTrimmed = (await target.topics()).get(topic)?.cleanup === "delete";
          if (isTrimmed && from < start) missed.push(`${topic}/${partition}@${from}: ${start}`);
          return await target.read(topic, partition, from, options);
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test("Task finds all that it needs of events and signals, killed at any moment while others are dropped", async () => {
  const inner = await createLog();
  const missed: string[] = [];
  const log = watched(inner, missed);
  await log.append(Array.from({ length: 60 }, (_, n) => ({
    topic: topics.items,
    key: `i${n}`,
    value: encodeItem({ item: `i${n}`, time: START, categories: [`c${n % 7}`] }),
    time: START,
  })));
  const open = (partition: number) =>
    Task.open(log, topics, partition, { schema: SCHEMA, outcomeWindowMs: 300_000 }, new FakeServing());
  const tasks = new Map<number, Task>();
  for (let p = 0; p < PARTITIONS; p++) tasks.set(p, await open(p));
  const retention = retentionOf(log, { tasks: () => tasks });
  let time = 0, dropped = 0, learnt = 0;
  const step = async (partition: number, maxEvents: number) => {
    const task = tasks.get(partition) ?? assert.fail();
    await task.step({ now: () => time++, maxEvents, commitEvents: 12 });
    await turn();
    return task;
  };
  for (let round = 0; round < 60; round++) {
    await log.append(
      visits(round * 30, round * 30 + 30).map((event) => ({
        ...{ topic: topics.events, key: event.user, time: event.time },
        value: encodeEvent(event),
      })),
    );
    for (let n = 0; n < 9; n++) {
      const task = await step(n % PARTITIONS, 5);
      if ((round + n) % 4 === 0) await task.commit();
      dropped += await retention.look();
    }
    const killed = round % PARTITIONS;
    const task = tasks.get(killed) ?? assert.fail();
    learnt += task.others.learnt;
    tasks.delete(killed);
    await task[Symbol.asyncDispose]();
    dropped += await retention.look();
    const next = await open(killed);
    for (const [partition, from] of next.others.committed) {
      const { start } = await log.bounds(topics.signals, partition);
      if (from < start) missed.push(`${topics.signals}/${partition}@${from}: ${start}`);
    }
    tasks.set(killed, next);
  }
  assert.deepEqual(missed, []);
  assert.ok(dropped > 1500 && learnt > 100, `${dropped} dropped, ${learnt} learnt`);
  for (let p = 0; p < PARTITIONS; p++) {
    for (const topic of [topics.events, topics.signals]) {
      assert.ok((await log.bounds(topic, p)).start > 0, topic);
    }
  }
  for (const task of tasks.values()) await task[Symbol.asyncDispose]();
});

Deno.test("a SQLite log does not grow any more when as much is dropped as comes", async () => {
  const folder = await Deno.makeTempDir({ prefix: "meander-retention-" });
  try {
    const path = `${folder}/log.db`;
    const sizes: number[] = [];
    {
      await using log = await SqliteLog.open(path);
      await log.createTopics(topicSpecs(topics, 1));
      const { rejected } = topics;
      for (let hour = 0; hour < 24; hour++) {
        const value = new Uint8Array(500).fill(hour);
        await log.append(Array.from({ length: 2000 }, () => ({ ...note(rejected, hour), value })));
        const now = () => START + (hour + 0.5) * HOUR;
        await retentionOf(log, { partitions: 1, options: { settings: { rejectedHours: 2 }, now } }).look();
        sizes.push((await Deno.stat(path)).size + (await Deno.stat(`${path}-wal`)).size);
      }
      const { start, end } = await log.bounds(rejected, 0);
      assert.equal(end - start, 2 * 2000);
      const [first] = (await log.read(rejected, 0, start, { maxRecords: 1 })).records;
      assert.deepEqual(first?.value?.[0], 22);
    }
    const size = (await Deno.stat(path)).size;
    assert.ok(size < 6 * 2000 * 600, `${size} bytes`);
    await using again = await SqliteLog.open(path);
    assert.equal((await again.bounds(topics.rejected, 0)).start, 22 * 2000);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
