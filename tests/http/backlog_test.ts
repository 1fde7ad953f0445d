import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { Backlog } from "../../streams/http/backlog.ts";
import { startHttp } from "../../streams/server/http.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { Problem } from "../../streams/http/contract/problem.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const topics = topicNames();

/** A log without events. */
async function emptyLog(partitions: number): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopics(topicSpecs(topics, partitions));
  return log;
}

/** Appends so many events to each partition. */
async function append(log: MemoryLog, ...counts: readonly number[]): Promise<void> {
  for (const [partition, count] of counts.entries()) {
    const event = { topic: topics.events, partition, key: "ann", value: null, time: 0 };
    await log.append(Array.from({ length: count }, () => event));
  }
}

async function applied(log: MemoryLog, partition: number, offset: number): Promise<void> {
  await using writer = await log.writer(`w${partition}`);
  const offsets = [{ topic: topics.events, partition, offset }];
  await writer.commit({ records: [], group: `${topics.events}-tasks`, offsets });
}

Deno.test("Backlog.room() is there as long as all partitions together have no more events to apply", async () => {
  await using log = await emptyLog(2);
  let time = 0;
  const clock = () => time += 1000; // each look is a new one
  const options = { waitMs: 0, clock };
  const rooms = new Map([10, 9, 4, 3, 0].map((maxBehind) => [
    maxBehind,
    new Backlog(() => ({ log, partitions: 2 }), topics, { maxBehind, ...options }),
  ]));
  const room = (maxBehind: number) => rooms.get(maxBehind)!.room();
  for (const backlog of rooms.values()) await backlog.room();
  await append(log, 6, 4);
  await room(10);
  await assert.rejects(
    room(9),
    (error) =>
      error instanceof Problem && error.code === "unavailable" &&
      /10 events wait .* more than 9/.test(error.message),
  );
  await applied(log, 0, 6);
  await room(4);
  await assert.rejects(room(3), Problem);
  await applied(log, 1, 4);
  await room(0);
});

Deno.test("Backlog.room() does not mind what was there before it", async () => {
  await using log = await emptyLog(1);
  await append(log, 100);
  let time = 0;
  const backlog = new Backlog(() => ({ log, partitions: 1 }), topics, {
    maxBehind: 2,
    waitMs: 0,
    clock: () => time += 1000,
  });
  await backlog.room();
  await append(log, 2);
  await backlog.room();
  await append(log, 1);
  await assert.rejects(backlog.room(), /3 events wait/);
  await applied(log, 0, 50);
  await assert.rejects(backlog.room(), /3 events wait/);
  await applied(log, 0, 101);
  await backlog.room();
});

Deno.test("Backlog.room() waits for who applies", async () => {
  await using log = await emptyLog(1);
  const backlog = new Backlog(() => ({ log, partitions: 1 }), topics, {
    maxBehind: 2,
    clock: () => performance.now(),
  });
  await backlog.room();
  await append(log, 5);
  await delay(150);
  let hasRoom = false;
  const waiting = backlog.room().then(() => hasRoom = true);
  await applied(log, 0, 2);
  await delay(150);
  assert.equal(hasRoom, false);
  await applied(log, 0, 3);
  await waiting;
});

Deno.test("Backlog.room() keeps no more waiting than it may, and nobody when the server stops", async () => {
  await using log = await emptyLog(1);
  let stopping = false;
  const backlog = new Backlog(() => ({ log, partitions: 1 }), topics, {
    ...{ maxBehind: 0, maxWaiting: 1, clock: () => performance.now() },
    isStopping: () => stopping,
  });
  await backlog.room();
  await append(log, 1);
  await delay(150);
  const waiting = backlog.room();
  waiting.catch(() => {});
  await delay(20);
  await assert.rejects(backlog.room(), Problem, "one waits already");
  stopping = true;
  await assert.rejects(waiting, Problem);
});

Deno.test("items do not wait for the events before them, over the API and over the doors", async () => {
  await using log = await emptyLog(1);
  await using server = await startHttp({
    ...{ hostname: "127.0.0.1", port: 0, log, metrics: new Metrics(topics) },
    settings: { maxBehind: 1, doors: ["gorse"] },
  });
  const view = { type: "interaction", user: "ann", item: "i1", action: "view", time: 1.7e12 };
  const bodies = {
    "/v1/events": Array(3).fill(view),
    "/v1/items": { item: "i1", time: 1.7e12 },
    "/api/item": { ItemId: "i2" },
  };
  for (const [path, body] of Object.entries(bodies)) {
    const { status } = await fetch(`${server.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.equal(status, 200, path); // who waits for room in vain gets a 503
    await delay(150); // so that the events are seen
  }
});
