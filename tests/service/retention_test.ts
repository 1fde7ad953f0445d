import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { encodeSample } from "../../src/samples/sample_codec.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { Learning } from "../../streams/learning/learning.ts";
import type { LearningOptions } from "../../streams/learning/options.ts";
import type { Log, NewRecord, ReadOptions } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { surfaceTopic, surfaceTopicSpecs } from "../../streams/topics/surfaces.ts";
import { monitorGroup, topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { type Deployment, neededSignals } from "../../streams/service/erasure/needed.ts";
import { Retention, type RetentionOptions } from "../../streams/service/erasure/retention.ts";
import { Task } from "../../streams/task/task.ts";
import { makeLearner, makeSamples, SCHEMA } from "../learner/batches.ts";
import { breadth } from "../breadth.ts";
import { FakeServing } from "../engine/fake_serving.ts";

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

/** A retention to which everything is old, unless options say otherwise. */
function retentionOf(
  log: Log,
  { options = {}, ...over }: Partial<Deployment> & { readonly options?: Partial<RetentionOptions> } = {},
): Retention {
  return new Retention({
    log,
    topics,
    partitions: PARTITIONS,
    models: ["base"],
    tasks: () => new Map(),
    ...over,
  }, { settings: ALL, outcomeWindowMs: 0, now: () => START + 1e12, clock: () => 0, ...options });
}

async function createLog(partitions = PARTITIONS): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, partitions));
  return log;
}

