/**
 * The table of one partition in a SQLite file: appends go to its right edge.
 *
 * ```text
 * records_<topic id>_<partition>   offset → key, value, time, headers (JSON or null)
 *   compact: unique index on key, by which the predecessor of a record is deleted; partial index on tombstones
 * ```
 * Neither trimming nor compaction ever removes what tells the next offset: it is the larger of the trimmed
 * start and the last record's offset + 1, and the last record goes only when a newer one comes or it is
 * trimmed; where records were erased, `ends` has it. A key with U+0000 is stored as bytes, because SQLite's texts are read up to it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ReadLimits } from "./local_log.ts";
import type { Cleanup, LogRecord, NewRecord, ReadResult, TopicSpec } from "./log.ts";
import { RowWriter, storedKey } from "./row_writer.ts";
import { Tail } from "./tail.ts";

/** Records fetched at once by a read, before it looks at how many bytes they are. */
const CHUNK = 128;

/** Which table a {@linkcode RecordTable} is. */
export interface RecordTableOptions {
  /** Name of the table. */
  readonly name: string;
  /** Whose records it holds. */
  readonly topic: TopicSpec;
  /** Whose records it holds. */
  readonly partition: number;
  /** How many of the newest tombstones stay. */
  readonly tombstones: number;
}

/** The records of one partition; a prepared statement for each thing done with them. */
export class RecordTable {
  /** Start of a `delete` partition. */
  trimmed: number;
  /** The next offset. */
  end: number;
  readonly #topic: string;
  readonly #partition: number;
  readonly #cleanup: Cleanup;
  readonly #maxTombstones: number;
  /** Holds no rows outside a transaction. */
  readonly #rows: RowWriter;
  readonly #select: StatementSync;
  readonly #first: StatementSync;
  readonly #deleteBelow: StatementSync;
  readonly #eraseAt: StatementSync;
  readonly #forget: StatementSync | undefined;
  readonly #latest: StatementSync | undefined;
  /** The newest records; a compact partition has holes, and keeps none. */
  readonly #tail: Tail | undefined;
  /** Records of the open transaction, for the tail. */
  #fresh: NewRecord[] = [];
  /** Tombstones written since old ones were last deleted; unknown at first. */
  #tombstones = Infinity;

