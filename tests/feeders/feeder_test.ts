import assert from "node:assert/strict";
import { decodeEvent, decodeItem } from "../../src/events/codec.ts";
import { Feeder, type FeederOptions } from "../../streams/feeders/feeder.ts";
import { rejectionOf } from "../../src/events/rejection.ts";
import type { Log, LogRecord } from "../../streams/log/log.ts";
import { LogError } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";
import { BEFORE_EVENT } from "../../streams/task/catalogue_reader.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { countEvents, sourceOf, syntheticRecords } from "../sources/synthetic.ts";

const topics = topicNames();
const records = syntheticRecords({ views: 30, users: 6, seed: 2 });

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  return log;
}

async function feedAll(log: Log, options: FeederOptions): Promise<number> {
  await using feeder = await Feeder.open(log, topics, sourceOf(records), options);
  while (await feeder.feed());
  return feeder.events;
}

const contentOf = async (log: Log) => {
  const all: LogRecord[][] = [];
  for (const topic of [topics.events, topics.items, topics.rejected]) {
    all.push(await Array.fromAsync(readAll(log, topic, 0)));
  }
  return all;
};

Deno.test("Feeder.feed() appends every record once and in order, whatever the batch", async () => {
  const log = await createLog();
  assert.equal(await feedAll(log, {}), countEvents(records));
  const want = await contentOf(log);
  const events = want[0]?.map(({ value }) => decodeEvent(value ?? new Uint8Array(0)));
  assert.deepEqual(
    events?.map((decoded) => decoded.ok && decoded.event),
    records.flatMap((record) => record.kind === "event" ? [record.event] : []),
  );
  assert.deepEqual(want[2]?.length, records.filter(({ kind }) => kind === "rejected").length);
  for (const batch of [1, 2, 7, 64]) {
    const other = await createLog();
    await feedAll(other, { batch });
    assert.deepEqual(await contentOf(other), want, `batch ${batch}`);
    await feedAll(other, { batch });
    assert.deepEqual(await contentOf(other), want, "nothing is left to feed");
  }
});

Deno.test("Feeder.feed() marks an item with the number of events before it", async () => {
  const log = await createLog();
  await feedAll(log, { batch: 11 });
  let events = 0;
  const before = new Map<string, number>();
  for (const record of records) {
    if (record.kind === "event") events++;
    if (record.kind === "item") before.set(record.item.item, events);
  }
  const [, items] = await contentOf(log);
  assert.ok(items && items.length > 0);
  for (const { value, headers } of items) {
    const decoded = decodeItem(value ?? new Uint8Array(0));
    assert.ok(decoded.ok);
    assert.equal(Number(headers[BEFORE_EVENT]), before.get(decoded.item.item));
  }
});

Deno.test("Feeder.open() resumes after a crash at any operation, without loss or repetition", async () => {
  const whole = new CrashingLog(await createLog());
  await feedAll(whole, { batch: 9 });
  const { operations } = whole;
  const want = await contentOf(whole);
  for (let at = 1; at < operations; at++) {
    const log = await createLog();
    await assert.rejects(feedAll(new CrashingLog(log, at), { batch: 9 }), Crash);
    await feedAll(log, { batch: 5 });
    assert.deepEqual(await contentOf(log), want, `after a crash at operation ${at}`);
  }
});

Deno.test("Feeder.feed() stops at the limit, and resumes with a higher one", async () => {
  const log = await createLog();
  assert.equal(await feedAll(log, { batch: 4, limit: 10 }), 10);
  assert.equal((await log.bounds(topics.events, 0)).end, 10);
  assert.equal(await feedAll(log, { batch: 4, limit: 25 }), 25);
  const other = await createLog();
  await feedAll(other, { limit: 25 });
  assert.deepEqual(await contentOf(log), await contentOf(other));
});

Deno.test("Feeder.feed() shifts all times by the first run's shiftMs, even after crashes", async () => {
  const ms = 86_400_000;
  const later = records.map((record): SourceRecord => {
    if (record.kind === "event") {
      return { ...record, event: { ...record.event, time: record.event.time + ms } };
    }
    if (record.kind !== "item") return record;
    const { item } = record;
    const end = item.expires === undefined ? {} : { expires: item.expires + ms };
    return { ...record, item: { ...item, time: item.time + ms, ...end } };
  });
  const expected = await createLog();
  await using feeder = await Feeder.open(expected, topics, sourceOf(later), { batch: 9 });
  while (await feeder.feed());
  const want = await contentOf(expected);
  for (const at of [1, 5, 9, 14, 20]) {
    const log = await createLog();
    const asked = { batch: 9, shiftMs: () => Promise.resolve(ms) };
    await assert.rejects(feedAll(new CrashingLog(log, at), asked), Crash);
    const { end } = await log.bounds(topics.events, 0);
    await feedAll(log, { batch: 5, shiftMs: () => Promise.resolve(end === 0 ? ms : 2 * ms) });
    assert.deepEqual(await contentOf(log), want, `after a crash at operation ${at}`);
  }
});

