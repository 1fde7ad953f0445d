/**
 * What an event costs that arrives over HTTP in batches, by part: µs of CPU time of this process per event, the least
 * of the rounds. The parts are called one after another, as by the server and its task, without HTTP itself.
 *
 *     deno run -A tests/bench/ingest.ts [model, dien] [rounds, 40]
 *
 * @module
 */

import process from "node:process";
import { decodeEvent } from "../../src/events/codec.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import type { ModelName } from "../../src/nn/models/registry.ts";
import type { Log } from "../../streams/log/log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { takeEvents } from "../../streams/http/intake.ts";
import { atOnce } from "../../src/values/portions.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { Task } from "../../streams/task/task.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";
import { serve } from "./serving.ts";

const [model = "dien", rounds = "40"] = Deno.args;
const EVENTS = 1000;
const USERS = 5000;
const ITEMS = 300;
const START = Date.UTC(2026, 0, 1);
const topics = topicNames();
const encoder = new TextEncoder();

const folder = await Deno.makeTempDir({ prefix: "meander-ingest-" });
{
  await using log = meteredLog(await SqliteLog.open(`${folder}/log.sqlite`), new Metrics(topics));
  await log.createTopics(topicSpecs(topics, 1));
  const serving = serve(model as ModelName, ITEMS, START);
  const limits = { now: () => performance.now(), commitIntervalMs: 1e9, commitEvents: 1e9 };
  await using task = await Task.open({
    log,
    topics,
    partition: 0,
    options: { schema: DEFAULT_SCHEMA },
    serving,
  });
  const least = new Map<string, number>();
  /** Runs a part and notes its time. */
  const part = async <T>(name: string, act: () => T | Promise<T>): Promise<T> => {
    const begun = micros();
    const result = await act();
    least.set(name, Math.min(least.get(name) ?? Infinity, (micros() - begun) / EVENTS));
    return result;
  };
  let turn = 0;
  for (let round = 0; round < Number(rounds); round++) {
    const lines = Array.from({ length: EVENTS }, () =>
      JSON.stringify({
        type: "interaction",
        time: START + 10 * turn,
        user: `w${turn++ % USERS}`,
        item: `i${turn % ITEMS}`,
        action: "view",
      }));
    const body = encoder.encode(lines.join("\n"));
    const { end } = await log.bounds(topics.events, 0);
    const now = START + 10 * turn;
    const { records } = await part(
      "lines checked and made records",
      () => atOnce(takeEvents(body, "lines", { topics, now, maxEntries: 10_000 })),
    );
    await part("appended to the log", () => log.append(records));
    const read = await part("read back", () => readAll(log, end));
    await part("decoded again", () => read.map((value) => decodeEvent(value)));
    await part("read, decoded and applied by the task", async () => {
      while (task.next < end + EVENTS) await task.step(limits);
    });
    await part("committed", () => task.commit());
  }
  for (const [name, micros] of least) print(`${name.padEnd(40)} ${micros.toFixed(2)} µs\n`);
}
await Deno.remove(folder, { recursive: true });

async function readAll(log: Log, from: number): Promise<readonly Uint8Array[]> {
  const values: Uint8Array[] = [];
  for (let next = from; values.length < EVENTS;) {
    const read = await log.read(topics.events, 0, next, { maxRecords: 256 });
    for (const { value } of read.records) values.push(value ?? new Uint8Array(0));
    next = read.next;
  }
  return values;
}

function micros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function print(text: string): void {
  Deno.stdout.writeSync(encoder.encode(text));
}
