import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { type Log, LogError, type NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import { BEFORE_EVENT } from "../../streams/task/catalogue_reader.ts";

const topics = topicNames();
const OPTIONS = { schema: SCHEMA, impressions: "logged", outcomeWindowMs: 300_000 } as const;
const LIMITS = { rows: 20, events: 30 };
const events = syntheticRecords({ views: 60, users: 8, seed: 2 }).flatMap((record) =>
  record.kind === "event" ? [record.event] : []
);

const eventRecord = (event: Event): NewRecord => ({
  topic: topics.events,
  partition: 0,
  key: event.user,
  value: encodeEvent(event),
  time: event.time,
});

const itemRecord = (item: string, time: number, category: string, headers = {}): NewRecord => ({
  topic: topics.items,
  partition: 0,
  key: item,
  value: encodeItem({ item, time, category }),
  time,
  headers,
});

async function createLog(records: readonly NewRecord[]): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(records);
  return log;
}

const open = (log: Log, maxStateBytes?: number) =>
  Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new ServingModel(makeModel("dien"), SCHEMA, WIDTH),
    ...(maxStateBytes === undefined ? {} : { maxStateBytes }),
  });

/** Everything that a reader of the outputs can see, in order, and the records of all users. */
async function outputsOf(log: Log, task: Task): Promise<object> {
  const outputs: object[] = [];
  for (const topic of [topics.recommendations, topics.samples, topics.rejected]) {
    for await (const { key, value } of readAll(log, topic, 0)) outputs.push({ topic, key, value });
  }
  return { outputs, users: await Array.fromAsync(task.users.records()), next: task.next };
}

async function runToEnd(log: Log, maxStateBytes?: number): Promise<object> {
  await using task = await open(log, maxStateBytes);
  while ((await task.round(LIMITS)).complete);
  await task.flush();
  return await outputsOf(log, task);
}

Deno.test("Task.round() ends with the row or event that fills it, in whatever portions events arrive", async () => {
  const whole = await createLog(events.map(eventRecord));
  const ends: number[] = [];
  await using task = await open(whole);
  while ((await task.round(LIMITS)).complete) ends.push(task.committed);
  assert.ok(ends.length > 8);
  const sizes = ends.map((end, i) => end - (ends[i - 1] ?? 0));
  assert.ok(sizes.includes(LIMITS.events) && Math.min(...sizes) < LIMITS.events, `${sizes}`);

  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 5, maxLength: 12 }),
      async (parts) => {
        const log = await createLog([]);
        await using task = await open(log);
        const seen: number[] = [];
        let at = 0;
        for (const part of [...parts, events.length]) {
          const some = events.slice(at, at += part);
          await log.append(some.map(eventRecord));
          while ((await task.round(LIMITS)).complete) seen.push(task.committed);
        }
        assert.deepEqual(seen, ends);
      },
    ),
    { numRuns: 10 },
  );
});

Deno.test("Task.round() commits nothing of an incomplete round", async () => {
  const log = await createLog(events.slice(0, 10).map(eventRecord));
  await using task = await open(log);
  assert.deepEqual(await task.round(LIMITS), { events: 10, complete: false });
  assert.deepEqual([task.next, task.committed], [10, 0]);
  for (const topic of [topics.recommendations, topics.samples, topics.state, topics.statistics]) {
    assert.equal((await log.bounds(topic, 0)).end, 0, topic);
  }
});

Deno.test("Task.open() resumes after a crash at any operation: outputs once and unchanged, the same states", async () => {
  const records = events.slice(0, 150).map(eventRecord);
  const whole = new CrashingLog(await createLog(records));
  const want = await runToEnd(whole);
  for (const at of whole.moments) {
    const log = await createLog(records);
    await assert.rejects(runToEnd(new CrashingLog(log, at)), Crash);
    assert.deepEqual(await runToEnd(log), want, `after a crash at operation ${at}`);
  }
});

Deno.test("Task with hardly any memory holds only users with open impressions, and gives the same outputs", async () => {
  // So many users that most stay away for longer than the outcome window.
  const records = syntheticRecords({ views: 150, users: 40, seed: 2 }).flatMap((record) =>
    record.kind === "event" ? [eventRecord(record.event)] : []
  );
  const want = await runToEnd(await createLog(records));
  const log = await createLog(records);
  await using task = await open(log, 1);
  while ((await task.round(LIMITS)).complete) {
    const idle = [...task.state.users.values()].filter(({ pending }) => pending.size === 0).length;
    assert.ok(idle === 0, "only users with an open impression stay");
  }
  await task.flush();
  assert.ok(task.state.memory.restored > 0);
  assert.deepEqual(await outputsOf(log, task), want);
});

Deno.test("Task.open() fences the task that had the partition before", async () => {
  const log = await createLog(events.map(eventRecord));
  await using zombie = await open(log);
  await zombie.round(LIMITS);
  await using owner = await open(log);
  assert.equal(owner.next, zombie.committed);
  await assert.rejects(zombie.round(LIMITS), (error: unknown) => {
    return error instanceof LogError && error.code === "fenced";
  });
  while ((await owner.round(LIMITS)).complete);
  await owner.flush();
  assert.deepEqual(await outputsOf(log, owner), await runToEnd(await createLog(events.map(eventRecord))));
});

