import { decodeDelta, type EmbeddingDelta, type RawKeys } from "./delta.ts";
import { KeyIndex } from "./key_index.ts";
import { CHUNK_BITS, CHUNK_MASK, PADDING_ROW, ROWS_PER_CHUNK, UNKNOWN_ROW } from "./rows.ts";

/** A delta that is being applied; none of it is visible until it is committed. */
export interface StagedDelta {
  /** Whether committing may move or remove the rows of keys. */
  readonly moves: boolean;
  /** Calls `visit` for each row that {@linkcode StagedDelta.commit} has written and that has a key. */
  forEachRow(visit: (row: number) => void): void;
  /** Looks up the rows of up to `keys` more keys. @returns whether all are found */
  find(keys: number): boolean;
  /**
   * Brings the table to the state that the delta describes.
   *
   * @throws {Error} if rows are yet to be looked up, or the table has changed since the delta was staged
   */
  commit(): void;
}

interface Staging {
  readonly delta: EmbeddingDelta<RawKeys>;
  readonly bytes: Uint8Array;
  /** Commits of the table before it was staged. */
  readonly commits: number;
  /** Rows of the keys; 0 = new key. */
  readonly rows: Uint32Array;
  /** Number of keys looked up so far. */
  found: number;
  /** The replacement table of a full delta. */
  readonly full: ServingTable | null;
}

/**
 * The scorer's copy of an embedding table: keys and values without optimiser state, written by deltas only. Row numbers
 * are its own, not the learner's, and stay valid until the next delta.
 *
 * @example
 * ```ts
 * import { EmbeddingTable } from "@meander/meander/nn";
 * import { ServingTable } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * const trained = new EmbeddingTable({ name: "item", width: 2, seed: 1 });
 * const want = new Float32Array(2), got = new Float32Array(2);
 * trained.copyRow(trained.use("i17", 0), want, 0);
 *
 * const served = new ServingTable("item", 2);
 * served.applyDelta(trained.encodeDelta());
 * served.copyRow(served.lookup("i17"), got, 0);
 * assert.deepEqual(got, want);
 * assert.equal(served.lookup("i18"), 1); // the shared row of unknown ids
 * ```
 */
export class ServingTable {
  /** The field. */
  readonly name: string;
  /** Length of a row. */
  readonly width: number;
  #index = new KeyIndex(0);
  #chunks: Float32Array[];
  #commits = 0;

  /** Creates an empty table. */
  constructor(name: string, width: number) {
    this.name = name;
    this.width = width;
    this.#chunks = [new Float32Array(ROWS_PER_CHUNK * width)];
  }

  /** Number of keys. */
  get size(): number {
    return this.#index.size;
  }

  /** Bytes allocated. */
  get bytes(): number {
    return this.#index.bytes + this.#chunks.length * ROWS_PER_CHUNK * this.width * 4;
  }

