/** Removes what erased records leave in a SQLite file: free pages, and the ends of pages in use. */

import type { Scrubbed } from "../log.ts";
import { recordTableSchema } from "./record_table.ts";
import type { SqliteFile } from "./sqlite_file.ts";
import type { WalMover } from "./wal/wal_mover.ts";

/** The id in `scrubs` while fragments of erased records are left. */
const FRAGMENTS = 2;
/** Largest file whose records are moved, 64 MiB: it takes a second. */
const SMALL_PAGES = 16_384;
/** Free pages that are overwritten per call, and the bytes of a large value that fit in a page. */
const SCRUB_PAGES = 1024;
const OVERFLOW_BYTES = 4092;
/**
 * Removes what erased records left, one step per call: all of it in a small file, else all but fragments. Dropped and superseded records leave content in free pages
 * and in unused parts of other pages: free pages are overwritten, and in a small file all records are moved. Then the
 * write-ahead log, which holds earlier versions of the pages, is emptied.
 */
export function scrub(file: SqliteFile, wal: Pick<WalMover, "wrote" | "isShort">): Scrubbed | "more" {
  const { db } = file;
  const state = Number(db.prepare("SELECT max(id) AS id FROM scrubs").get()?.["id"] ?? 0);
  if (state === 0) return "clean";
  if (state === FRAGMENTS) return "fragments";
  const pages = file.pragma("page_count");
  const isSmall = pages <= SMALL_PAGES;
  if (!isSmall && !wal.isShort()) return "more"; // its thread moves it
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
 * Moves all records to new pages and zeroes the old ones. `VACUUM` would do the same, but it attaches a database, which
 * Deno allows only with all permissions.
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
