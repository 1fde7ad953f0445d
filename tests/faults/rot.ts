/**
 * How a failing disk damages a database. Most bits are never read, so most damage is done within a record.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { RealDatabase } from "./shims/node_sqlite.ts";
import type { Random } from "./world.ts";

const PAGE_BYTES = 4096;
/** Shares of damage that truncates the file, and that is anywhere. */
const CUT_OFF = 0.15;
const ANYWHERE = 0.15;
/** How many bytes of a record are searched for; larger ones are stored in several places. */
const SOUGHT_BYTES = 400;

/** Changes a bit of a database that is not open, or truncates it. */
export function rot(path: string, random: Random): void {
  const bytes = Deno.readFileSync(path);
  const how = random();
  if (how < CUT_OFF) {
    const pages = Math.floor(bytes.length / PAGE_BYTES * random());
    return Deno.truncateSync(path, pages * PAGE_BYTES);
  }
  const value = how < CUT_OFF + ANYWHERE ? undefined : someRecord(path, random);
  const begin = value === undefined ? -1 : Buffer.from(bytes.buffer).indexOf(value);
  const [from, length] = begin < 0 || value === undefined ? [0, bytes.length] : [begin, value.length];
  const at = from + Math.floor(length * random());
  bytes[at] = bytes[at]! ^ 1 << Math.floor(8 * random());
  Deno.writeFileSync(path, bytes);
}

/** The beginning of a record: first any topic with equal probability, then any of its records. */
function someRecord(path: string, random: Random): Uint8Array | undefined {
  const db = new RealDatabase(path);
  try {
    const filled = db.prepare("SELECT id, partitions FROM topics ORDER BY id").all().flatMap((topic) => {
      const tables = Array.from(
        { length: Number(topic["partitions"]) },
        (_, p) => `SELECT value FROM records_${topic["id"]}_${p} WHERE value IS NOT NULL`,
      );
      const values = db.prepare(tables.join(" UNION ALL ")).all().map(({ value }) => value as Uint8Array);
      return values.length === 0 ? [] : [values];
    });
    const values = filled[Math.floor(filled.length * random())] ?? [];
    return values[Math.floor(values.length * random())]?.subarray(0, SOUGHT_BYTES);
  } finally {
    db.close();
  }
}
