/** Entries of a list are taken or rejected singly: none is lost or doubled, and a replay takes only rejected ones. */

import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import type { Rejection } from "../../src/events/rejection.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Feeder } from "../../streams/feeders/feeder.ts";
import { countRejected, readRejected } from "../../streams/feeders/rejected_records.ts";
import { replayRejected } from "../../streams/feeders/rejected_replay.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { compileSource, ownSource, type RecordSource } from "../../streams/mapping/record_source.ts";
import { openMapped } from "../../streams/sources/mapped.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";

const topics = topicNames();
const TIME = Date.UTC(2026, 10, 27, 10);
const now = () => TIME + 1000;
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** @param isMended whether the mapping understands the price `much` */
function orders(isMended: boolean) {
  const price = { path: "@.price", ...(isMended ? { values: { much: 99 } } : {}) };
  const fields = { user: "who", time: "at", item: "@.sku", action: { value: "purchase" }, value: price };
  return compileSource("orders", { rules: [{ name: "bought", as: "interaction", each: "lines", fields }] });
}

/** Twenty orders of five lines, one of which is always wrong and another until the mapping is mended. */
const ORDERS = Array.from({ length: 20 }, (_, n) => ({
  who: `u${n}`,
  at: TIME,
  lines: Array.from(
    { length: 5 },
    (_, i) => i === 4 ? {} : { sku: `${n}-${i}`, price: i === 1 ? "much" : 2 },
  ),
}));

async function onTopic(values: readonly unknown[]): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 2), { name: "orders", partitions: 1, cleanup: "delete" }]);
  const at = { topic: "orders", key: "k", headers: { page: "home" } };
  await log.append(values.map((value, n) => ({ ...at, value: encode(value), time: TIME + n })));
  return log;
}

async function feed(log: Log, format: RecordSource = orders(false)) {
  await using feeder = await TopicFeeder.open(log, topics, { log, topic: "orders", format }, {
    now,
    batch: 3,
  });
  while (await feeder.feed() > 0);
  return { events: feeder.events, items: feeder.items, rejected: feeder.rejected };
}

async function bought(log: Log): Promise<readonly string[]> {
  const all: string[] = [];
  for (const partition of [0, 1]) {
    for await (const { value } of readAll(log, topics.events, partition)) {
      all.push(JSON.parse(new TextDecoder().decode(value ?? undefined)).item);
    }
  }
  return all.toSorted();
}

async function rejections(log: Log): Promise<readonly Rejection[]> {
  const all: Rejection[] = [];
  for await (const { rejection } of readRejected(log, topics)) all.push(rejection);
  return all;
}

const counts = async (log: Log) =>
  (await countRejected(readRejected(log, topics))).map(({ code, count }) => [code, count]).toSorted();
/** The items of these lines of all 20 orders. */
const lines = (...of: number[]) => ORDERS.flatMap((_, n) => of.map((i) => `${n}-${i}`)).toSorted();

Deno.test("TopicFeeder takes valid entries of records, and rejects bad ones with their places and the bytes", async () => {
  await using log = await onTopic(ORDERS);
  assert.deepEqual(await feed(log), { events: 60, items: 0, rejected: 40 });
  assert.deepEqual(await bought(log), lines(0, 2, 3));
  assert.deepEqual(await counts(log), [["missing-field", 20], ["wrong-type", 20]]);
  const [first] = await rejections(log);
  assert.ok(first !== undefined && "topic" in first);
  assert.deepEqual([first.topic, first.offset, first.rule, first.entries], ["orders", 0, "bought", [
    "lines[1]",
  ]]);
  assert.deepEqual(JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(first.bytes))), ORDERS[0]);
});

