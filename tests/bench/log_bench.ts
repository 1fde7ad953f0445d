/**
 * The logs compared with each other, and SQLite with the naive way to use it (one INSERT and one commit per record).
 * One iteration is 1,000 records of 200 bytes (so iter/s is thousands of records per second), or four commits. Deno
 * prints the ratios below each group.
 *
 * `deno bench -A tests/bench/log_bench.ts`
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { partitionOf } from "../../streams/log/partitioner.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";

const RECORDS = 1000;
const folder = await Deno.makeTempDir();
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

const logs = new Map<string, Log>([
  ["memory", new MemoryLog()],
  ["sqlite", await SqliteLog.open(`${folder}/process.db`)],
  ["sqlite, durability power", await SqliteLog.open(`${folder}/power.db`, { durability: "power" })],
]);
for (const log of logs.values()) {
  await log.createTopics([
    { name: "events", partitions: 4, cleanup: "delete" },
    { name: "full", partitions: 1, cleanup: "delete" },
    { name: "state", partitions: 4, cleanup: "compact" },
  ]);
}
const value = new Uint8Array(200).fill(120);
const batch = (topic: string, count: number, keys: number): NewRecord[] =>
  Array.from({ length: count }, (_, i) => ({ topic, key: `user-${(i * 7919) % keys}`, value, time: 1.7e12 }));
const events = batch("events", RECORDS, 5000);
const states = batch("state", RECORDS, 5000);

const naive = new DatabaseSync(`${folder}/naive.db`);
naive.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
naive.exec(
  "CREATE TABLE records (topic TEXT, partition INT, id INTEGER PRIMARY KEY, key TEXT, value BLOB, time INT)",
);

Deno.bench({
  name: "naive sqlite",
  group: "append",
  fn() {
    for (const { topic, key, value, time } of events) {
      naive.prepare("INSERT INTO records VALUES (?, ?, NULL, ?, ?, ?)").run(
        topic,
        partitionOf(key ?? "", 4),
        key,
        value,
        time,
      );
    }
  },
});
for (const [name, log] of logs) {
  Deno.bench({
    name,
    group: "append",
    baseline: name === "sqlite",
    async fn() {
      await log.append(events);
    },
  });
}

for (const [name, log] of logs) {
  Deno.bench({
    name,
    group: "append, compact topic",
    baseline: name === "sqlite",
    async fn() {
      await log.append(states);
    },
  });
}

for (const [name, log] of logs) {
  if (name.endsWith("power")) continue;
  for (let i = 0; i < 50; i++) await log.append(batch("full", RECORDS, 5000));
  let from = 0;
  Deno.bench({
    name,
    group: "read",
    baseline: name === "sqlite",
    async fn() {
      ({ next: from } = await log.read("full", 0, from % 50_000));
    },
  });
}

for (const [name, log] of logs) {
  const writers = await Promise.all([0, 1, 2, 3].map((p) => log.writer(`bench.${p}`)));
  const commit = (p: number) => ({
    records: Array.from(
      { length: 10 },
      () => ({ topic: "events", partition: p, key: "user", value, time: 1.7e12 }),
    ),
    group: "bench",
    offsets: [{ topic: "events", partition: p, offset: 1 }],
  });
  const commits = [0, 1, 2, 3].map(commit);
  Deno.bench({
    name: `${name}, one task`,
    group: "commit of 10 records and an offset",
    baseline: name === "sqlite",
    async fn() {
      for (const [p, writer] of writers.entries()) await writer.commit(commits[p] ?? commit(p));
    },
  });
  Deno.bench({
    name: `${name}, four tasks at a time`,
    group: "commit of 10 records and an offset",
    async fn() {
      await Promise.all(writers.map((writer, p) => writer.commit(commits[p] ?? commit(p))));
    },
  });
}

Deno.bench("partitionOf() of 1,000 keys", () => {
  for (const { key } of events) partitionOf(key ?? "", 64);
});
