/**
 * Removes what erased records leave in a SQLite file: free pages, and the ends of pages in use.
 *
 * @module
 */

import type { Scrubbed } from "../log.ts";
import { recordTableSchema } from "./record_table.ts";
import type { SqliteFile } from "./sqlite_file.ts";
import type { WalMover } from "./wal/wal_mover.ts";

/** Row of `scrubs` while fragments of erased records are left. */
const FRAGMENTS = 2;
/** The records of a file of 64 MiB are moved in a second. */
const SMALL_PAGES = 16_384;
/** Free pages that are overwritten per call, and the bytes of a large value that fit a page. */
const SCRUB_PAGES = 1024;
const OVERFLOW_BYTES = 4092;
/**
 * Removes all that erased records left, one step per call. Dropped and superseded records leave free pages that are not
 * overwritten, and the ends of pages that larger records used: free pages are overwritten, and in a small file all records
 * are moved. Then the write-ahead log, which has the pages as they were, is emptied.
 */
export function scrub(file: SqliteFile, wal: Pick<WalMover, "wrote">): Scrubbed | "more" {
  const { db } = file;
  const state = Number(db.prepare("SELECT max(id) AS id FROM scrubs").get()?.["id"] ?? 0);
  if (state === 0) return "clean";
  if (state === FRAGMENTS) return "fragments";
  const pages = file.pragma("page_count");
  const isSmall = pages <= SMALL_PAGES;
  const free = file.pragma("freelist_count");
  if (free > 0) {
    const some = Math.max(1, Math.min(free - 1, SCRUB_PAGES));
    file.transaction(() => {
      db.exec("CREATE TABLE IF NOT EXISTS zeros (page BLOB)");
      db.prepare("INSERT INTO zeros VALUES (zeroblob(?))").run(some * OVERFLOW_BYTES);
    });
    wal.wrote(some * OVERFLOW_BYTES, 1);
    return "more";
  }
  file.transaction(() => db.exec("DROP TABLE IF EXISTS zeros"));
  if (isSmall) moveRecords(file);
  const checkpoint = db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get();
  if (checkpoint?.["busy"] !== 0) return "busy";
  file.transaction(() => db.exec(isSmall ? "DELETE FROM scrubs" : `UPDATE scrubs SET id = ${FRAGMENTS}`));
  return isSmall ? "clean" : "fragments";
}

/**
 * Moves all records to new pages and zeroes the old ones. `VACUUM` would do the same, but attaches a database, which Deno
 * allows only to a process with all permissions.
 */
function moveRecords(file: SqliteFile): void {
  const { db } = file;
  const names = db.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'records_*'",
  ).all();
  db.exec("PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY");
  try {
    for (const { name } of names) {
      file.transaction(() =>
        db.exec(`
          ${recordTableSchema("temp.moved", "delete")}
          INSERT INTO temp.moved SELECT * FROM main.${name};
          DELETE FROM main.${name};
          INSERT INTO main.${name} SELECT * FROM temp.moved;
          DROP TABLE temp.moved`)
      );
    }
  } finally {
    db.exec("PRAGMA secure_delete = FAST");
  }
}