Deno.test("replayRejected() takes only rejected entries, once, and keeps those that are still rejected", async () => {
  await using log = await onTopic(ORDERS);
  await feed(log);
  const replay = () => replayRejected(log, topics, orders(true), { now });
  assert.deepEqual(await replay(), { records: 40, taken: 20, rejected: 20, leftOut: 0, cut: 0 });
  assert.deepEqual(await bought(log), lines(0, 1, 2, 3));
  assert.deepEqual(await counts(log), [["missing-field", 20]]);
  assert.ok((await rejections(log)).every(({ entries }) => entries?.join() === "lines[4]"));
  assert.deepEqual(await replay(), { records: 20, taken: 0, rejected: 20, leftOut: 0, cut: 0 });
  assert.deepEqual(await bought(log), lines(0, 1, 2, 3));
});

Deno.test("replayRejected() takes only rejected entries even after a mapping has rejected the whole record", async () => {
  await using log = await onTopic(ORDERS);
  await feed(log);
  const wrong = compileSource("orders", { rules: [{ as: "forget", fields: { user: "nobody" } }] });
  assert.equal((await replayRejected(log, topics, wrong, { now })).rejected, 40);
  await replayRejected(log, topics, orders(true), { now });
  assert.deepEqual(await bought(log), lines(0, 1, 2, 3));
});

Deno.test("TopicFeeder and replayRejected() take each entry once after a crash at any operation of the log", async () => {
  for (const part of ["feed", "replay"]) {
    for (let at = 1;; at++) {
      await using log = await onTopic(ORDERS.slice(0, 8));
      if (part === "replay") await feed(log);
      const run = (on: Log) =>
        part === "feed" ? feed(on) : replayRejected(on, topics, orders(true), { now, batch: 3 });
      let isCrashed = false;
      try {
        await run(new CrashingLog(log, at));
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        isCrashed = true;
      }
      await run(log);
      const wanted = lines(0, ...(part === "feed" ? [] : [1]), 2, 3).filter((one) =>
        Number(one.split("-")[0]) < 8
      );
      assert.deepEqual(await bought(log), wanted, `${part} crashed at ${at}`);
      const left = part === "feed" ? [["missing-field", 8], ["wrong-type", 8]] : [["missing-field", 8]];
      assert.deepEqual(await counts(log), left, `${part} crashed at ${at}`);
      if (!isCrashed) break;
      assert.ok(at < 100);
    }
  }
});

Deno.test("a record with a thousand bad entries, or a list of 100,000 bad records, makes only three rejections", async () => {
  const many = Array.from(
    { length: 1000 },
    (_, i) => i === 0 ? { sku: "good" } : i % 2 === 0 ? {} : { sku: {} },
  );
  const list = Array.from({ length: 100_000 }, () => ({}));
  await using log = await onTopic([{ who: "ann", at: TIME, lines: many }, list]);
  assert.deepEqual(await feed(log), { events: 1, items: 0, rejected: 1000 });
  const all = await rejections(log);
  assert.equal(all.length, 3);
  const bytes = all.reduce((sum, one) => sum + JSON.stringify(one).length, 0);
  assert.ok(bytes < 250_000, `${bytes} bytes`);
});

Deno.test("lists on a topic, in our format or others', are taken value by value", async () => {
  const event = { type: "interaction", user: "u", item: "a", action: "view", time: TIME, id: "same" };
  const gorse = { FeedbackType: "read", UserId: "u", ItemId: "a", Timestamp: new Date(TIME).toISOString() };
  const all = [["meander", event, { ...event, user: 7 }], ["gorse", gorse, { ...gorse, UserId: 7 }]] as const;
  for (const [format, good, bad] of all) {
    await using log = await onTopic([[good, bad, good]]);
    assert.deepEqual(
      await feed(log, format === "meander" ? ownSource() : compileSource(format, { preset: format })),
      { events: 2, items: 0, rejected: 1 },
      format,
    );
    const [first] = await rejections(log);
    assert.deepEqual([first?.entries, first?.source], [["[1]"], format]);
    assert.match(first?.reason ?? "", /in record 1 of the list$/);
    await replayRejected(
      log,
      topics,
      format === "meander" ? ownSource() : compileSource(format, { preset: format }),
      { now },
    );
    assert.equal((await rejections(log)).length, 1, "still rejected");
    assert.equal((await log.bounds(topics.events, 0)).end + (await log.bounds(topics.events, 1)).end, 2);
  }
});

