/**
 * Records in the order of time, in bounded memory: dumps of a database come in that of its keys.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { MIN_TIME_MS } from "../../src/events/limits.ts";
import type { SourceRecord } from "./source.ts";

/** SQLite writes what does not fit into so much memory to its file. */
const CACHE_KIB = 64 * 1024;

/**
 * Yields what is rejected at once, then the others by time, equal times as they came. What has
 * {@linkcode MIN_TIME_MS}, which is how an adapter says that it has no time, comes first, with the first time of all.
 */
export async function* sortByTime(source: AsyncIterable<SourceRecord>): AsyncGenerator<SourceRecord> {
  // SQLite's own temporary file (an empty path) needs all permissions, which our tasks have not.
  const file = await Deno.makeTempFile({ prefix: "meander-sort-" });
  try {
    yield* sortIn(file, source);
  } finally {
    await Deno.remove(file);
  }
}

async function* sortIn(file: string, source: AsyncIterable<SourceRecord>): AsyncGenerator<SourceRecord> {
  using database = new DatabaseSync(file);
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF`);
  database.exec("CREATE TABLE records (time INTEGER, place INTEGER, record TEXT)");
  const insert = database.prepare("INSERT INTO records VALUES (?, ?, ?)");
  database.exec("BEGIN");
  let place = 0;
  for await (const record of source) {
    if (record.kind === "rejected") yield record;
    else insert.run(timeOf(record), place++, JSON.stringify(record));
  }
  const { first } =
    database.prepare("SELECT min(time) AS first FROM records WHERE time > ?").get(MIN_TIME_MS) ??
      {};
  for (const { record } of database.prepare("SELECT record FROM records ORDER BY time, place").iterate()) {
    yield withTime(JSON.parse(String(record)), Number(first ?? MIN_TIME_MS));
  }
}

type Timed = Exclude<SourceRecord, { readonly kind: "rejected" }>;

function timeOf(record: Timed): number {
  return record.kind === "item" ? record.item.time : record.event.time;
}

function withTime(record: Timed, time: number): SourceRecord {
  if (timeOf(record) !== MIN_TIME_MS) return record;
  if (record.kind === "item") return { ...record, item: { ...record.item, time } };
  return { ...record, event: { ...record.event, time } };
}
