import assert from "node:assert/strict";
import { ServingModel } from "../../src/serving/serving_model.ts";
import type { LogRecord, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { layered } from "../../streams/log/metered_log.ts";
import { Task } from "../../streams/task/task.ts";
import { ARRIVED_HEADERS } from "../../streams/topics/arrival.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { makeModel, SCHEMA, WIDTH } from "../learner/batches.ts";
import { answersOn, OPTIONS, recordsOf, requestsOf, shopEvents } from "../service/deployment.ts";

const topics = topicNames();
const events = shopEvents(90, 8);
const HOUR_MS = 3_600_000;

/** Answers and rejections when brokers stamp the middle third of `events` with a clock that is behind. */
async function answeredWith(headers: Readonly<Record<string, string>>, behindMs: number) {
  const isBehind = (offset: number) => Math.floor(3 * offset / events.length) === 1;
  const stamped = (record: LogRecord): LogRecord => {
    const time = isBehind(record.offset) ? record.time - behindMs : record.time;
    return { ...record, time, isLogTime: true };
  };
  await using below = new MemoryLog();
  const log = layered(below, {
    read: async (topic, ...more) => {
      const result = await below.read(topic, ...more);
      return topic === topics.events ? { ...result, records: result.records.map(stamped) } : result;
    },
  });
  await log.createTopics(topicSpecs(topics, 1));
  await log.append(recordsOf(events).map((record): NewRecord => ({ ...record, headers })));
  const serving = new ServingModel(makeModel("base"), SCHEMA, WIDTH);
  await using task = await Task.open({ log, topics, partition: 0, options: OPTIONS.task, serving });
  while ((await task.round({ rows: 50, events: 50 })).complete) await task.commit();
  await task.commit();
  const { rejected } = task.state.counters;
  return { answers: (await answersOn(log)).map(({ request }) => request), rejected };
}

Deno.test("Task accepts our servers' events, but not others', when brokers' clocks are hours behind, and neither when days", async () => {
  for (const hours of [2, 23, 26]) {
    const areBothClocksPlausible = hours < 24;
    const { answers, rejected } = await answeredWith(ARRIVED_HEADERS, hours * HOUR_MS);
    assert.equal(rejected === 0, areBothClocksPlausible, `${hours}: ${rejected}`);
    assert.equal(answers.length === requestsOf(events).length, areBothClocksPlausible);
  }
  const { answers, rejected } = await answeredWith({}, 2 * HOUR_MS);
  assert.ok(answers.length < requestsOf(events).length && rejected > 0);
});
