/**
 * Processor time and memory of a rebuild: the events of the shop, or any number of generated ones, are put on a log,
 * and a generation is built from them.
 *
 *     deno run -A tests/bench/rebuild.ts                                     # the shop, with its lists
 *     deno run -A tests/bench/rebuild.ts --no-lists                          # its behaviours alone
 *     deno run -A tests/bench/rebuild.ts --events 5000000 --memory 256MB --path /tmp/log
 *
 * Prints events per second of processor time of this process, and now and then its resident memory (Linux only).
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { byteSize } from "../../scripts/flags/command_line.ts";
import { rebuildOptions } from "../../scripts/rebuild/choice.ts";
import { encodeEvent, encodeItem } from "../../src/events/codec.ts";
import type { Event } from "../../src/events/event.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import { parseConfig } from "../../streams/config/config.ts";
import { Rebuild } from "../../streams/generations/build/rebuild.ts";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { openSource } from "../../streams/sources/open.ts";
import { generationTopics, topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const { values } = parseArgs({
  options: {
    "events": { type: "string" },
    "users": { type: "string", default: "50000" },
    "items": { type: "string", default: "20000" },
    "no-lists": { type: "boolean", default: false },
    "model": { type: "string", default: "base" },
    "memory": { type: "string" },
    "path": { type: "string" },
    "until": { type: "string", default: "Infinity" },
    "fill": { type: "boolean", default: false },
  },
});
const topics = topicNames();
const lists = !values["no-lists"];
/** Records written per append. */
const PORTION = 5000;
/** Checks the memory. */
const LOOKS = 20;
const LOOK_EVENTS = 100_000;
const LIST = 8;
const CATEGORIES = 12;
const encoder = new TextEncoder();

await using log: Log = values.path === undefined ? new MemoryLog() : await SqliteLog.open(values.path);
await log.createTopics(topicSpecs(topics, 1));
if ((await log.bounds(topics.events, 0)).end === 0) await fill();
if (values.fill) {
  await log[Symbol.asyncDispose]();
  Deno.exit(0);
}
const end = Math.min((await log.bounds(topics.events, 0)).end, Number(values.until));
const config = parseConfig(await Deno.readTextFile("fixtures/shop/meander.json"), "meander.json");
const memory = values.memory === undefined ? undefined : byteSize(values.memory);
const flags = { model: values.model as ModelName, seed: 0, memory };
const options = { ...rebuildOptions(config, flags, generationTopics(topics, 2)), until: [end] };
await using rebuild = await Rebuild.open(log, options);
const first = rebuild.progress.done;
const begun = process.cpuUsage();
let due = 0, before = { done: first, spent: 0 };
for (let isOpen = true; isOpen;) {
  isOpen = await rebuild.step();
  const { done } = rebuild.progress;
  if (isOpen && done < due) continue;
  due = done + Math.min(end / LOOKS, LOOK_EVENTS);
  const { user, system } = process.cpuUsage(begun);
  const spent = user + system;
  const rate = (now: number, then: number, micros: number) => ((now - then) / micros * 1e6).toFixed(0);
  const { rss, heapUsed, external } = process.memoryUsage();
  const megabytes = [rss, heapUsed, external].map((bytes) => (bytes / 2 ** 20).toFixed(0));
  print(
    `${done} of ${end} events, ${rate(done, first, spent)} a second of processor, ${
      rate(done, before.done, spent - before.spent)
    } since the last line; ${megabytes.join(", ")} MB resident, heap, outside it`,
  );
  before = { done, spent };
}

/** Writes the events in bulk. */
async function fill(): Promise<void> {
  const most = Number(values.events ?? Infinity);
  let waiting: NewRecord[] = [];
  let written = 0;
  for await (const record of values.events === undefined ? shop() : people()) {
    if (record.topic === topics.events && ++written > most) break;
    if (waiting.push(record) < PORTION) continue;
    await log.append(waiting);
    waiting = [];
  }
  await log.append(waiting);
}

async function* shop(): AsyncGenerator<NewRecord> {
  for await (const record of openSource("meander", "fixtures/shop")) {
    if (record.kind === "item") {
      const { item } = record;
      yield { topic: topics.items, partition: 0, key: item.item, value: encodeItem(item), time: item.time };
    } else if (record.kind === "event") {
      const event = lists ? record.event : behaviour(record.event);
      if (event === null) continue;
      yield {
        topic: topics.events,
        partition: 0,
        key: event.user,
        value: encodeEvent(event),
        time: event.time,
      };
    }
  }
}

/** An interaction without the list that it came from; `null` = it is not an interaction. */
function behaviour(event: Event): Event | null {
  if (event.type !== "interaction") return null;
  const { request: _, ...rest } = event;
  return rest;
}

/** People who return, some often and most seldom, to a few categories each; endless. */
function* people(): Generator<NewRecord> {
  const [users, items] = [Number(values.users), Number(values.items)];
  const random = mulberry32(1);
  const below = (n: number) => Math.floor(random() * n);
  const start = Date.UTC(2025, 0, 1);
  for (let i = 0; i < items; i++) {
    const item = {
      item: `i${i}`,
      time: start,
      categories: [`c${i % CATEGORIES}`],
      attributes: { band: `${i % 3}` },
    };
    yield { topic: topics.items, partition: 0, key: item.item, value: encodeItem(item), time: start };
  }
  for (let view = 0;; view++) {
    const time = start + view * 2000;
    const place = Math.floor(users ** random());
    const [user, request] = [`u${place}`, `r${view}`];
    const record = (event: Record<string, unknown>): NewRecord => {
      const value = encoder.encode(JSON.stringify({ user, ...event }));
      return { topic: topics.events, partition: 0, key: user, value, time };
    };
    const shown = Array.from({ length: LIST }, (_, k) => {
      return `i${(place + k % 2) % CATEGORIES + CATEGORIES * Math.floor((items / CATEGORIES) ** random())}`;
    });
    if (lists) {
      yield record({ type: "impression", id: `s${view}`, request, time, items: [...new Set(shown)] });
    }
    const act = { type: "interaction", action: "click", ...(lists && { request }) };
    for (let taken = below(3); taken > 0; taken--) {
      yield record({ ...act, id: `a${view}-${taken}`, item: shown[below(3)], time: time + 1000 * taken });
    }
  }
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}