const note = (topic: string, hours: number, partition = 0): NewRecord => ({
  topic,
  partition,
  key: "ann",
  value: Uint8Array.of(1),
  time: START + hours * HOUR,
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

Deno.test("Retention.look() keeps events through the outcome window, and by default all but signals", async () => {
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
  const task = {
    others: { learnt: 0, isShared: false, positions: new Map(), committed: new Map() },
    openedAt: 0,
    lastErasure: -1,
  };
  const tasks = () => new Map([0, 1, 2].map((partition) => [partition, task]));
  await retentionOf(log, { options: { settings: {}, now }, tasks }).look();
  assert.deepEqual(await starts(), [0, 0, 0, 1, 0], "signals are kept for a day by default");
});

Deno.test("Retention.look() drops old answers on topics of surfaces, even of surfaces that have none any more", async () => {
  const log = await createLog();
  const topic = surfaceTopic(topics, "front");
  await log.createTopics(surfaceTopicSpecs(topics, PARTITIONS, { home: "front" }));
  await log.append([note(topic, 0), note(topic, 29), note(topic, 0, 1)]);
  const options = { now: () => START + 30 * HOUR, settings: { recommendationsHours: 2 } };
  assert.equal(await retentionOf(log, { options }).look(), 2);
  assert.equal((await log.bounds(topic, 0)).start, 1);
  assert.equal(await retentionOf(log, { options: { ...options, settings: {} } }).look(), 0);
});

Deno.test("Retention.look() keeps answers and samples that experiments' figures lack, and samples to be learnt", async () => {
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

Deno.test("Learning.open() resumes the same when samples before its checkpoint were dropped at any moment", async () => {
  const options: LearningOptions = { batchRows: 32, checkpointBatches: 5, snapshotVersions: 3 };
  const samples = makeSamples(200);
  const run = async (size: number, seed?: number) => {
    const log = await createLog();
    const random = mulberry32(seed ?? 0);
    const look = async () => seed !== undefined && random() < 0.5 ? await retentionOf(log).look() : 0;
    let dropped = 0;
    for (let at = 0; at < samples.length; at += size) {
      await log.append(
        samples.slice(at, at + size).map((sample, s) => ({
          topic: topics.samples,
          partition: s % PARTITIONS,
          key: sample.user,
          value: encodeSample(sample),
          time: sample.time,
        })),
      );
      // Each run ends without a checkpoint of its own.
      let time = 0;
      await using learning = await Learning.open(log, topics, makeLearner("base"), {
        ...options,
        now: () => time += 10_000,
      });
      while (await learning.step({ maxSamples: 4 })) dropped += await look();
    }
    await using learning = await Learning.open(log, topics, makeLearner("base"), options);
    await learning.drain();
    return { dropped, learner: learning.learner.encode(), version: learning.version };
  };
  for (const size of [13, 20, 37]) {
    const { dropped: none, ...want } = await run(size);
    assert.equal(none, 0);
    for (let seed = 1; seed <= 3; seed++) {
      const { dropped, ...same } = await run(size, seed);
      assert.ok(dropped > 100, `${dropped} dropped`);
      assert.deepEqual(same, want, `lives of ${size} samples, seed ${seed}`);
    }
  }
});

/** Users on all partitions: clicks and requests. */
function visits(from: number, to: number): Event[] {
  return Array.from({ length: to - from }, (_, i): Event => {
    const n = from + i;
    const [user, time] = [`u${n * 7 % 40}`, START + n * 7000];
    return n % 9 === 0
      ? { type: "request", user, time, request: `r${n}`, count: 8 }
      : { type: "interaction", user, time, item: `i${n * n % 60}`, action: "click" };
  });
}

/** A view of a log that notes reads of dropped records, and fails at a drop when told to. */
class Watched {
  readonly missed: string[] = [];
  /** Which of the next drops fails, and whether it does so after it has taken place. */
  failure: { drops: number; readonly isLate: boolean } | undefined;
  readonly log: Log;

  constructor(log: Log) {
    const read = async (topic: string, partition: number, from: number, options?: ReadOptions) => {
      const { start } = await log.bounds(topic, partition);
      const isTrimmed = (await log.topics(topic)).get(topic)?.cleanup === "delete";
      if (isTrimmed && from < start) this.missed.push(`${topic}/${partition}@${from}: ${start}`);
      // A wait that ended by itself would end at another step on a busy machine, and signals would be learnt later.
      const waitMs = options?.waitMs ? Infinity : 0;
      return await log.read(topic, partition, from, { ...options, waitMs });
    };
    const trim = async (topic: string, partition: number, before: number) => {
      const failure = this.failure !== undefined && this.failure.drops-- === 0 ? this.failure : undefined;
      if (failure?.isLate === false) throw new Error("dead before it");
      await log.trim(topic, partition, before);
      if (failure !== undefined) throw new Error("dead after it");
    };
    this.log = new Proxy(log, {
      get(target, name) {
        if (name === "read") return read;
        if (name === "trim") return trim;
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }
}

const ROUNDS = 40;

/** Tasks that are killed and come back, with looks in between, some of which die: in another order for each seed. */
async function lives(seed: number, looks = true) {
  const random = mulberry32(seed);
  const below = (n: number) => Math.floor(random() * n);
  const inner = await createLog();
  const watched = new Watched(inner);
  const { log, missed } = watched;
  await log.append(Array.from({ length: 60 }, (_, n) => ({
    topic: topics.items,
    key: `i${n}`,
    value: encodeItem({ item: `i${n}`, time: START, categories: [`c${n % 7}`] }),
    time: START,
  })));
  const tasks = new Map<number, Task>();
  const settings = { eventsHours: 1, signalsHours: 1 };
  const retention = retentionOf(log, { tasks: () => tasks, options: { settings } });
  let time = 0, dropped = 0, learnt = 0, died = 0, lookedWithout = 0;
  const taskOf = async (partition: number) => {
    const here = tasks.get(partition);
    if (here !== undefined) return here;
    const options = { schema: SCHEMA, outcomeWindowMs: 300_000 };
    const task = await Task.open({ log, topics, partition, options, serving: new FakeServing() });
    for (const [other, from] of task.others.committed) {
      const { start } = await inner.bounds(topics.signals, other);
      if (from < start) missed.push(`${topics.signals}/${other}@${from}: ${start}`);
    }
    tasks.set(partition, task);
    return task;
  };
  const step = async (partition: number, maxEvents: number) => {
    await (await taskOf(partition)).step({ now: () => time++, maxEvents, commitEvents: 12 });
    await turn();
  };
  const kill = async (partition: number) => {
    const task = tasks.get(partition);
    if (task === undefined) return;
    learnt += task.others.learnt;
    tasks.delete(partition);
    await task[Symbol.asyncDispose]();
  };
  const look = async () => {
    const places = [topics.events, topics.signals].flatMap((topic) =>
      Array.from({ length: PARTITIONS }, (_, partition) => [topic, partition] as const)
    );
    const sum = async () => {
      const all = await Promise.all(places.map((place) => inner.bounds(...place)));
      return all.reduce((sum, { start }) => sum + start, 0);
    };
    const before = await sum();
    if (tasks.size < PARTITIONS) lookedWithout++;
    await retention.look().catch(() => died++);
    dropped += await sum() - before;
  };
  for (let round = 0; round < ROUNDS; round++) {
    await log.append(
      visits(round * 30, round * 30 + 30).map((event) => ({
        topic: topics.events,
        key: event.user,
        time: event.time,
        value: encodeEvent(event),
      })),
    );
    for (let n = 0; n < 16; n++) {
      const [action, partition, size] = [below(10), below(PARTITIONS), 1 + below(12)];
      if (action < 5) await step(partition, size);
      else if (action === 5) await tasks.get(partition)?.commit();
      else if (action === 6) await kill(partition);
      else {
        watched.failure = action === 7 ? { drops: below(3), isLate: below(2) === 0 } : undefined;
        if (looks) await look();
      }
    }
  }
  const answers: Recommendation[] = [];
  for (let p = 0; p < PARTITIONS; p++) {
    const { end } = await inner.bounds(topics.events, p);
    while (await inner.committed(`${topics.events}-tasks`, topics.events, p) !== end) await step(p, 100);
    await kill(p);
    for await (const { value } of readAll(inner, topics.recommendations, p)) {
      const { tookMicros: _, ...answer } = JSON.parse(new TextDecoder().decode(value ?? undefined));
      answers.push(answer);
    }
  }
  return { missed, answers, dropped, learnt, died, lookedWithout };
}

for (let seed = 1; seed <= breadth(2, 6); seed++) {
  Deno.test(`Task finds the events and signals it needs, and answers as if none were dropped: order ${seed}`, async () => {
    const { missed, answers, dropped, learnt, died, lookedWithout } = await lives(seed);
    assert.deepEqual(missed, []);
    const asked = visits(0, ROUNDS * 30).flatMap((event) => event.type === "request" ? [event.request] : []);
    assert.deepEqual(answers.map(({ request }) => request).sort(), asked.sort(), "each once");
    assert.deepEqual(answers, (await lives(seed, false)).answers, "as if nothing had been dropped");
    assert.ok(dropped > 1000 && learnt > 100, `${dropped} dropped, ${learnt} learnt`);
    assert.ok(died > 5 && lookedWithout > 10, `${died} looks died, ${lookedWithout} were without a task`);
  });
}

const tasksHere = fc.nat(5).chain((partitions) =>
  fc.record({
    partitions: fc.constant(partitions),
    partition: fc.nat(Math.max(0, partitions - 1)),
    order: fc.shuffledSubarray(Array.from({ length: partitions }, (_, p) => p)),
    shared: fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }),
    committed: fc.array(fc.array(fc.option(fc.nat(99)), { minLength: 6, maxLength: 6 }), {
      minLength: 6,
      maxLength: 6,
    }),
  })
);

Deno.test("neededSignals() keeps what any other task lacks, and everything when one is not here, in any order", () => {
  fc.assert(fc.property(tasksHere, ({ partitions, partition, order, shared, committed }) => {
    const othersOf = (task: number) => {
      const known = (committed[task] ?? []).flatMap((offset, from): [number, number][] =>
        offset === null ? [] : [[from, offset]]
      );
      return { learnt: 0, isShared: shared[task] ?? false, positions: new Map(), committed: new Map(known) };
    };
    const needed = (tasks: readonly number[]) =>
      neededSignals({
        log: new MemoryLog(),
        topics,
        partitions,
        models: [],
        tasks: () =>
          new Map(tasks.map((task) => [task, { others: othersOf(task), openedAt: 0, lastErasure: -1 }])),
      }, partition);
    const others = Array.from({ length: partitions }, (_, p) => p).filter((p) => p !== partition);
    const found = needed(order);
    assert.equal(needed([...order].reverse()), found);
    assert.equal(needed(order.filter((task) => task !== partition)), found, "nobody takes its own signals");
    if (others.some((task) => !order.includes(task))) assert.equal(found, 0, "one is not here");
    const ends = others.filter((task) => shared[task]).map((task) => committed[task]?.[partition] ?? 0);
    for (const end of ends) assert.ok(found <= end, `${found} of ${ends}`);
    for (const gone of others) assert.equal(needed(others.filter((task) => task !== gone)), 0);
    assert.ok([...ends, Infinity].includes(needed(others)), "nothing is kept that they do not need");
    if (ends.length > 0) assert.ok(needed(others) < Infinity);
  }));
});

Deno.test("SqliteLog stops growing when as much is dropped as arrives", async () => {
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
