/**
 * The table of one partition in a SQLite file: appends go to its right edge.
 *
 * ```text
 * records_<topic id>_<partition>   offset → key, value, time, headers (with checksum, see row_sum.ts)
 *   compact: unique index on key, for deleting the predecessor of a record; partial index on tombstones
 * ```
 * The next offset is the larger of the trimmed start and the last record's offset + 1. Trimming and compaction preserve
 * it, since they remove the last record only when it is superseded or trimmed; erasing does not, so `ends` stores it
 * then. A `delete` partition has a row for each offset between its start and its end, so a missing row is damage. An
 * erased record leaves a row whose time is -1. A key with U+0000 is stored as bytes: SQLite ends a text there.
 */

import { Buffer } from "node:buffer";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ReadLimits } from "../local_log.ts";
import {
  type Cleanup,
  LogError,
  type LogRecord,
  type NewRecord,
  type ReadResult,
  type TopicSpec,
} from "../log.ts";
import { decodeRest, placeSeed, rowSum } from "./row_sum.ts";
import { RowWriter, storedKey } from "./row_writer.ts";
import { Tail } from "./tail.ts";

/** Records that a read fetches at once, before it counts their bytes. */
const CHUNK = 128;
/** Time of a row in place of an erased record; no record has it. */
const HOLE = -1;
/** Verification of a partition stops after this many problems. */
const MAX_PROBLEMS = 20;

export interface RecordTableOptions {
  readonly name: string;
  readonly topic: TopicSpec;
  readonly partition: number;
  /** Number of the newest tombstones that stay. */
  readonly tombstones: number;
  /** Where the log is, for errors. */
  readonly path: string;
}

/** The records of one partition, with prepared statements. */
export class RecordTable {
  /** Start of a `delete` partition. */
  trimmed: number;
  /** The next offset. */
  end: number;
  readonly topic: string;
  readonly partition: number;
  readonly #cleanup: Cleanup;
  readonly #maxTombstones: number;
  readonly #path: string;
  readonly #seed: number;
  /** Empty outside a transaction. */
  readonly #rows: RowWriter;
  readonly #select: StatementSync;
  readonly #first: StatementSync;
  readonly #deleteBelow: StatementSync;
  readonly #eraseAt: StatementSync;
  readonly #forget: StatementSync | undefined;
  readonly #latest: StatementSync | undefined;
  /** The newest records; `undefined` in a compact partition, because it has holes. */
  readonly #tail: Tail | undefined;
  /** Records of the open transaction, for the tail. */
  #fresh: NewRecord[] = [];
  /** Tombstones written since old ones were last deleted; `Infinity` = unknown. */
  #tombstones = Infinity;

  /** Opens the table of a partition. */
  constructor(
    db: DatabaseSync,
    { name, topic, partition, tombstones, path }: RecordTableOptions,
  ) {
    this.topic = topic.name;
    this.partition = partition;
    this.#cleanup = topic.cleanup;
    this.#maxTombstones = tombstones;
    this.#path = path;
    this.#seed = placeSeed(topic.name, partition);
    this.#rows = new RowWriter(db, name, topic.cleanup === "compact", this.#seed);
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
    this.#eraseAt = topic.cleanup === "compact"
      ? db.prepare(`DELETE FROM ${name} WHERE "offset" = ?`)
      : db.prepare(
        `UPDATE ${name} SET key = NULL, value = NULL, time = ${HOLE}, headers = ? WHERE "offset" = ?`,
      );
    ({ start: this.trimmed, end: this.end } = boundsOf(db, name, topic.name, partition));
  }

  /** Whether a record replaces the previous record with its key. */
  get isCompact(): boolean {
    return this.#cleanup === "compact";
  }

  /** Smallest offset that can still be read. */
  get start(): number {
    return this.#cleanup === "delete" ? this.trimmed : Number(this.#first.get()?.["first"] ?? this.end);
  }

  /** Adds a record to the open transaction; {@linkcode RecordTable.flush} must follow. */
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

  /** To be called after the transaction was committed. */
  committed(): void {
    this.#tail?.push(this.#fresh, this.end - this.#fresh.length);
    this.#fresh = [];
  }

  /** Undoes the appends of a transaction that was rolled back. @param end the next offset before it */
  rewind(end: number): void {
    this.end = end;
    this.#rows.clear();
    this.#fresh = [];
    this.#tombstones = Infinity;
  }

