/**
 * How long it takes from behaviours on the log to a list in a learnt order: 100,000 behaviours of the shop's people
 * without any list, eight of each under names of their own, are on a log when `deno task run` starts on it. Then each
 * list is for the user of the newest behaviour, followed by a hundred more behaviours, until the answer says that the
 * stack has ordered it, in which the pair head, taught by the learner, has a share.
 *
 * `deno run -A tests/bench/visible.ts [behaviours, 100000]`
 *
 * @module
 */

import { setTimeout as delay } from "node:timers/promises";
import { encodeEvent } from "../../src/events/codec.ts";
import type { InteractionEvent } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { openSource } from "../../streams/sources/open.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { startService } from "../service/task_command.ts";
import { endWith } from "./end_with.ts";
import { machineLine } from "./machine.ts";

const COPIES = 9, HOUR_MS = 3_600_000, APPENDED = 5000, FOLLOWING = 100;
const count = Number(Deno.args[0] ?? 100_000);
const port = 20_000 + Math.floor(Math.random() * 20_000);
const root = `http://127.0.0.1:${port}`;

print(await machineLine());
const folder = await Deno.makeTempDir({ prefix: "meander-bench-" });
try {
  const behaviours = await all();
  const [before, after] = [behaviours.slice(0, count), behaviours.slice(count)];
  await ingest(before);
  const begun = performance.now();
  const seconds = () => ((performance.now() - begun) / 1000).toFixed(0);
  await using service = endWith(
    await startService([
      "--log",
      "sqlite",
      "--log-path",
      `${folder}/log.sqlite`,
      "--members",
      `${folder}/members`,
      "--model",
      "base",
      "--http",
      `127.0.0.1:${port}`,
    ]),
  );
  while (await lag() > 0) await delay(200);
  print(`${before.length} behaviours applied after ${seconds()} s, ${await cpuSeconds()} s of processor`);
  for (let n = 0, { user } = before.at(-1)!;; n += FOLLOWING) {
    const { items, orderedBy, version }: Recommendation = await post("recommend", { user, count: 20 });
    if (n === 0 || orderedBy === "stack") {
      print(
        `a list of ${items.length}, ordered by ${orderedBy}, version ${version}, after ${seconds()} s and ` +
          `${n} more behaviours; ${await cpuSeconds()} s of processor`,
      );
    }
    const following = after.slice(n, n + FOLLOWING);
    if (orderedBy === "stack") break;
    if (following.length === 0) {
      throw new Error(`Cannot go on: no list of ${n} behaviours was in a learnt order`);
    }
    await post("events", following.map((event) => ({ ...event, time: Date.now() })));
    user = following.at(-1)!.user;
  }
  service.kill("SIGTERM");
  await service.status;
} finally {
  await Deno.remove(folder, { recursive: true });
}

/** In the order of time, up to now. */
async function all(): Promise<readonly InteractionEvent[]> {
  const shop = new URL("../../fixtures/shop", import.meta.url).pathname;
  const once: InteractionEvent[] = [];
  for await (const record of openSource("meander", shop)) {
    if (record.kind === "event" && record.event.type === "interaction") once.push(record.event);
  }
  const last = once.reduce((newest, { time }) => Math.max(newest, time), 0);
  const shift = Date.now() - last - COPIES * HOUR_MS;
  return Array.from(
    { length: COPIES },
    (_, copy) =>
      once.map(({ user, item, action, time }): InteractionEvent => ({
        type: "interaction",
        user: `${copy}-${user}`,
        item,
        action,
        time: time + shift + copy * HOUR_MS,
      })),
  ).flat().sort((a, b) => a.time - b.time);
}

async function ingest(events: readonly InteractionEvent[]): Promise<void> {
  await using log = await SqliteLog.open(`${folder}/log.sqlite`);
  const topics = topicNames();
  await log.createTopics(topicSpecs(topics, 1));
  for (let n = 0; n < events.length; n += APPENDED) {
    await log.append(
      events.slice(n, n + APPENDED).map((event) => ({
        topic: topics.events,
        key: event.user,
        value: encodeEvent(event),
        time: event.time,
      })),
    );
  }
}

/** Events not applied yet. */
async function lag(): Promise<number> {
  const status = await fetch(`${root}/v1/status`).then((response) => response.json(), () => ({}));
  return status.partitions?.[0]?.lag ?? Infinity;
}

async function cpuSeconds(): Promise<string> {
  const text = await fetch(`${root}/metrics`).then((response) => response.text());
  return Number(/^process_cpu_seconds_total (\S+)/m.exec(text)?.[1]).toFixed(0);
}

async function post(path: string, body: unknown) {
  const headers = { "content-type": "application/json" };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  let response = await fetch(`${root}/v1/${path}`, init);
  // Earlier events are not applied yet.
  while (response.status === 504) response = await fetch(`${root}/v1/${path}`, init);
  if (!response.ok) throw new Error(`Cannot post ${path}: ${response.status} ${await response.text()}`);
  return await response.json();
}

function print(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}
