/**
 * How long it takes from behaviours on the log to lists in an order that they have taught: 100,000 behaviours of the
 * shop's people without any list, eight of each with names of their own, then a task on SQLite, then the first request.
 *
 * `deno run -A tests/bench/visible.ts [behaviours, 100000]`
 *
 * @module
 */

import process from "node:process";
import { encodeEvent } from "../../src/events/codec.ts";
import type { Event, InteractionEvent } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { PROFILES } from "../../streams/replay/profiles.ts";
import { openSource } from "../../streams/sources/open.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { machineLine } from "./machine.ts";

const COPIES = 8, HOUR_MS = 3_600_000, APPENDED = 5000;
const count = Number(Deno.args[0] ?? 100_000);
const topics = topicNames();

print(await machineLine());
const folder = await Deno.makeTempDir({ prefix: "meander-bench-" });
try {
  await using log = await SqliteLog.open(`${folder}/log.sqlite`);
  await log.createTopics(topicSpecs(topics, 1));
  const events = await behaviours();
  for (let n = 0; n < events.length; n += APPENDED) await append(log, events.slice(n, n + APPENDED));
  const begun = performance.now(), cpu = process.cpuUsage();
  const task = await Task.open({
    log,
    topics,
    partition: 0,
    options: PROFILES.meander,
    serving: new FakeServing(),
  });
  await using _ = task;
  const { ordering } = task.state.retrieval;
  const start = [...ordering.blend.weights];
  await finish(log, task);
  const { time, user } = events.at(-1)!;
  await append(log, [{ type: "request", user, time: time + 1000, request: "first", count: 20 }]);
  await finish(log, task);
  const seconds = (performance.now() - begun) / 1000;
  const { user: own, system } = process.cpuUsage(cpu);
  const { end } = await log.bounds(topics.recommendations, 0);
  const { value } = (await log.read(topics.recommendations, 0, end - 1)).records[0]!;
  const { items }: Recommendation = JSON.parse(new TextDecoder().decode(value!));
  const moved = start.filter((weight, f) => weight !== ordering.blend.weights[f]).length;
  print(
    `${events.length} behaviours: ${seconds.toFixed(0)} s, ${
      ((own + system) / 1e6).toFixed(0)
    } s of processor, until ` +
      `the first list, of ${items.length}; ${ordering.blend.steps} steps of the blend, ${moved} of ${start.length} weights moved`,
  );
} finally {
  await Deno.remove(folder, { recursive: true });
}

async function behaviours(): Promise<readonly Event[]> {
  const shop = new URL("../../fixtures/shop", import.meta.url).pathname;
  const once: InteractionEvent[] = [];
  for await (const record of openSource("meander", shop)) {
    if (record.kind === "event" && record.event.type === "interaction") once.push(record.event);
  }
  const all = Array.from(
    { length: COPIES },
    (_, copy) =>
      once.map(({ user, item, action, time }): InteractionEvent => ({
        ...{ type: "interaction", user: `${copy}-${user}`, item, action, time: time + copy * HOUR_MS },
      })),
  ).flat();
  return all.sort((a, b) => a.time - b.time).slice(0, count);
}

async function append(log: SqliteLog, events: readonly Event[]): Promise<void> {
  await log.append(events.map((event) => ({
    ...{ topic: topics.events, key: event.user, value: encodeEvent(event), time: event.time },
  })));
}

async function finish(log: SqliteLog, task: Task): Promise<void> {
  while (task.isDirty || task.next < (await log.bounds(topics.events, 0)).end) {
    if (await task.step({ now: Date.now }) === 0 && task.isDirty) await task.commit();
  }
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