  /** Opens the table of a partition. */
  constructor(db: DatabaseSync, { name, topic, partition, tombstones }: RecordTableOptions) {
    this.#topic = topic.name;
    this.#partition = partition;
    this.#cleanup = topic.cleanup;
    this.#maxTombstones = tombstones;
    this.#rows = new RowWriter(db, name, topic.cleanup === "compact");
    this.#select = db.prepare(
      `SELECT "offset", key, value, time, headers FROM ${name} WHERE "offset" >= ? ORDER BY "offset" LIMIT ?`,
    );
    this.#first = db.prepare(`SELECT min("offset") AS first FROM ${name}`);
    this.#deleteBelow = db.prepare(`DELETE FROM ${name} WHERE "offset" < ?`);
    this.#tail = topic.cleanup === "delete" ? new Tail(topic.name, partition) : undefined;
    if (topic.cleanup === "compact") {
      this.#latest = db.prepare(`SELECT "offset", key, value, time, headers FROM ${name} WHERE key = ?`);
      this.#forget = db.prepare(
        `DELETE FROM ${name} WHERE value IS NULL AND "offset" < (SELECT "offset" FROM ${name} WHERE value IS NULL ` +
          'ORDER BY "offset" DESC LIMIT 1 OFFSET ?)',
      );
    }
    const trim = db.prepare("SELECT start FROM trims WHERE topic = ? AND partition = ?").get(
      topic.name,
      partition,
    );
    this.trimmed = Number(trim?.["start"] ?? 0);
    this.#eraseAt = db.prepare(`DELETE FROM ${name} WHERE "offset" = ?`);
    const kept = db.prepare("SELECT end FROM ends WHERE topic = ? AND partition = ?").get(
      topic.name,
      partition,
    );
    const last = db.prepare(`SELECT max("offset") AS last FROM ${name}`).get()?.["last"] ?? -1;
    this.end = Math.max(this.trimmed, Number(last) + 1, Number(kept?.["end"] ?? 0));
  }

  /** Whether a record takes the place of the one before it with its key. */
  get isCompact(): boolean {
    return this.#cleanup === "compact";
  }

  /** Smallest offset that can still be read. */
  get start(): number {
    return this.#cleanup === "delete" ? this.trimmed : Number(this.#first.get()?.["first"] ?? this.end);
  }

  /** Takes a record into the open transaction; {@linkcode RecordTable.flush} must follow. */
  append(record: NewRecord): number {
    const offset = this.end++;
    if (this.#tail !== undefined) this.#fresh.push(record);
    this.#rows.add(offset, record);
    if (record.value === null) this.#tombstones++;
    return offset;
  }

  /** Completes the appends of a transaction. */
  flush(): void {
    this.#rows.flush();
    if (this.#tombstones > this.#maxTombstones / 8) {
      this.#forget?.run(this.#maxTombstones - 1);
      this.#tombstones = 0;
    }
  }

  /** Notes that the transaction was committed. */
  committed(): void {
    this.#tail?.push(this.#fresh, this.end - this.#fresh.length);
    this.#fresh = [];
  }

  /** Undoes the appends of a transaction that was rolled back. */
  rewind(end: number): void {
    this.end = end;
    this.#rows.clear();
    this.#fresh = [];
    this.#tombstones = Infinity;
  }

  /** Deletes the records below an offset. @returns How many. */
  deleteBelow(offset: number): number {
    return Number(this.#deleteBelow.run(offset).changes);
  }

  /** Takes records out, in the open transaction. */
  erase(offsets: readonly number[]): void {
    this.#tail?.clear();
    for (const offset of offsets) this.#eraseAt.run(offset);
  }

  /** Reads from an offset on; see `Log.read`. */
  read(from: number, limits: ReadLimits): ReadResult {
    const { maxRecords, maxBytes } = limits;
    const newest = from < this.trimmed ? undefined : this.#tail?.read(from, limits);
    if (newest !== undefined) return newest;
    const records: LogRecord[] = [];
    let next = from;
    let bytes = 0;
    while (records.length < maxRecords) {
      const limit = Math.min(CHUNK, maxRecords - records.length);
      const rows = this.#select.all(next, limit) as unknown as readonly Row[];
      for (const row of rows) {
        records.push(this.#record(row));
        next = row.offset + 1;
        bytes += row.value?.length ?? 0;
        if (bytes >= maxBytes) return { records, next };
      }
      if (rows.length < limit) return { records, next: this.end };
    }
    return { records, next };
  }

  /** The record of a key; see `Log.latest`. */
  latest(key: string): LogRecord | null {
    const row = this.#latest?.get(storedKey(key));
    return row === undefined ? null : this.#record(row as unknown as Row);
  }

  #record({ offset, key, value, time, headers }: Row): LogRecord {
    return {
      topic: this.#topic,
      partition: this.#partition,
      offset,
      key: typeof key === "string" || key === null ? key : Buffer.from(key).toString(),
      value,
      time,
      headers: headers === null ? {} : JSON.parse(headers),
    };
  }
}

/** A row of a record table. */
interface Row {
  readonly offset: number;
  readonly key: string | Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly time: number;
  readonly headers: string | null;
}

/** The statements that create the table of a partition. */
export function recordTableSchema(name: string, cleanup: Cleanup): string {
  const table =
    `CREATE TABLE ${name} ("offset" INTEGER PRIMARY KEY, key ANY, value BLOB, time INTEGER NOT NULL, headers TEXT) STRICT;`;
  if (cleanup === "delete") return table;
  return `${table}
    CREATE UNIQUE INDEX ${name}_key ON ${name} (key);
    CREATE INDEX ${name}_tombstones ON ${name} ("offset") WHERE value IS NULL;`;
}