Deno.test("Feeder takes entries of a file in the same way, and resumes within a line after a crash", async () => {
  const file = await Deno.makeTempFile({ suffix: ".jsonl" });
  try {
    await Deno.writeTextFile(file, ORDERS.map((order) => JSON.stringify(order)).join("\n"));
    for (let at = 1;; at++) {
      await using log = await onTopic([]);
      const feedFile = async (on: Log) => {
        const options = { name: "file", batch: 4, now };
        await using feeder = await Feeder.open(on, topics, openMapped(file, orders(false)), options);
        while (await feeder.feed());
        return [feeder.events, feeder.rejected];
      };
      let isCrashed = false;
      try {
        await feedFile(new CrashingLog(log, at));
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        isCrashed = true;
      }
      assert.deepEqual(await feedFile(log), [60, 40]);
      assert.deepEqual(await bought(log), lines(0, 2, 3), `crashed at ${at}`);
      const replayed = await replayRejected(log, topics, orders(true), { now });
      assert.deepEqual(replayed, { records: 40, taken: 20, rejected: 20, leftOut: 0, cut: 0 });
      assert.deepEqual(await bought(log), lines(0, 1, 2, 3), `crashed at ${at}`);
      if (!isCrashed) break;
      at += 4;
      assert.ok(at < 200);
    }
  } finally {
    await Deno.remove(file);
  }
});

/** A task that has read all events of a partition. */
const SCHEMA = { ...DEFAULT_SCHEMA, itemFields: ["taste[2]"] };

async function taskOf(log: Log, partition: number, batch = 1000): Promise<Task> {
  const options = { schema: SCHEMA, outcomeWindowMs: 60_000, allowedLatenessMs: 300_000, seed: 3 };
  const task = await Task.open({ log, topics, partition, options, serving: new FakeServing() });
  while ((await task.round({ rows: 1e9, events: batch })).complete);
  await task.flush();
  return task;
}

const clickOf = (item: string, time: number): NewRecord => {
  const event: Event = { type: "interaction", id: `click-${item}`, user: "ann", item, action: "click", time };
  return { topic: topics.events, key: "ann", value: encodeEvent(event), time };
};

Deno.test("a task takes an event that it rejected as too late once it is replayed, and never twice", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const late = clickOf("early", TIME);
  await log.append([clickOf("later", TIME + 3_600_000), late]);
  const itemsOf = async () => {
    await using task = await taskOf(log, 0);
    const { sequences, users, catalogue } = task.state;
    return sequences.behaviours(users.get("ann")!.row).map(({ item }) => catalogue.at(item).id);
  };
  assert.deepEqual(await itemsOf(), ["later"]);
  assert.deepEqual(await counts(log), [["too-late", 1]]);
  const replay = () => replayRejected(log, topics, ownSource(), { from: topics.events, now });
  assert.deepEqual(await replay(), { records: 1, taken: 1, rejected: 0, leftOut: 0, cut: 0 });
  assert.deepEqual(await itemsOf(), ["early", "later"]);
  await log.append([late]);
  assert.deepEqual(await itemsOf(), ["early", "later"], "its id is a duplicate now");
  assert.deepEqual([(await replay()).records, await counts(log)], [0, []]);
});

