import assert from "node:assert/strict";
import { encodeEvent } from "../../src/events/codec.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { syntheticRecords } from "../sources/synthetic.ts";
import type { StepOptions } from "../../streams/task/options.ts";

const topics = topicNames();
const events = syntheticRecords({ views: 26, users: 6, seed: 2 }).flatMap((record) =>
  record.kind === "event" && record.event.type !== "impression" ? [record.event] : []
);

async function open() {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(events.map((event) => ({
    topic: topics.events,
    key: event.user,
    value: encodeEvent(event),
    time: event.time,
  })));
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  return {
    log,
    task: await Task.open({
      log,
      topics,
      partition: 0,
      options: { schema: SCHEMA, outcomeWindowMs: 300_000 },
      serving,
    }),
  };
}

async function runToEnd(options: Partial<StepOptions>) {
  const { log, task } = await open();
  await using _task = task;
  let time = 0;
  let steps = 0;
  for (let applied = -1; applied !== 0; steps++) applied = await task.step({ now: () => time++, ...options });
  await task.commit();
  return {
    steps,
    users: await Array.fromAsync(task.users.records()),
    answers: (await Array.fromAsync(readAll(log, topics.recommendations, 0))).map(({ value }) => value),
  };
}

Deno.test("Task.step() ends after its slice, and results do not depend on slices", async () => {
  const whole = await runToEnd({});
  for (const sliceMs of [1, 4, 25]) {
    const sliced = await runToEnd({ sliceMs, maxEvents: 64 });
    assert.ok(sliced.steps > whole.steps);
    assert.deepEqual([sliced.users, sliced.answers], [whole.users, whole.answers]);
  }
});

Deno.test("Task.step() commits sooner when an answer waits for the commit", async () => {
  const { log, task } = await open();
  await using _task = task;
  const requests = events.flatMap(({ type }, n) => type === "request" ? [n] : []);
  const first = requests.find((n) => n > 1) ?? 0;
  const before = requests.indexOf(first);
  let time = 0;
  const options = { now: () => time, commitIntervalMs: 1000, answerIntervalMs: 10 };
  await task.step({ ...options, maxEvents: 1 }); // after silence: at once
  assert.equal(task.isDirty, false);
  time = 20;
  await task.step({ ...options, maxEvents: first - 1 });
  assert.equal(task.isDirty, true, "nobody waits");
  await task.step({ ...options, maxEvents: 1 });
  assert.equal(task.isDirty, false);
  assert.equal((await log.read(topics.recommendations, 0, 0)).records.length, before + 1);
});

Deno.test("Task.waitedMs() is how long a request that was read has waited for its answer", async () => {
  const { task } = await open();
  await using _task = task;
  const first = events.findIndex(({ type }, n) => type === "request" && n > 1);
  let time = 0;
  const options = { now: () => time, commitIntervalMs: 1000, answerIntervalMs: 10 };
  const waited = async (maxEvents: number) => {
    await task.step({ ...options, maxEvents });
    return task.waitedMs(time);
  };
  assert.equal(task.waitedMs(time), -Infinity, "nothing was read");
  assert.equal(await waited(1), -Infinity, "it is committed");
  assert.equal(await waited(first - 1), -Infinity, "nobody asks");
  assert.equal(await waited(1), 0);
  time = 9;
  assert.equal(task.waitedMs(time), 9);
  time = 10;
  assert.equal(await waited(1), -Infinity, "it is answered");
});

Deno.test("Task.step() commits its position after passing offsets without a record", async () => {
  const { log, task } = await open();
  await using _task = task;
  await log.trim(topics.events, 0, events.length);
  let time = 0;
  for (const at of [0, 50, 100]) {
    time = at;
    assert.equal(await task.step({ now: () => time, commitIntervalMs: 100 }), 0);
  }
  assert.equal(task.committed, events.length);
  assert.equal(await log.committed(`${topics.events}-tasks`, topics.events, 0), events.length);
});
