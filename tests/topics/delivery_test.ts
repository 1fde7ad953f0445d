/** Both delivery modes of answers: what a reader sees before a commit, after a crash, and without repeats. */

import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { Log, LogRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { RepeatFilter } from "../../streams/topics/repeats.ts";
import { Task } from "../../streams/task/task.ts";
import { DELIVERIES, type Delivery, INPUT } from "../../streams/topics/delivery.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { Crash, CrashingLog } from "../replay/crashing_log.ts";
import { syntheticRecords } from "../sources/synthetic.ts";

const topics = topicNames();
const OPTIONS = { schema: SCHEMA, outcomeWindowMs: 300_000 } as const;
const events = syntheticRecords({ views: 26, users: 6, seed: 2 }).flatMap((record) =>
  record.kind === "event" && record.event.type !== "impression" ? [record.event] : []
);

async function createLog(): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(events.map((event) => ({
    topic: topics.events,
    key: event.user,
    value: encodeEvent(event),
    time: event.time,
  })));
  return log;
}

const open = (log: Log, delivery: Delivery) =>
  Task.open({
    log,
    topics,
    partition: 0,
    options: OPTIONS,
    serving: new ServingModel(makeModel("base"), SCHEMA, WIDTH),
    delivery,
  });

/** Processes everything in steps of a few events, with a commit after every third step. */
async function runToEnd(log: Log, delivery: Delivery): Promise<void> {
  await using task = await open(log, delivery);
  let time = 0;
  const options = { now: () => time, maxEvents: 5, commitIntervalMs: 100 };
  while (await task.step(options) > 0) time += 40;
  await task.commit();
}

const readOf = (log: Log, topic: string) => Array.fromAsync(readAll(log, topic, 0));
const contentOf = ({ key, value, headers }: LogRecord) => ({ key, value, headers });

/** What a reader sees who drops repeats, and the states. */
async function resultOf(log: Log): Promise<object> {
  const filter = new RepeatFilter();
  const outputs = [topics.recommendations, topics.samples, topics.rejected].map(async (topic) =>
    (await readOf(log, topic)).filter((record) => filter.isNew(record)).map(contentOf)
  );
  await using task = await open(log, "exactly-once");
  return {
    outputs: await Promise.all(outputs),
    users: await Array.fromAsync(task.users.records()),
    next: task.next,
  };
}

const want = await (async () => {
  const log = await createLog();
  await runToEnd(log, "exactly-once");
  return await resultOf(log);
})();

for (const delivery of DELIVERIES) {
  Deno.test(`Task with ${delivery} delivery gives the same outputs, each with the number of its input`, async () => {
    const log = await createLog();
    await runToEnd(log, delivery);
    assert.deepEqual(await resultOf(log), want);
    for (const topic of [topics.recommendations, topics.samples]) {
      const numbers = (await readOf(log, topic)).map(({ headers }) => headers[INPUT] ?? "");
      assert.ok(numbers.length > 10 && numbers.every((number) => /^0\/\d+\/\d+$/.test(number)), `${numbers}`);
      assert.equal(new Set(numbers).size, numbers.length);
    }
  });

  Deno.test(`Task with ${delivery} delivery duplicates no sample and no state after a crash at any operation`, async () => {
    const whole = new CrashingLog(await createLog());
    await runToEnd(whole, delivery);
    let repeats = 0;
    for (const at of whole.moments) {
      const log = await createLog();
      await assert.rejects(runToEnd(new CrashingLog(log, at), delivery), Crash);
      await runToEnd(log, delivery);
      assert.deepEqual(await resultOf(log), want, `after a crash at operation ${at}`);
      const numbers = (await readOf(log, topics.samples)).map(({ headers }) => headers[INPUT]);
      assert.equal(new Set(numbers).size, numbers.length, `after a crash at operation ${at}`);
      const answers = (await readOf(log, topics.recommendations)).map(({ headers }) => headers[INPUT]);
      repeats += answers.length - new Set(answers).size;
    }
    if (delivery === "exactly-once") assert.equal(repeats, 0);
    else assert.ok(repeats > 0, "a crash between answers and their commit repeats them");
  });
}

Deno.test("Task.step() sends answers at once with at-least-once delivery, otherwise with the commit", async () => {
  for (const delivery of DELIVERIES) {
    const log = await createLog();
    await using task = await open(log, delivery);
    const never = { now: () => 0, maxEvents: 20, commitIntervalMs: Infinity };
    await task.step(never);
    assert.equal(task.committed, 0);
    const sent = (await readOf(log, topics.recommendations)).length;
    if (delivery === "at-least-once") assert.ok(sent > 2, `${sent} answers are there`);
    else assert.equal(sent, 0);
    assert.deepEqual(await readOf(log, topics.state), []);
    await task.commit();
    assert.ok((await readOf(log, topics.recommendations)).length >= Math.max(sent, 3));
    assert.ok((await readOf(log, topics.state)).length > 0);
  }
});

Deno.test("RepeatFilter.isNew() remembers the numbers of a window, in any order, by topic and partition", () => {
  const filter = new RepeatFilter(100);
  const isNew = (topic: string, input: string) => filter.isNew({ topic, headers: { [INPUT]: input } });
  // An owner that does not yet know that it was replaced may be ahead of the new one.
  assert.deepEqual(["0/8/0", "0/14/0", "0/9/0", "0/14/0", "0/14/1"].map((n) => isNew("a", n)), [
    true,
    true,
    true,
    false,
    true,
  ]);
  assert.equal(isNew("a", "1/8/0"), true);
  assert.equal(isNew("b", "0/8/0"), true);
  assert.equal(filter.isNew({ topic: "a", headers: {} }), true);
  assert.equal(filter.isNew({ topic: "a", headers: {} }), true);
  assert.equal(isNew("a", "0/500/0"), true);
  assert.equal(isNew("a", "0/8/0"), true, "it has left the window");
});