  /** Deletes the records below an offset. @returns How many there were */
  deleteBelow(offset: number): number {
    this.#tail?.clear(); // it may name users for whom the records are dropped
    return Number(this.#deleteBelow.run(offset).changes);
  }

  /** Erases records, in the open transaction. */
  erase(offsets: readonly number[]): void {
    this.#tail?.clear();
    for (const offset of offsets) {
      if (this.isCompact) this.#eraseAt.run(offset);
      else this.#eraseAt.run(rowSum(this.#seed, { offset, key: null, value: null, time: HOLE }, ""), offset);
    }
  }

  /** Reads from an offset on; see `Log.read`. */
  read(from: number, limits: ReadLimits): ReadResult {
    const { maxRecords, maxBytes } = limits;
    const newest = from < this.trimmed ? undefined : this.#tail?.read(from, limits);
    if (newest !== undefined) return newest;
    const records: LogRecord[] = [];
    let next = this.isCompact ? from : Math.max(from, this.trimmed);
    let bytes = 0;
    while (records.length < maxRecords) {
      const limit = Math.min(CHUNK, maxRecords - records.length);
      const rows = this.#select.all(next, limit) as unknown as readonly Row[]; // its columns are a row's
      for (const row of rows) {
        if (row.offset < next) throw this.#damaged(row.offset, `it comes after offset ${next - 1}`);
        if (row.offset > next && !this.isCompact) throw this.#missing(next, row.offset);
        const record = this.#record(row);
        next = row.offset + 1;
        if (record.time === HOLE) continue;
        records.push(record);
        bytes += row.value?.length ?? 0;
        if (bytes >= maxBytes) return { records, next };
      }
      if (rows.length < limit) {
        if (next < this.end && !this.isCompact) throw this.#missing(next, this.end);
        return { records, next: this.end };
      }
    }
    return { records, next };
  }

  /** Verifies every row. @returns The number of records read, and the first problems */
  verify(): { readonly records: number; readonly problems: readonly LogError[] } {
    const problems: LogError[] = [];
    let records = 0;
    let next = this.isCompact ? 0 : this.trimmed;
    while (problems.length < MAX_PROBLEMS) {
      const rows = this.#select.all(next, CHUNK) as unknown as readonly Row[]; // its columns are a row's
      for (const row of rows) {
        if (row.offset < next) {
          problems.push(this.#damaged(row.offset, `it comes after offset ${next - 1}`));
          return { records, problems };
        }
        if (row.offset > next && !this.isCompact) problems.push(this.#missing(next, row.offset));
        next = row.offset + 1;
        if (row.time !== HOLE) records++;
        try {
          this.#record(row);
        } catch (error) {
          if (!(error instanceof LogError)) throw error;
          problems.push(error);
        }
      }
      if (rows.length === CHUNK) continue;
      if (next < this.end && !this.isCompact) problems.push(this.#missing(next, this.end));
      break;
    }
    return { records, problems };
  }

  latest(key: string): LogRecord | null {
    const row = this.#latest?.get(storedKey(key));
    if (row === undefined) return null;
    const record = this.#record(row as unknown as Row); // its columns are selected
    if (record.key !== key) throw this.#damaged(record.offset, "the index of keys is wrong");
    return record;
  }

  /** @throws LogError `corrupt` when the checksum does not match */
  #record({ offset, key: stored, value, time, headers }: Row): LogRecord {
    if (
      !isBytes(value) || !(isBytes(stored) || typeof stored === "string") ||
      typeof headers === "object" && headers !== null
    ) {
      throw this.#damaged(offset, "its columns have the wrong types");
    }
    const key = typeof stored === "string" || stored === null ? stored : Buffer.from(stored).toString();
    const { sum, json } = decodeRest(headers);
    if (sum !== rowSum(this.#seed, { offset, key, value, time }, json)) {
      throw this.#damaged(offset, "its checksum does not match");
    }
    const { topic, partition } = this;
    return { topic, partition, offset, key, value, time, headers: json === "" ? {} : JSON.parse(json) };
  }

  #missing(from: number, to: number): LogError {
    const last = to - 1;
    return this.#damaged(from, last === from ? "it is missing" : `all up to ${last} are missing`);
  }

  #damaged(offset: number, what: string): LogError {
    return new LogError(
      "corrupt",
      `Cannot read offset ${offset} of ${this.topic}/${this.partition} from the log ${this.#path}: ${what}; ` +
        "the file is damaged: restore it from a copy; `check --verify` lists all damage",
    );
  }
}

function isBytes(value: unknown): value is Uint8Array | null {
  return value === null || value instanceof Uint8Array;
}

/** The start and the end of the partition that a table stores. */
export function boundsOf(
  db: DatabaseSync,
  name: string,
  topic: string,
  partition: number,
): { readonly start: number; readonly end: number } {
  const trim = db.prepare("SELECT start FROM trims WHERE topic = ? AND partition = ?").get(topic, partition);
  const start = Number(trim?.["start"] ?? 0);
  const last = db.prepare(`SELECT max("offset") AS last FROM ${name}`).get()?.["last"] ?? -1;
  const kept = db.prepare("SELECT end FROM ends WHERE topic = ? AND partition = ?").get(topic, partition);
  return { start, end: Math.max(start, Number(last) + 1, Number(kept?.["end"] ?? 0)) };
}

interface Row {
  readonly offset: number;
  readonly key: string | Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly time: number;
  readonly headers: string | number | null;
}

/** The statements that create the table of a partition. */
export function recordTableSchema(name: string, cleanup: Cleanup): string {
  const table =
    `CREATE TABLE ${name} ("offset" INTEGER PRIMARY KEY, key ANY, value BLOB, time INTEGER NOT NULL, headers ANY) STRICT;`;
  if (cleanup === "delete") return table;
  return `${table}
    CREATE UNIQUE INDEX ${name}_key ON ${name} (key);
    CREATE INDEX ${name}_tombstones ON ${name} ("offset") WHERE value IS NULL;`;
}
