/**
 * Records in a file of a backup, with their offsets: a SQLite database with one table. The manifest contains the
 * checksum of the whole file.
 *
 * @module
 */

import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { LogRecord } from "../log/log.ts";

// Keys are blobs because node:sqlite cuts texts off at their first NUL.
const TABLE =
  "CREATE TABLE records (offset INTEGER, time INTEGER, key BLOB, headers TEXT, value BLOB) STRICT";
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

/** Reads the records of a file, whose checksum was verified. @throws SyntaxError when it is invalid */
export function* readRecords(
  path: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): Generator<LogRecord> {
  try {
    using db = new DatabaseSync(path, { readOnly: true });
    for (const row of db.prepare("SELECT * FROM records ORDER BY rowid").iterate()) {
      const { key, headers, ...rest } = row as unknown as Row; // the table is strict
      yield {
        topic,
        partition,
        ...rest,
        key: key && decoder.decode(key),
        headers: headers === null ? NO_HEADERS : JSON.parse(headers),
      };
    }
  } catch (cause) {
    throw new SyntaxError(
      `Cannot read ${path} as records of a backup: it is damaged, or of another format`,
      { cause },
    );
  }
}