Deno.test("Feeder.feed() takes the truncated last line of a growing file once it is complete", async () => {
  const feed = async (log: Log, source: typeof records, batch: number) => {
    await using feeder = await Feeder.open(log, topics, sourceOf(source), { name: "shop", batch });
    while (await feeder.feed());
    return feeder.events;
  };
  const isLast = (record: SourceRecord, at: number) => record.kind === "event" && at > records.length / 2;
  const at = records.findIndex(isLast);
  const place = { file: "events.jsonl", line: records[at]?.line ?? 0 };
  const rejected = { ok: false, code: "truncated-json", reason: "it ends too early" } as const;
  const cut = {
    kind: "rejected",
    rejection: rejectionOf(place, rejected, new Uint8Array(3)),
    ...place,
  } as const;
  const want = await createLog();
  await feed(want, records, 1000);
  for (const batch of [1, at, at + 1, 1000]) {
    const log = await createLog();
    await feed(log, [...records.slice(0, at), cut], batch);
    const [events, items] = await contentOf(log);
    await feed(log, [...records.slice(0, at), cut], batch);
    assert.deepEqual((await contentOf(log)).slice(0, 2), [events, items], "nothing is new");
    await feed(log, records.slice(0, at + 2), batch);
    assert.equal(await feed(log, records, batch), countEvents(records));
    assert.deepEqual(
      (await contentOf(log)).slice(0, 2),
      (await contentOf(want)).slice(0, 2),
      `batch ${batch}`,
    );
  }
});

Deno.test("Feeder.feed() refuses a source that does not begin with what was fed before", async () => {
  const feed = async (log: Log, source: typeof records) => {
    await using feeder = await Feeder.open(log, topics, sourceOf(source), { name: "shop", batch: 7 });
    while (await feeder.feed());
    return feeder.events;
  };
  const others = syntheticRecords({ views: 60, users: 6, seed: 3 });
  const half = records.slice(0, records.length >> 1);
  const log = await createLog();
  await feed(log, half);
  const before = await contentOf(log);
  await assert.rejects(
    feed(log, half.slice(1)),
    /it has only \d+; feed a different source under a name of its own/,
  );
  await assert.rejects(
    feed(log, [...half.slice(1), half[0]!]),
    /its first records differ from those; feed a different source/,
  );
  await assert.rejects(feed(log, others), /its first records differ from those/);
  assert.deepEqual(await contentOf(log), before, "nothing of another source is taken");
  assert.equal(await feed(log, records), countEvents(records), "a source that has grown is continued");
});

Deno.test("Feeder.open() fences another feeder of the same log", async () => {
  const log = await createLog();
  await using first = await Feeder.open(log, topics, sourceOf(records), { batch: 4 });
  await first.feed();
  await using second = await Feeder.open(log, topics, sourceOf(records), { batch: 4 });
  await assert.rejects(
    first.feed(),
    (error: unknown) => error instanceof LogError && error.code === "fenced",
  );
  while (await second.feed());
  const want = await createLog();
  await feedAll(want, {});
  assert.deepEqual(await contentOf(log), await contentOf(want));
});

Deno.test("Feeder closes its source, even before the end", async () => {
  let closed = false;
  async function* source() {
    try {
      yield* sourceOf(records);
    } finally {
      closed = true;
    }
  }
  {
    await using feeder = await Feeder.open(await createLog(), topics, source(), { batch: 3 });
    await feeder.feed();
  }
  assert.ok(closed);
});

Deno.test("Feeder.feed() dates no record of a deployment later than now, but leaves the times of a replay", async () => {
  const timesOf = async (options: FeederOptions) => {
    const log = await createLog();
    await using feeder = await Feeder.open(log, topics, sourceOf(records), options);
    while (await feeder.feed());
    return (await contentOf(log)).flat().map(({ time }) => time);
  };
  const times = await timesOf({});
  const middle = times[times.length >> 1] ?? 0;
  const now = () => middle;
  assert.deepEqual(await timesOf({ now }), times);
  const capped = await timesOf({ now, name: "deployment" });
  assert.deepEqual(capped, times.map((time) => Math.min(time, middle)));
  assert.notDeepEqual(capped, times);
});

Deno.test("Feeder.feed() rejects records too large for the log or shifted out of range, and continues", async () => {
  const log = await createLog();
  const at = (line: number, time: number, more: object): SourceRecord => ({
    kind: "event",
    file: "a",
    line,
    event: { type: "forget", user: `u${line}`, time, ...more },
  });
  const source = [
    at(1, 4_102_444_799_999, {}),
    at(2, 1_700_000_000_000, { numbers: new Array(200_000).fill(1e20) }),
    at(3, 1_700_000_000_000, {}),
  ];
  await using feeder = await Feeder.open(log, topics, sourceOf(source), {
    shiftMs: () => Promise.resolve(1),
  });
  while (await feeder.feed());
  assert.deepEqual([feeder.events, feeder.rejected, feeder.firstRejection?.code], [
    1,
    2,
    "time-out-of-range",
  ]);
});
