/**
 * What the durability of a SQLite log costs: appends of 1,000 records of 200 bytes, and of one, to a log of an older
 * checkout and of this one, in turns.
 *
 * `deno run -A --no-check tests/bench/sqlite_durability.ts [folder of the other checkout] [rounds]`
 *
 * Prints thousands of records per second of processor time and of wall-clock time, medians of the rounds, and their
 * ratio.
 *
 * @module
 */

import process from "node:process";
import type { Log, NewRecord } from "../../streams/log/log.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";

const [other, rounds = "9"] = Deno.args;
const folder = await Deno.makeTempDir();
const value = new Uint8Array(200).fill(120);
const TOPICS = [
  { name: "events", partitions: 4, cleanup: "delete" },
  { name: "state", partitions: 4, cleanup: "compact" },
] as const;
const batch = (topic: string, count: number): NewRecord[] =>
  Array.from({ length: count }, (_, i) => ({ topic, key: `user-${(i * 7919) % 5000}`, value, time: 1.7e12 }));

const logs = new Map<string, Log>();
if (other !== undefined) {
  const { SqliteLog: Before } = await import(`${await Deno.realPath(other)}/streams/log/sqlite_log.ts`);
  logs.set("before", await Before.open(`${folder}/before.db`));
}
logs.set("now", await SqliteLog.open(`${folder}/now.db`));
if (other === undefined) {
  logs.set("power", await SqliteLog.open(`${folder}/power.db`, { durability: "power" }));
}
for (const log of logs.values()) await log.createTopics(TOPICS);

/** What is measured: records per call, and calls per round. */
const WORK = [
  ["append 1,000 records", batch("events", 1000), 100],
  ["append 1,000 records, compact", batch("state", 1000), 30],
  ["append 10 records", batch("events", 10), 300],
  ["append 1 record", batch("events", 1), 300],
] as const;

for (const [name, records, calls] of WORK) {
  const cpu = new Map<string, number[]>();
  const wall = new Map<string, number[]>();
  for (let round = 0; round <= Number(rounds); round++) {
    for (const [which, log] of logs) {
      const [from, since] = [process.cpuUsage(), performance.now()];
      for (let i = 0; i < calls; i++) await log.append(records);
      const { user, system } = process.cpuUsage(from);
      const count = records.length * calls;
      if (round === 0) continue; // warms up
      cpu.set(which, [...cpu.get(which) ?? [], count / (user + system) * 1000]);
      wall.set(which, [...wall.get(which) ?? [], count / (performance.now() - since)]);
    }
  }
  const line = (rates: ReadonlyMap<string, number[]>) => {
    const medians = [...rates].map(([which, all]) =>
      [which, all.sort((a, b) => a - b)[all.length >> 1]!] as const
    );
    const [, first = NaN] = medians[0]!;
    return medians.map(([which, rate]) => `${which} ${rate.toFixed(1)} (${(rate / first).toFixed(2)})`).join(
      "  ",
    );
  };
  Deno.stdout.writeSync(
    new TextEncoder().encode(`${name.padEnd(32)} cpu: ${line(cpu)}   clock: ${line(wall)}\n`),
  );
}
for (const log of logs.values()) await log[Symbol.asyncDispose]();
await Deno.remove(folder, { recursive: true });
