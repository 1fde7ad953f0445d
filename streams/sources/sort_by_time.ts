/** Sorts records by time in bounded memory: database dumps are sorted by key. */

import { DatabaseSync } from "node:sqlite";
import { MIN_TIME_MS } from "../../src/events/limits.ts";
import { everyRow } from "../sqlite/every_row.ts";
import type { SourceRecord } from "./source.ts";

/** SQLite spills to its file beyond this amount of memory. */
const CACHE_KIB = 64 * 1024;

/** What is sorted: events, while items come first; or both together. */
export type Sorted = "events" | "all";

/**
 * Yields rejections immediately, and items, too, if only events are sorted; then the other records by time, in input
 * order where times are equal. Records with {@linkcode MIN_TIME_MS}, by which adapters mark a missing time, come first
 * and get the earliest time of all.
 */
export async function* sortByTime(
  source: AsyncIterable<SourceRecord>,
  sorted: Sorted = "all",
): AsyncGenerator<SourceRecord> {
  // SQLite's own temporary file (an empty path) needs all permissions, which Meander's processes do not have.
  const file = await Deno.makeTempFile({ prefix: "meander-sort-" });
  try {
    yield* sortIn(file, source, sorted);
  } finally {
    await Deno.remove(file);
  }
}

async function* sortIn(
  file: string,
  source: AsyncIterable<SourceRecord>,
  sorted: Sorted,
): AsyncGenerator<SourceRecord> {
  using database = new DatabaseSync(file);
  database.exec(`PRAGMA cache_size = -${CACHE_KIB}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF`);
  database.exec("CREATE TABLE records (time INTEGER, place INTEGER, record TEXT)");
  const insert = database.prepare("INSERT INTO records VALUES (?, ?, ?)");
  database.exec("BEGIN");
  let place = 0;
  for await (const record of source) {
    if (record.kind === "rejected" || (record.kind === "item" && sorted === "events")) yield record;
    else insert.run(timeOf(record), place++, JSON.stringify(record));
  }
  const { first } =
    database.prepare("SELECT min(time) AS first FROM records WHERE time > ?").get(MIN_TIME_MS) ??
      {};
  const statement = database.prepare("SELECT record FROM records ORDER BY time, place");
  for (const { record } of everyRow({ statement, count: place })) {
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
