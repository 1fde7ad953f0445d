/**
 * A process that fills the disk of a SQLite log, makes room, goes on and closes it; run by `full_disk_test.ts` on a disk
 * of its own. Prints its findings as JSON.
 *
 * Arguments: the folder.
 *
 * @module
 */

import { isTransient, type Log, LogError } from "../../streams/log/log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { warnings as warningsOf } from "./warnings.ts";

const [folder = ""] = Deno.args;
const path = `${folder}/log.sqlite`;
const topic = "out";
const acknowledged: string[] = [];
const refusals = { full: 0, others: [] as string[] };

/** Appends until there is no room, or that many records are there. @returns how many were acknowledged */
async function fill(log: Log, most: number): Promise<number> {
  for (let n = 0; n < most; n++) {
    const key = `${acknowledged.length}`;
    try {
      await log.append([{
        topic,
        partition: 0,
        key,
        value: crypto.getRandomValues(new Uint8Array(60_000)),
        time: 0,
      }]);
      acknowledged.push(key);
    } catch (error) {
      if (error instanceof LogError && error.code === "full" && isTransient(error)) refusals.full++;
      else refusals.others.push(String(error));
      return n;
    }
    if (n % 8 === 0) await new Promise((resolve) => setTimeout(resolve, 1)); // the thread reports
  }
  return most;
}

/** Takes all the room that is left but for so many bytes. */
function takeRoom(file: string, but: number): void {
  using filler = Deno.openSync(file, { create: true, write: true, truncate: true });
  const portion = new Uint8Array(4096);
  let size = 0;
  try {
    for (;;) size += filler.writeSync(portion);
  } catch {
    filler.truncateSync(Math.max(0, size - but));
  }
}

const warnings = await warningsOf(async () => {
  await using log = await SqliteLog.open(path, { syncMs: 5 });
  await log.createTopics([{ name: topic, partitions: 1, cleanup: "delete" }]);
  for (const room of [0, 5_000, 50_000, 24 << 20]) {
    await fill(log, 20);
    takeRoom(`${folder}/filler`, room);
    for (let again = 0; again < 20; again++) await fill(log, 1000);
    await Deno.remove(`${folder}/filler`);
  }
  await fill(log, 100);
  await log.trim(topic, 0, 100);
});
const wal = Array.from(Deno.readDirSync(folder), ({ name }) => name).includes("log.sqlite-wal");
await using again = await SqliteLog.open(path);
const found = await Array.fromAsync(readAll(again, topic, 0), ({ key }) => key);
const { problems } = again.verify();
await Deno.stdout.write(
  new TextEncoder().encode(JSON.stringify({ acknowledged, found, refusals, warnings, problems, wal })),
);