Deno.test("Task.round() rejects records that are no events, and goes on", async () => {
  const [first, second] = events;
  assert.ok(first && second);
  const bad = (value: Uint8Array | null): NewRecord => ({ ...eventRecord(first), key: "k", value });
  const log = await createLog([
    eventRecord(first),
    bad(null),
    bad(new Uint8Array(0)),
    bad(new TextEncoder().encode('{"type":"interaction"')),
    bad(Uint8Array.of(0xff)),
    eventRecord(second),
  ]);
  await using task = await open(log);
  await task.round(LIMITS);
  await task.commit();
  assert.equal(task.state.counters.events, 2);
  assert.equal(task.state.counters.rejected, 4);
  const rejected = await Array.fromAsync(readAll(log, topics.rejected, 0));
  const places = rejected.map(({ value }) => {
    const { topic, partition, offset } = JSON.parse(new TextDecoder().decode(value ?? new Uint8Array(0)));
    return `${topic}/${partition}@${offset}`;
  });
  assert.deepEqual(places, [1, 2, 3, 4].map((offset) => `${topics.events}/0@${offset}`));
});

Deno.test("Task.round() applies a catalogue record before the event that it names, and no earlier", async () => {
  const time = 1_700_000_000_000;
  const show = (n: number): Event => ({
    type: "impression",
    user: "u",
    time: time + n * 400_000,
    request: `r${n}`,
    items: ["a"],
  });
  const log = await createLog([
    itemRecord("a", time, "one", { [BEFORE_EVENT]: "1" }),
    ...[0, 1, 2, 3].map((n) => eventRecord(show(n))),
  ]);
  await log.append([itemRecord("b", time, "two", { [BEFORE_EVENT]: "3" })]);
  await using task = await open(log);
  await task.round({ rows: 100, events: 3 });
  assert.equal(task.state.catalogue.get("b"), undefined, "its event was not read yet");
  await task.round({ rows: 100, events: 1 });
  assert.deepEqual(task.state.catalogue.get("b")?.categories, ["two"]);
  await task.flush();
  const samples = await Array.fromAsync(readAll(log, topics.samples, 0));
  assert.deepEqual(
    samples.map(({ value }) => decodeSample(value ?? new Uint8Array(0)).rows.items[0]?.categories),
    [[], ["one"], ["one"], ["one"]],
  );
});

Deno.test("Task.round() leaves out what the catalogue removed, and rejects a record that is no item", async () => {
  const time = 1_700_000_000_000;
  const request: Event = {
    type: "request",
    user: "u",
    time,
    request: "r",
    count: 5,
    candidates: ["a", "b"],
  };
  const log = await createLog([
    itemRecord("a", time, "one"),
    itemRecord("b", time, "one"),
    { ...itemRecord("a", time + 1, "one"), value: null },
    { ...itemRecord("c", time, "one"), value: new TextEncoder().encode("{}") },
    eventRecord(request),
  ]);
  await using task = await open(log);
  await task.round(LIMITS);
  await task.commit();
  const [answer] = await Array.fromAsync(readAll(log, topics.recommendations, 0));
  const { items } = JSON.parse(new TextDecoder().decode(answer?.value ?? new Uint8Array(0)));
  assert.deepEqual(items.map(({ item }: { item: string }) => item), ["b"]);
  assert.equal(task.state.counters.rejected, 1);
});

Deno.test("Task.commit() erases a forgotten user from the state and tells the learner", async () => {
  const [event] = events;
  assert.ok(event);
  const user = "leaver";
  const log = await createLog([
    eventRecord({ type: "profile", user, time: event.time, attributes: { age: "30" } }),
    eventRecord({ type: "forget", user, time: event.time + 1 }),
    eventRecord({ type: "profile", user: "stayer", time: event.time + 2, attributes: {} }),
  ]);
  await using task = await open(log);
  await task.round({ rows: 100, events: 1 });
  await task.round({ rows: 100, events: 2 });
  assert.deepEqual((await Array.fromAsync(task.users.records())).map(([id]) => id), ["stayer"]);
  const told = await Array.fromAsync(readAll(log, topics.samples, 0));
  assert.deepEqual(told.map(({ key, value }) => [key, value]), [[user, null]]);
  await using restored = await open(log);
  assert.deepEqual((await Array.fromAsync(restored.users.records())).map(([id]) => id), ["stayer"]);
});

Deno.test("Task.commit() keeps the order of a user's samples and erasures, wherever commits fall", async () => {
  const [time, user] = [Date.UTC(2024, 0, 1), "leaver"];
  // A rating of everything that was shown settles the list at once.
  const life = (n: number) => [
    eventRecord({ type: "impression", id: `s${n}`, user, time: time + n, items: ["a"] }),
    eventRecord({
      type: "interaction",
      user,
      time: time + n + 1,
      item: "a",
      action: "rating",
      value: 5,
      request: `s${n}`,
    }),
  ];
  const input = [...life(0), eventRecord({ type: "forget", user, time: time + 10 }), ...life(20)];
  const orders = await Promise.all([1, input.length].map(async (size) => {
    const log = await createLog(input);
    await using task = await open(log);
    for (let at = 0; at < input.length; at += size) await task.round({ rows: 100, events: size });
    const told = await Array.fromAsync(readAll(log, topics.samples, 0));
    return told.map(({ value }) => value === null ? "erased" : "sample");
  }));
  assert.deepEqual(orders, [["sample", "erased", "sample"], ["sample", "erased", "sample"]]);
});

Deno.test("Task.open() reports a state that it cannot read as corrupt", async () => {
  const log = await createLog(events.slice(0, 60).map(eventRecord));
  await runToEnd(log);
  const value = Uint8Array.of(1, 2, 3);
  await log.append([{ topic: topics.statistics, partition: 0, key: "item:i1", value, time: 0 }]);
  await assert.rejects(open(log), { name: "LogError", code: "corrupt" });
});
