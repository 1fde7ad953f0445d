/**
 * Writes rows of a record table, several per statement.
 *
 * In a compact table the predecessors of the rows are deleted, then the rows inserted, by statements that abort the
 * transaction when they fail. With `INSERT OR REPLACE`, or an `INSERT` of several rows that can be undone by itself,
 * SQLite copies each page before changing it, to a file beyond 16 pages: these take twice as long.
 */

import { Buffer } from "node:buffer";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";
import type { NewRecord } from "../log.ts";
import { encodeRest, rowSum } from "./row_sum.ts";

const COLUMNS = 5;
/** Rows per statement: a third faster than one row, and more rows gain nothing. */
const ROWS = 8;

/** Writes rows within a transaction, which must be rolled back when it throws. */
export class RowWriter {
  readonly #db: DatabaseSync;
  readonly #table: string;
  readonly #isCompact: boolean;
  readonly #seed: number;
  /** Statements, by their number of rows. */
  readonly #inserts: StatementSync[] = [];
  readonly #deletes: StatementSync[] = [];
  /** Values of pending rows and, in a compact table, their keys, which are distinct. */
  readonly #values: SQLInputValue[] = [];
  readonly #keys: string[] = [];

  /**
   * Writes to a table.
   *
   * @param isCompact whether a row replaces the one with its key
   * @param seed of the checksums of the partition
   */
  constructor(db: DatabaseSync, table: string, isCompact: boolean, seed: number) {
    this.#db = db;
    this.#table = table;
    this.#isCompact = isCompact;
    this.#seed = seed;
  }

  /** Adds a row; {@linkcode RowWriter.flush} must follow. */
  add(offset: number, { key, value, time, headers }: NewRecord): void {
    if (this.#isCompact && key !== null) {
      if (this.#keys.includes(key)) this.flush();
      this.#keys.push(key);
    }
    const json = headers === undefined ? "" : JSON.stringify(headers);
    this.#values.push(
      offset,
      key === null ? null : storedKey(key),
      value,
      time,
      encodeRest(rowSum(this.#seed, { offset, key, value, time }, json), json),
    );
    if (this.#values.length === ROWS * COLUMNS) this.flush();
  }

  /** Writes pending rows. */
  flush(): void {
    const rows = this.#values.length / COLUMNS;
    if (rows === 0) return;
    if (this.#isCompact) this.#delete(rows).run(...this.#keys.map(storedKey));
    this.#insert(rows).run(...this.#values);
    this.clear();
  }

  /** Drops pending rows. */
  clear(): void {
    this.#values.length = 0;
    this.#keys.length = 0;
  }

  #insert(rows: number): StatementSync {
    return this.#inserts[rows] ??= this.#db.prepare(
      `INSERT OR ROLLBACK INTO ${this.#table} VALUES ${list("(?, ?, ?, ?, ?)", rows)}`,
    );
  }

  #delete(rows: number): StatementSync {
    return this.#deletes[rows] ??= this.#db.prepare(
      `DELETE FROM ${this.#table} WHERE key IN (${list("?", rows)})`,
    );
  }
}

/** A key as stored: as bytes if it contains U+0000, at which SQLite ends a text. */
export function storedKey(key: string): string | Uint8Array {
  return key.includes("\0") ? Buffer.from(key) : key;
}

function list(what: string, times: number): string {
  return Array(times).fill(what).join(", ");
}
