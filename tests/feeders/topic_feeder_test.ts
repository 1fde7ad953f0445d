import assert from "node:assert/strict";
import { warnings } from "../log/warnings.ts";
import type { Rejection } from "../../src/events/rejection.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { readAll } from "../../streams/log/reading.ts";
import { TopicFeeder, type TopicFeederOptions } from "../../streams/feeders/topic_feeder.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import type { ForeignTopic } from "../../streams/feeders/resumed_position.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";

const topics = topicNames();
const TIME = 1_700_000_000_000;
const PARTITIONS = 3;

/** Record `n` of the foreign topic: mostly clicks, sometimes an item, a malformed record or a list. */
function foreign(n: number): NewRecord {
  const click = (k: number) => ({
    event: "interaction",
    id: `e${n}-${k}`,
    timestamp: TIME + n,
    type: "click",
    user: `u${n % 7}`,
    item: `i${n}`,
  });
  const value = n % 11 === 3
    ? { event: "item", item: `i${n}`, timestamp: TIME + n }
    : n % 11 === 5
    ? { event: "click" }
    : n % 11 === 7
    ? [click(0), click(1)]
    : click(0);
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return { topic: "clicks", partition: n % PARTITIONS, key: null, value: bytes, time: TIME + n };
}

async function logs(records: number, apart: boolean): Promise<{ source: MemoryLog; log: MemoryLog }> {
  const log = new MemoryLog();
  const source = apart ? new MemoryLog() : log;
  await log.createTopics(topicSpecs(topics, 2));
  await source.createTopics([{ name: "clicks", partitions: PARTITIONS, cleanup: "delete" }]);
  await source.append(Array.from({ length: records }, (_, n) => foreign(n)));
  return { source, log };
}

async function feedAll(
  source: Log,
  log: Log,
  { start, ...options }: TopicFeederOptions & Pick<ForeignTopic, "start"> = {},
): Promise<TopicFeeder> {
  const foreign = {
    log: source,
    topic: "clicks",
    format: compileSource("metarank", { preset: "metarank" }),
    start,
  } as const;
  const feeder = await TopicFeeder.open(log, topics, foreign, options);
  await using _feeder = feeder;
  while (await feeder.feed() > 0);
  return feeder;
}

async function content(log: Log) {
  const all = [];
  for (const topic of [topics.events, topics.items, topics.rejected]) {
    for (let p = 0; p < 2; p++) {
      if (topic === topics.items && p > 0) continue;
      for await (const { key, value, time } of readAll(log, topic, p)) {
        all.push([topic, p, key, new TextDecoder().decode(value ?? undefined), time]);
      }
    }
  }
  return all;
}

Deno.test("TopicFeeder.feed() puts events on their users' partitions, and items and rejections on their topics", async () => {
  const { source, log } = await logs(110, false);
  const feeder = await feedAll(source, log);
  assert.deepEqual([feeder.events, feeder.items, feeder.rejected], [100, 10, 10]);
  assert.equal(await feeder.lag(), 0);
  const times: number[] = [];
  for (let p = 0; p < 2; p++) {
    for await (const { key, time } of readAll(log, topics.events, p)) {
      assert.equal(partitionOf(key ?? "", 2), p);
      if (p === 0) times.push(time);
    }
  }
  assert.deepEqual(times, times.toSorted((a, b) => a - b), "the oldest goes first among partitions");
  const { records: [first] } = await log.read(topics.rejected, 0, 0);
  const rejection: Rejection = JSON.parse(new TextDecoder().decode(first?.value ?? undefined));
  assert.deepEqual(feeder.firstRejection, rejection);
  assert.ok("topic" in rejection);
  const { topic, partition, offset, code, reason } = rejection;
  assert.deepEqual([topic, partition, offset, code], ["clicks", 5 % PARTITIONS, 1, "malformed-row"]);
  assert.match(reason, /field event as one of/);
});

Deno.test("TopicFeeder resumes after a crash at any operation, without loss or repetition", async () => {
  for (const apart of [false, true]) {
    const { source, log } = await logs(33, apart);
    const whole = new CrashingLog(log);
    await feedAll(apart ? source : whole, whole, { batch: 7 });
    const want = await content(log);
    for (let at = 1; at < whole.operations; at++) {
      const { source, log } = await logs(33, apart);
      const crashing = new CrashingLog(log, at);
      await assert.rejects(feedAll(apart ? source : crashing, crashing, { batch: 7 }), Crash);
      await feedAll(source, log, { batch: 5 });
      const key = (all: unknown[][]) => all.map((record) => JSON.stringify(record)).sort();
      assert.deepEqual(key(await content(log)), key(want), `after a crash at operation ${at}`);
    }
  }
});

Deno.test("TopicFeeder.open() starts at the end when asked, and remembers it", async () => {
  const { source, log } = await logs(20, false);
  assert.equal((await feedAll(source, log, { start: "latest" })).events, 0);
  await source.append([foreign(22)]);
  assert.equal((await feedAll(source, log, { start: "latest" })).events, 1);
  assert.equal((await feedAll(source, log, { name: "another" })).events, 19);
});