Deno.test("countRejected() tells what tasks refuse after a replay from what they refuse for the first time", async () => {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  const shown = (request: string): NewRecord => {
    const event: Event = { type: "impression", user: "ann", time: TIME, request, items: ["tent"] };
    return { topic: topics.events, key: "ann", value: encodeEvent(event), time: TIME };
  };
  const counted = async () => {
    await using _task = await taskOf(log, 0);
    return (await countRejected(readRejected(log, topics))).map((
      { code, count, again },
    ) => [code, count, again]);
  };
  const item = { item: "tent", time: TIME, attributes: { taste: [1] } };
  await log.append([{ topic: topics.items, key: item.item, value: encode(item), time: TIME }]);
  assert.deepEqual(await counted(), [["wrong-type", 1, 0]]);
  const ofItems = { from: topics.items, now };
  assert.equal((await replayRejected(log, topics, ownSource(), ofItems)).taken, 1);
  assert.deepEqual(await counted(), [["wrong-type", 1, 1]]);
  const later = ["a", "b"].flatMap((who) =>
    Array.from({ length: 8 }, (_, n) => ({ ...clickOf(`${who}${n}`, TIME + 3_600_000), key: who }))
  );
  await log.append([...later, shown("r1")]);
  assert.deepEqual(await counted(), [["wrong-type", 1, 1], ["too-late", 1, 0]]);
  const options = { from: topics.events, now: () => TIME + 3_600_000 };
  assert.equal((await replayRejected(log, topics, ownSource(), options)).taken, 1);
  await log.append([shown("r2")]);
  assert.deepEqual(await counted(), [["too-late", 2, 1], ["wrong-type", 1, 1]]);
});

Deno.test("a task takes mended entries in order of time, however late they are and however it batches", async () => {
  await using log = await onTopic(ORDERS);
  await feed(log);
  // Meanwhile all users have acted again.
  const later = TIME + 5 * 3_600_000;
  await log.append(ORDERS.map(({ who }) => {
    const event: Event = { type: "interaction", user: who, item: "later", action: "click", time: later };
    return { topic: topics.events, key: who, value: encodeEvent(event), time: later };
  }));
  await replayRejected(log, topics, orders(true), { now: () => later });
  for (const batch of [1, 1000]) {
    const copy = new MemoryLog();
    await copy.createTopics(topicSpecs(topics, 2));
    for (const partition of [0, 1]) {
      for await (const record of readAll(log, topics.events, partition)) {
        await copy.append([{ ...record, topic: topics.events }]);
      }
    }
    for (const partition of [0, 1]) {
      await using task = await taskOf(copy, partition, batch);
      const { sequences, users, catalogue, counters } = task.state;
      assert.equal(counters.tooLate, 0);
      for (const [user, { row }] of users) {
        const own = sequences.behaviours(row).map(({ item }) => catalogue.at(item).id);
        const n = user.slice(1);
        assert.deepEqual(own.toSorted(), [`${n}-0`, `${n}-1`, `${n}-2`, `${n}-3`, "later"]);
        assert.equal(own.at(-1), "later");
      }
    }
  }
});

Deno.test("a rejected record that was cut is replayed from its topic, unless it is gone or replaced there", async () => {
  const large = [{ ...ORDERS[0], note: "x".repeat(100_000) }, { ...ORDERS[1], note: "y".repeat(100_000) }];
  const replay = (log: Log) => replayRejected(log, topics, orders(true), { now });
  await using log = await onTopic(large);
  await feed(log);
  assert.ok((await rejections(log)).every(({ cut }) => cut));
  await log.trim("orders", 0, 1); // the first record is lost
  assert.deepEqual(await replay(log), { records: 4, taken: 1, rejected: 1, leftOut: 0, cut: 2 });
  assert.deepEqual(await bought(log), ["0-0", "0-2", "0-3", "1-0", "1-1", "1-2", "1-3"]);
  assert.deepEqual((await replay(log)).taken, 0);
  await using other = await onTopic(large.toReversed());
  await other.append(
    await Promise.all(
      (await Array.fromAsync(readAll(log, topics.rejected, 0))).map(({ offset: _, ...record }) => record),
    ),
  );
  assert.deepEqual((await replay(other)).taken, 0);
});
