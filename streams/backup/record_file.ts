/**
 * Records in a file of a backup, with their offsets: a SQLite database with one table. The manifest contains the
 * checksum of the whole file.
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import { everyRow } from "../sqlite/every_row.ts";
import { isRecord } from "../../src/values/record.ts";
import type { LogRecord, Place, ReadOptions, ReadResult } from "../log/log.ts";

// Keys are blobs because node:sqlite cuts texts off at their first NUL.
const TABLE =
  "CREATE TABLE records (offset INTEGER, time INTEGER, key BLOB, headers TEXT, value BLOB) STRICT";
/** Limits of a read. */
const [MAX_RECORDS, MAX_BYTES] = [1000, 4 << 20];
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

interface Row {
  readonly offset: number;
  readonly time: number;
  readonly key: Uint8Array | null;
  readonly headers: string | null;
  readonly value: Uint8Array | null;
}

/** A new file that records are appended to. */
export class RecordFile implements Disposable {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;

  /** Creates the file. */
  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    // A backup that was not finished is not used, so nothing has to outlast a crash. A mebibyte is kept in memory.
    this.#db.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -1024");
    this.#db.exec(`${TABLE}; BEGIN`);
    this.#insert = this.#db.prepare("INSERT INTO records VALUES (?, ?, ?, ?, ?)");
  }

  append(records: readonly LogRecord[]): void {
    for (const { offset, time, key, headers, value } of records) {
      const hasHeaders = Object.keys(headers).length > 0;
      this.#insert.run(
        offset,
        time,
        key === null ? null : encoder.encode(key),
        hasHeaders ? JSON.stringify(headers) : null,
        value,
      );
    }
  }

  /** Writes the buffered records. */
  flush(): void {
    this.#db.exec("COMMIT; BEGIN");
  }

  /** Closes the file; unflushed records are lost. */
  [Symbol.dispose](): void {
    this.#db.close();
  }
}

/**
 * Opens a file to read. A stranger may have made it, with its checksum: it has to have this one table, since a view may
 * compute without end.
 */
function openToRead(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    db.exec("PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
    const objects = db.prepare("SELECT sql FROM sqlite_schema LIMIT 2").all();
    if (objects.length !== 1 || objects[0]?.["sql"] !== TABLE) throw new TypeError("it has other tables");
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Number of records: rows are numbered from 1. */
function countIn(db: DatabaseSync): number {
  return Number(db.prepare("SELECT max(rowid) AS count FROM records").get()?.["count"] ?? 0);
}

/** Reads the records of a file, whose checksum was verified. @throws SyntaxError when it is invalid */
export function* readRecords(path: string, place: Place): Generator<LogRecord> {
  try {
    using db = openToRead(path);
    const statement = db.prepare("SELECT * FROM records ORDER BY rowid");
    for (const row of everyRow({ statement, count: countIn(db) })) yield recordOf(row, place);
  } catch (cause) {
    throw damaged(path, cause);
  }
}

/** Reads a file at any offset. */
export class RecordFileReader implements Disposable {
  readonly #path: string;
  readonly #place: Place;
  readonly #db: DatabaseSync;
  readonly #offset: StatementSync;
  readonly #from: StatementSync;
  /** Number of records. */
  readonly #count: number;

  /** Opens the file. @throws SyntaxError when it is invalid */
  constructor(path: string, place: Place) {
    this.#path = path;
    this.#place = place;
    try {
      this.#db = openToRead(path);
      this.#offset = this.#db.prepare("SELECT offset FROM records WHERE rowid = ?");
      this.#from = this.#db.prepare("SELECT * FROM records WHERE rowid >= ? ORDER BY rowid LIMIT ?");
      this.#count = countIn(this.#db);
    } catch (cause) {
      throw damaged(path, cause);
    }
  }

  /** Reads the records from an offset on; the next position is after the last of them, `Infinity` without any. */
  read(from: number, { maxRecords = MAX_RECORDS, maxBytes = MAX_BYTES }: ReadOptions = {}): ReadResult {
    try {
      const records: LogRecord[] = [];
      let bytes = 0;
      const first = this.#rowOf(from);
      const count = Math.min(maxRecords, this.#count + 1 - first);
      for (const row of everyRow({ statement: this.#from, values: [first, maxRecords], count })) {
        const record = recordOf(row, this.#place);
        records.push(record);
        bytes += record.value?.length ?? 0;
        if (bytes >= maxBytes) break;
      }
      return { records, next: records.length === 0 ? Infinity : records.at(-1)!.offset + 1 };
    } catch (cause) {
      throw damaged(this.#path, cause);
    }
  }

  /** The first row with an offset or a higher one: offsets only grow. */
  #rowOf(offset: number): number {
    let [low, high] = [1, this.#count + 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Number(this.#offset.get(middle)?.["offset"]) < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}

function recordOf(row: object, { topic, partition }: Place): LogRecord {
  const { offset, time, key, headers, value } = row as Row; // the table is strict
  if (!Number.isSafeInteger(time) || !Number.isSafeInteger(offset) || offset < 0) {
    throw new RangeError("an offset or a time is out of range");
  }
  return {
    topic,
    partition,
    offset,
    time,
    key: key && decoder.decode(key),
    headers: headers === null ? NO_HEADERS : headersOf(JSON.parse(headers)),
    value,
  };
}

function headersOf(parsed: unknown): LogRecord["headers"] {
  if (!isRecord(parsed) || Object.values(parsed).some((value) => typeof value !== "string")) {
    throw new TypeError("its headers are no texts by name");
  }
  return parsed as LogRecord["headers"]; // checked above
}

function damaged(path: string, cause: unknown): SyntaxError {
  return new SyntaxError(`Cannot read ${path} as records of a backup: it is damaged, or of another format`, {
    cause,
  });
}