Deno.test("TopicFeeder.feed() waits for a record, and stops waiting on a signal", async () => {
  const { source, log } = await logs(0, false);
  await using feeder = await TopicFeeder.open(log, topics, {
    log: source,
    topic: "clicks",
    format: compileSource("metarank", { preset: "metarank" }),
  });
  const waiting = feeder.feed({ waitMs: 60_000 });
  await source.append([foreign(1)]);
  assert.equal(await waiting, 1);
  const stop = new AbortController();
  const stopped = feeder.feed({ waitMs: 60_000, signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(stopped, /enough/);
  await source.append([foreign(2)]);
  assert.equal(await feeder.feed({ waitMs: 60_000 }), 1);
});

Deno.test("TopicFeeder.open() counts records dropped before they were fed, and refuses a missing topic", async () => {
  const { source, log } = await logs(30, false);
  await feedAll(source, log, { start: "latest" });
  await source.append(Array.from({ length: 9 }, (_, n) => foreign(n)));
  for (let p = 0; p < PARTITIONS; p++) await source.trim("clicks", p, 12);
  assert.equal((await feedAll(source, log)).skipped, 2 * PARTITIONS);
  const missing = {
    log: source,
    topic: "none",
    format: compileSource("metarank", { preset: "metarank" }),
  } as const;
  await assert.rejects(TopicFeeder.open(log, topics, missing), /Cannot feed topic none: it does not exist/);
});

Deno.test("TopicFeeder.feed() dates no record later than its arrival or the present", async () => {
  const DAY = 86_400_000;
  const now = () => TIME + DAY;
  const { source, log } = await logs(0, false);
  const event = (id: string, time: number, came: number): NewRecord => ({
    topic: "clicks",
    partition: 0,
    key: null,
    time: came,
    value: new TextEncoder().encode(
      JSON.stringify({ event: "interaction", id, timestamp: time, type: "click", user: "u", item: "i" }),
    ),
  });
  await source.append([
    event("late", TIME, TIME + 5),
    event("ahead", TIME + 100 * DAY, TIME + 5),
    event("both ahead", TIME + 100 * DAY, TIME + 99 * DAY),
    event("undated", TIME, 0),
  ]);
  await feedAll(source, log, { now });
  const dated = (await content(log)).map(([, , , value, time]) => [JSON.parse(String(value)).id, time]);
  assert.deepEqual(dated, [
    ["late", TIME],
    ["ahead", TIME + 5],
    ["both ahead", TIME + DAY],
    ["undated", TIME],
  ]);
});

Deno.test("TopicFeeder.feed() rejects a record that grows too large for the log, and continues", async () => {
  const { source, log } = await logs(0, true);
  // Written out as JSON again, 1e20 has 21 digits.
  const items = [200_000, 1].map((count, n) => {
    const value = `[${Array.from({ length: count }, () => "1e20")}]`;
    const text =
      `{"event":"item","item":"i${n}","timestamp":${TIME},"fields":[{"name":"n","value":${value}}]}`;
    return new TextEncoder().encode(text);
  });
  assert.ok(items.every((bytes) => bytes.length < 1 << 20));
  await source.append(
    items.map((value) => ({ topic: "clicks", partition: 0, key: null, value, time: TIME })),
  );
  const feeder = await feedAll(source, log);
  assert.deepEqual([feeder.items, feeder.rejected, feeder.firstRejection?.code], [1, 1, "too-large"]);
});

Deno.test("TopicFeeder.feed() gives way after every few milliseconds of work, and feeds everything", async () => {
  const { source, log } = await logs(60, false);
  let [now, gaveWay] = [0, 0];
  const giveWay = (workedMs: number) => {
    assert.ok(workedMs >= 4 && workedMs < 8, `${workedMs} ms of work`);
    gaveWay++;
    now += 1000;
    return Promise.resolve();
  };
  const feeder = await feedAll(source, log, { clock: () => now += 0.5, giveWay });
  assert.equal(feeder.events + feeder.items + feeder.rejected, 65);
  assert.ok(gaveWay >= 5, `${gaveWay} times`);
});

Deno.test("TopicFeeder.open() warns that it may feed another log's topic twice when no positions are left", async () => {
  const { source, log } = await logs(30, true);
  const warned = async (work: () => Promise<unknown>) =>
    (await warnings(work)).filter((text) => !/ rejects \S+ as malformed-row; /.test(text));
  const none = await warned(async () => {
    await feedAll(source, log);
    await feedAll(source, log);
    await feedAll(source, log, { name: "another" });
  });
  assert.deepEqual(none, [], "a new deployment, a known topic, a new name besides others");
  const { log: bare } = await logs(0, true); // its positions were lost
  for await (const { key, value, time } of readAll(log, topics.events, 0)) {
    await bare.append([{ topic: topics.events, key, value, time }]);
  }
  const holed = layered(bare, { // opening a writer leaves offsets without a record
    bounds: async (...at) => at[0] === topics.positions ? { start: 0, end: 2 } : await bare.bounds(...at),
    read: async (...at) => at[0] === topics.positions ? { records: [], next: 2 } : await bare.read(...at),
  });
  const said = await warned(() => feedAll(source, holed));
  assert.equal(said.length, 1);
  assert.match(said[0]!, /^clicks is fed from earliest, because .+\.positions has no positions.+ twice/);
});