  /** Calls `visit` for each row that has a key. O(all rows ever assigned). */
  forEachRow(visit: (row: number) => void): void {
    for (const row of this.#index.rows()) visit(row);
  }

  /** The key of a row that has one. */
  key(row: number): string {
    return this.#index.key(row);
  }

  /** The row of `key`; 1 if it has none. */
  lookup(key: string): number {
    return this.#index.find(key) || UNKNOWN_ROW;
  }

  /** Like {@linkcode ServingTable.lookup}, but bypasses the cache: for keys that will not recur soon. */
  lookupOnce(key: string): number {
    return this.#index.findOnce(key) || UNKNOWN_ROW;
  }

  /** Copies the values of a row [width] to `out` from `offset` on. */
  copyRow(row: number, out: Float32Array, offset: number): void {
    const values = this.#chunks[row >> CHUNK_BITS]!, width = this.width;
    const from = (row & CHUNK_MASK) * width;
    for (let i = 0; i < width; i++) out[offset + i] = values[from + i]!;
  }

  /** Adds `scale` times a row [width] to `out` from `offset` on. */
  addRow(row: number, scale: number, out: Float32Array, offset: number): void {
    const values = this.#chunks[row >> CHUNK_BITS]!, width = this.width;
    const from = (row & CHUNK_MASK) * width;
    for (let i = 0; i < width; i++) out[offset + i]! += scale * values[from + i]!;
  }

  /**
   * Applies a delta. The caller, which numbers the versions, must ensure that it follows the last one.
   *
   * @throws {SyntaxError} if the bytes are not a delta; the table is unchanged then
   * @throws {RangeError} if it is a delta of another table
   */
  applyDelta(bytes: Uint8Array): void {
    const staged = this.stage(bytes);
    staged.find(Infinity);
    staged.commit();
  }

  /**
   * Begins to apply a delta. Looking up its keys is most of the work and can be done in portions, between requests;
   * committing only copies numbers.
   *
   * @throws {SyntaxError} if the bytes are not a delta
   * @throws {RangeError} if it is a delta of another table
   *
   * @internal
   */
  stage(bytes: Uint8Array): StagedDelta {
    const delta = decodeDelta(bytes);
    if (delta.name !== this.name || delta.width !== this.width) {
      throw new RangeError(
        `Cannot apply a delta of ${delta.name} (width ${delta.width}) to table ${this.name} (width ${this.width})`,
      );
    }
    const staging = {
      delta,
      bytes,
      commits: this.#commits,
      found: 0,
      rows: new Uint32Array(delta.keys.length),
      full: delta.full ? new ServingTable(this.name, this.width) : null,
    };
    return {
      moves: delta.full || delta.removed.length > 0,
      forEachRow: (visit) => {
        for (const row of staging.rows) visit(row);
      },
      find: (keys) => this.#find(staging, keys),
      commit: () => this.#commit(staging),
    };
  }

  #find(staging: Staging, count: number): boolean {
    const { delta: { keys, values }, bytes, rows, full } = staging;
    const end = Math.min(keys.length, staging.found + count);
    for (let n = staging.found; n < end; n++) {
      const [from, to] = [keys.places[2 * n]!, keys.places[2 * n + 1]!];
      if (full === null) rows[n] = this.#index.findBytes(bytes, from, to);
      else {
        rows[n] = full.#index.findOrInsertBytes(bytes, from, to);
        full.#write(rows[n]!, values, (n + 1) * this.width);
      }
    }
    staging.found = end;
    return end === keys.length;
  }

  #commit({ delta, bytes, commits, rows, found, full }: Staging): void {
    const { removed, keys, values } = delta;
    if (found < keys.length || commits !== this.#commits) {
      throw new Error(
        `Cannot commit a delta of ${this.name}: ${found} of ${keys.length} rows are found, ` +
          `${this.#commits - commits} others were applied since`,
      );
    }
    this.#commits++;
    if (full !== null) [this.#index, this.#chunks] = [full.#index, full.#chunks];
    const gone = new Set([PADDING_ROW]);
    for (let n = 0; n < removed.length; n++) {
      const row = this.#index.findBytes(bytes, removed.places[2 * n]!, removed.places[2 * n + 1]!);
      if (row === PADDING_ROW) continue;
      this.#index.remove(row);
      gone.add(row);
    }
    this.#write(UNKNOWN_ROW, values, 0);
    if (full !== null) return;
    for (let n = 0; n < keys.length; n++) {
      // A key may be removed and inserted by the same delta.
      const isNew = rows[n] === PADDING_ROW || removed.length > 0 && gone.has(rows[n]!);
      const row = rows[n] = isNew
        ? this.#index.findOrInsertBytes(bytes, keys.places[2 * n]!, keys.places[2 * n + 1]!)
        : rows[n]!;
      this.#write(row, values, (n + 1) * this.width);
    }
  }

  #write(row: number, values: Float32Array, from: number): void {
    const { width } = this;
    const chunk = this.#chunks[row >> CHUNK_BITS] ??= new Float32Array(ROWS_PER_CHUNK * width);
    const to = (row & CHUNK_MASK) * width;
    for (let i = 0; i < width; i++) chunk[to + i] = values[from + i]!;
  }
}
