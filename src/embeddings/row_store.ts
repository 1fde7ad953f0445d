import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { AdmissionFilter } from "./admission.ts";
import { hashString } from "./hash.ts";
import { KeyIndex } from "./key_index.ts";
import { KeyLog } from "./key_log.ts";
import {
  CHUNK_BITS,
  CHUNK_MASK,
  chunkBytes,
  decodeChunk,
  encodeChunk,
  newChunk,
  type RowChunk,
  ROWS_PER_CHUNK,
  UNKNOWN_ROW,
} from "./rows.ts";

export interface RowStoreOptions {
  readonly width: number;
  /** Seed of the hash of keys. */
  readonly seed: number;
  /** Uses before an id gets its own row, 1..255. */
  readonly admitAfter: number;
  /** Budget of the table, of which {@linkcode RESERVE} is left for others. */
  readonly maxBytes: number;
  /** Event time after which an unused row is removed, milliseconds. */
  readonly expireAfterMs: number;
}

/** Share of the budget reserved for the gradients of a step and for removed keys; the rest holds rows and keys. */
export const RESERVE = 1 / 8;
/** Removed keys are kept up to at least this many bytes; beyond their limit, the next delta becomes a full one. */
const REMOVED_BYTES = 1 << 16;
/** Share of the rows that a full store evicts at once, which makes eviction O(1) per event on average. */
const EVICT_SHARE = 1 / 8;
/** Once full, a store evicts as soon as at most this share of its rows is free, so that ids seldom find no room. */
const SPARE_SHARE = 1 / 32;
/** Upper bound of the bytes of numbers and lengths in a record, per part. */
const HEADER_BYTES = 128;
/** Expired rows are removed whenever event time has advanced by this share of the time to expiry. */
const EXPIRY_SHARE = 1 / 16;

/**
 * The rows of a trained table and the keys they belong to: admission, last use, expiry and eviction within a budget, and
 * which of them have changed or gone since the last publication. What the rows mean is up to {@linkcode EmbeddingTable}.
 */
export class RowStore {
  /** Keys removed since the last publication; incomplete if the next one must be full. */
  readonly removed: KeyLog = new KeyLog();
  /** How often a key has lost its row. */
  removals = 0;
  readonly #options: RowStoreOptions;
  readonly #filter: AdmissionFilter | undefined;
  #index: KeyIndex;
  #chunks: RowChunk[];
  readonly #changed: number[] = [];
  #newest = -Infinity;
  #expiredAt = -Infinity;
  #refused = 0;
  /** {@linkcode RowStore.refused} at the last sweep. */
  #refusedBefore = 0;
  readonly #maxBytes: number;

  /** Creates a store without keys. @throws {RangeError} if the budget is too small for a single chunk of rows */
  constructor(options: RowStoreOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBytes * (1 - RESERVE);
    this.#index = new KeyIndex(options.seed);
    this.#filter = options.admitAfter > 1 ? new AdmissionFilter() : undefined;
    this.#chunks = [newChunk(options.width)];
    if (!(this.bytes <= this.#maxBytes)) {
      throw new RangeError(`Cannot keep rows in ${this.#maxBytes} bytes: one chunk takes ${this.bytes}`);
    }
  }

  /** Which row a key has. */
  get index(): KeyIndex {
    return this.#index;
  }

  /** Bytes allocated for rows, keys, index and filter. */
  get bytes(): number {
    return this.#chunks.length * chunkBytes(this.#options.width) + this.#index.bytes +
      (this.#filter?.bytes ?? 0);
  }

  /** Upper bound of the bytes of {@linkcode RowStore.encode}. */
  get encodedBytes(): number {
    const chunks = this.#chunks.length * (chunkBytes(this.#options.width) + HEADER_BYTES);
    return chunks + this.#index.encodedBytes + (this.#filter?.bytes ?? 0) + HEADER_BYTES;
  }

  /** How often an id was due for a row but there was no room. */
  get refused(): number {
    return this.#refused;
  }

  change(row: number): void {
    const { changed } = this.chunk(row), at = row & CHUNK_MASK;
    if (changed[at] === 1) return;
    changed[at] = 1;
    this.#changed.push(row);
  }

  /** Rows changed since the last publication, ascending. */
  changedRows(): number[] {
    return this.#changed.filter((row) => this.#index.has(row)).sort((a, b) => a - b);
  }

  /** Marks everything as published. */
  clearChanged(): void {
    for (const row of this.#changed) this.chunk(row).changed[row & CHUNK_MASK] = 0;
    this.#changed.length = 0;
    this.removed.clear();
  }

  /** The chunk of a row, whose place in it is `row & CHUNK_MASK`. */
  chunk(row: number): RowChunk {
    return this.#chunks[row >> CHUNK_BITS]!;
  }

  /** Gives a row to an id that has none, if one is due and there is room; otherwise returns {@linkcode UNKNOWN_ROW}. */
  admit(key: string): number {
    const index = this.#index, { admitAfter, seed, width } = this.#options;
    if (!index.storable(key)) return UNKNOWN_ROW;
    if (this.#filter !== undefined && this.#filter.count(hashString(key, seed)) < admitAfter) {
      return UNKNOWN_ROW;
    }
    const fresh = index.upcomingRow === this.#chunks.length * ROWS_PER_CHUNK;
    if (this.bytes + index.growth(key) + (fresh ? chunkBytes(width) : 0) > this.#maxBytes) {
      this.#refused++;
      return UNKNOWN_ROW;
    }
    if (fresh) this.#chunks.push(newChunk(width));
    const row = index.insert(key);
    const chunk = this.chunk(row), at = row & CHUNK_MASK;
    chunk.lastUse[at] = -Infinity;
    chunk.uses[at] = 0;
    return row;
  }

  /** Counts a use of a row at an event time. */
  touch(row: number, time: number): void {
    if (time > this.#newest) this.#newest = time;
    const chunk = this.chunk(row), at = row & CHUNK_MASK;
    if (time > chunk.lastUse[at]!) chunk.lastUse[at] = time;
    chunk.uses[at]!++;
  }

  /** Removes the row of an erased key. The next publication is a full one, which does not contain the key. */
  erase(row: number): void {
    this.removed.lose();
    this.#remove(row);
  }

  /** Removes expired rows, and the least recently used ones if room is short. */
  sweep(): void {
    const { expireAfterMs } = this.#options;
    if (this.#newest - this.#expiredAt >= expireAfterMs * EXPIRY_SHARE) {
      this.#expiredAt = this.#newest;
      this.#removeUpTo(this.#newest - expireAfterMs, Infinity);
    }
    const { size, endRow } = this.#index;
    const short = this.#refused > 0 && endRow - size <= size * SPARE_SHARE;
    if (short || this.#refused > this.#refusedBefore) this.#evict(Math.ceil(size * EVICT_SHARE));
    this.#refusedBefore = this.#refused;
  }

  encode(writer: ByteWriter): void {
    writer.u8(this.#filter === undefined ? 0 : 1).f64(this.#newest).f64(this.#expiredAt);
    writer.uint(this.#refused).uint(this.#refusedBefore);
    this.#index.encode(writer);
    this.#filter?.encode(writer);
    writer.uint(this.#chunks.length);
    for (const chunk of this.#chunks) encodeChunk(writer, chunk);
  }

  /**
   * Reads what {@linkcode RowStore.encode} wrote; `options` must be those of the writer.
   *
   * @throws {SyntaxError} if it is inconsistent
   */
  static decode(reader: ByteReader, options: RowStoreOptions): RowStore {
    const store = new RowStore(options);
    if ((reader.u8() === 1) !== (store.#filter !== undefined)) {
      throw new SyntaxError(
        "Cannot decode rows: one side counts uses before admission and the other does not",
      );
    }
    store.#newest = reader.f64();
    store.#expiredAt = reader.f64();
    store.#refused = reader.uint();
    store.#refusedBefore = reader.uint();
    store.#index = KeyIndex.decode(reader, options.seed);
    store.#filter?.decode(reader);
    store.#chunks = [];
    for (let n = reader.uint(); n > 0; n--) {
      const first = store.#chunks.length * ROWS_PER_CHUNK;
      const chunk = decodeChunk(reader, options.width);
      store.#chunks.push(chunk);
      for (const [at, changed] of chunk.changed.entries()) if (changed === 1) store.#changed.push(first + at);
    }
    if (store.#index.endRow > store.#chunks.length * ROWS_PER_CHUNK) {
      throw new SyntaxError(
        `Cannot decode rows: ${store.#index.endRow} rows in ${store.#chunks.length} chunks`,
      );
    }
    return store;
  }

  /** Removes the `count` least recently used rows, ties by row number. */
  #evict(count: number): void {
    const times = new Float64Array(this.#index.size);
    let n = 0;
    for (const row of this.#index.rows()) times[n++] = this.chunk(row).lastUse[row & CHUNK_MASK]!;
    times.sort();
    const last = times[count - 1];
    if (last !== undefined) this.#removeUpTo(last, count - times.indexOf(last));
  }

  /** Removes rows last used before `time`, and the first `ties` of those last used at `time`. */
  #removeUpTo(time: number, ties: number): void {
    const { maxBytes } = this.#options;
    for (const row of this.#index.rows()) {
      const used = this.chunk(row).lastUse[row & CHUNK_MASK]!;
      if (used > time || (used === time && ties-- <= 0)) continue;
      const limit = Math.min(maxBytes * RESERVE / 2, Math.max(REMOVED_BYTES, this.#index.bytes));
      this.removed.append(this.#index.keyBytes(row), limit);
      this.#remove(row);
    }
  }

  #remove(row: number): void {
    this.removals++;
    this.#index.remove(row);
  }
}
