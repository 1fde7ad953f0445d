import type { ByteWriter } from "../codec/byte_writer.ts";
import { endRecord, openRecord, startRecord } from "../codec/record.ts";
import { settle } from "../options/option.ts";
import { RowAdagrad, type RowAdagradOptions } from "../nn/optimisers/adagrad.ts";
import { usable } from "../nn/optimisers/optimiser.ts";
import { encodeDelta, writtenKeys } from "./delta.ts";
import { GradientSums } from "./gradient_sums.ts";
import { fillNormal, hashString, mix } from "./hash.ts";
import { RESERVE, RowStore, type RowStoreOptions } from "./row_store.ts";
import { TABLE_OPTIONS } from "./table_options.ts";
import { CHUNK_MASK, PADDING_ROW, UNKNOWN_ROW } from "./rows.ts";

/** Options of {@linkcode EmbeddingTable}. */
export interface EmbeddingTableOptions extends RowAdagradOptions {
  /** Name of the field; initial values depend on it. */
  readonly name: string;
  /** Length of a row, at least 1. */
  readonly width: number;
  /** Seed of initial values, an integer. */
  readonly seed: number;
  /** Standard deviation of initial values. @default {0.01} */
  readonly initScale?: number;
  /** λ of mini-batch-aware L2 (DIN, KDD'18): a touched row decays by λ/uses. @default {0} */
  readonly l2?: number;
  /** Uses before an id gets its own row, 1 to 255. @default {1} */
  readonly admitAfter?: number;
  /** Budget of {@linkcode EmbeddingTable.bytes}. @default {Infinity} */
  readonly maxBytes?: number;
  /** Event time after which an unused row is removed, milliseconds. @default {Infinity} */
  readonly expireAfterMs?: number;
}

const NAME = "embedding-table";
const VERSION = 1;

/**
 * The embeddings of one field: a growing table of rows by string key, without collisions, with the state of
 * its own optimiser (row-wise Adagrad), admission, expiry and a byte budget.
 *
 * Row {@linkcode PADDING_ROW} stays zero; row {@linkcode UNKNOWN_ROW} is shared by ids without a row.
 * A row's number is valid until the next {@linkcode EmbeddingTable.step},
 * {@linkcode EmbeddingTable.sweep} or {@linkcode EmbeddingTable.remove}. A batch therefore calls `use` for every id,
 * computes, calls `accumulate` for every gradient, then `step`.
 *
 * The initial values of a row depend on (seed, field, key) alone, not on the order of arrival: two
 * machines agree, and a removed id that returns starts from the same values.
 *
 * When the next row does not fit into `maxBytes`, new ids get row 1 and are counted as
 * {@linkcode EmbeddingTable.refused} until the next step or sweep, which evicts the 1/8 of rows that were used
 * least recently (by event time, then by row number). From then on it evicts ahead of need, so few ids are
 * refused. The budget holds as long as one step touches at most maxBytes / (32·(4·width + 8)) rows.
 *
 * A row costs 4·width + 21 bytes, and about 24 bytes and its key in the index. Look-ups and uses are O(1)
 * and allocate only when a row is made. The state is a function of the calls and their order.
 *
 * @example
 * ```ts
 * import { EmbeddingTable } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * const items = new EmbeddingTable({ name: "item", width: 2, seed: 1, initScale: 0 });
 * const row = items.use("i17", 1_700_000_000_000);
 * items.accumulate(row, Float32Array.of(1, -1), 0);
 * items.step();
 * const values = new Float32Array(2);
 * items.copyRow(items.lookup("i17"), values, 0);
 * assert.deepEqual(values, Float32Array.of(-0.05, 0.05)); // The first step of Adagrad is η · sign.
 * ```
 */
export class EmbeddingTable {
  /** The field. */
  readonly name: string;
  /** Length of a row. */
  readonly width: number;
  readonly #seed: number;
  readonly #initScale: number;
  readonly #l2: number;
  readonly #storeOptions: RowStoreOptions;
  readonly #rule: RowAdagrad;
  readonly #gradients: GradientSums;
  /** The gradient of the row that is being stepped [width]. */
  readonly #gradient: Float32Array;
  #store: RowStore;
  #skipped = 0;

  /**
   * Creates an empty table.
   *
   * @throws {RangeError} if an option is out of range or the budget too small for a single chunk of rows
   */
  constructor(options: EmbeddingTableOptions) {
    this.name = options.name;
    this.width = options.width;
    this.#initScale = options.initScale ?? 0.01;
    this.#l2 = options.l2 ?? 0;
    const { maxBytes = Infinity } = options;
    const { admitAfter, expireAfterMs } = settle(TABLE_OPTIONS, options);
    requireInteger("width", this.width, 2 ** 16);
    requireInteger("admitAfter", admitAfter, 255);
    if (!(expireAfterMs > 0)) {
      throw new RangeError(`Cannot use expireAfterMs of 0 or less: current value is ${expireAfterMs}`);
    }
    this.#seed = hashString(options.name, mix(options.seed));
    this.#rule = new RowAdagrad(this.width, options);
    this.#gradients = new GradientSums(this.width);
    this.#gradient = new Float32Array(this.width);
    this.#storeOptions = { width: this.width, seed: this.#seed, admitAfter, maxBytes, expireAfterMs };
    this.#store = new RowStore(this.#storeOptions);
    this.#initialise(UNKNOWN_ROW, "\u0000unknown");
  }

  /** The smallest `maxBytes` for a table of this width: one chunk of rows and an empty index. */
  static leastBytes(width: number, admitAfter: number = TABLE_OPTIONS.admitAfter.value): number {
    const options = { width, admitAfter, seed: 0, maxBytes: Infinity, expireAfterMs: Infinity };
    return Math.ceil(new RowStore(options).bytes / (1 - RESERVE));
  }

  /** Number of ids that have a row. */
  get size(): number {
    return this.#store.index.size;
  }

  /** Bytes allocated: rows, keys, index, filter, gradients and removed keys. */
  get bytes(): number {
    return this.#store.bytes + this.#gradients.bytes + this.#store.removed.bytes;
  }

  /** Number of row gradients skipped because they were not finite or out of bounds. */
  get skipped(): number {
    return this.#skipped;
  }

  /** How often an id was due for a row while the table was full. */
  get refused(): number {
    return this.#store.refused;
  }

  /** Changes whenever a key loses its row: while it is unchanged, known rows stay valid. */
  get removals(): number {
    return this.#store.removals;
  }

  /** η; may be changed between steps. */
  get learningRate(): number {
    return this.#rule.learningRate;
  }

  set learningRate(value: number) {
    this.#rule.learningRate = value;
  }

  /** The row of `key`, 1 if it has none; does not count as a use. */
  lookup(key: string): number {
    return this.#store.index.find(key) || UNKNOWN_ROW;
  }

  /**
   * Counts a use of `key` in training and returns its row: 1 until the `admitAfter`-th use, then its own.
   *
   * @param key the id
   * @param time event time in milliseconds, in any order
   */
  use(key: string, time: number): number {
    let row = this.#store.index.find(key);
    if (row === 0) {
      row = this.#store.admit(key);
      if (row !== UNKNOWN_ROW) this.#initialise(row, key);
    }
    this.#store.touch(row, time);
    return row;
  }

  /** Like {@linkcode EmbeddingTable.use}, for a key whose row, above 1, is known. */
  useRow(row: number, time: number): void {
    this.#store.touch(row, time);
  }

  /** Copies the values of a row [width] to `out` from `offset` on. */
  copyRow(row: number, out: Float32Array, offset: number): void {
    const values = this.#store.chunk(row).values, width = this.width;
    const from = (row & CHUNK_MASK) * width;
    for (let i = 0; i < width; i++) out[offset + i] = values[from + i]!;
  }

  /** Adds `scale` times a row [width] to `out` from `offset` on. */
  addRow(row: number, scale: number, out: Float32Array, offset: number): void {
    const values = this.#store.chunk(row).values, width = this.width;
    const from = (row & CHUNK_MASK) * width;
    for (let i = 0; i < width; i++) out[offset + i]! += scale * values[from + i]!;
  }

  /** Adds `scale · gradient[offset .. offset + width)` to what {@linkcode EmbeddingTable.step} applies to a row. */
  accumulate(row: number, gradient: Float32Array, offset: number, scale = 1): void {
    if (row === PADDING_ROW) return;
    const pending = this.#store.chunk(row).pending, at = row & CHUNK_MASK;
    if (pending[at] === 0) pending[at] = 1 + this.#gradients.touch(row);
    this.#gradients.add(pending[at]! - 1, gradient, offset, scale);
  }

  /**
   * Erases a key and its row, such as that of an erased user. Nothing written from now on contains the key, so the next
   * delta is full. Unknown keys are ignored.
   *
   * @throws {Error} if gradients are waiting to be applied
   */
  remove(key: string): void {
    this.#requireNoGradients("remove a key from");
    const row = this.#store.index.find(key);
    if (row !== 0) this.#store.erase(row);
  }

  /** Erases all keys that begin with `prefix`. O(keys). @throws {Error} like `remove` */
  removePrefix(prefix: string): void {
    this.#requireNoGradients("remove keys from");
    const { index } = this.#store;
    for (const row of index.rows()) if (index.key(row).startsWith(prefix)) this.#store.erase(row);
  }

  /**
   * Applies row-wise Adagrad to the touched rows in the order of their first touch, forgets the gradients,
   * then calls {@linkcode EmbeddingTable.sweep}. A row whose gradient is not {@linkcode usable} stays as it is.
   *
   * @param bound largest allowed magnitude of a weight of a touched row after the step
   * @returns whether all weights are within the bound; NaN never is
   */
  step(bound = Infinity): boolean {
    const gradients = this.#gradients;
    let bounded = true;
    for (let place = 0; place < gradients.count; place++) {
      const row = gradients.row(place);
      gradients.copySum(place, this.#gradient);
      this.#stepRow(row, gradients.squares(place));
      bounded &&= this.#isWithin(row, bound);
    }
    this.discard();
    this.sweep();
    return bounded;
  }

  /** Discards the accumulated gradients. */
  discard(): void {
    for (let place = 0; place < this.#gradients.count; place++) {
      const row = this.#gradients.row(place);
      this.#store.chunk(row).pending[row & CHUNK_MASK] = 0;
    }
    this.#gradients.clear();
  }

  /**
   * Removes expired rows, and the least recently used ones if the table is full. Only needed where ids are used
   * without a {@linkcode EmbeddingTable.step}. Rows may outlive their expiry by 1/16 of `expireAfterMs`.
   *
   * @throws {Error} if gradients are waiting to be applied
   */
  sweep(): void {
    this.#requireNoGradients("sweep");
    this.#store.sweep();
  }

  /** Marks everything as published. */
  clearChanged(): void {
    this.#store.clearChanged();
  }

  /**
   * Encodes what changed since {@linkcode EmbeddingTable.clearChanged}, for {@linkcode ServingTable.applyDelta}. The
   * first delta is full, and so is one after an erasure or very many removals.
   */
  encodeDelta(): Uint8Array {
    const { removed, index } = this.#store;
    if (!removed.isComplete) return this.encodeServing();
    const gone = [...new Set(removed.keys())].filter((key) => index.find(key) === 0).sort();
    return this.#encode(this.#store.changedRows(), gone);
  }

  /** Encodes all rows as a full delta. Equal content gives equal bytes, whatever its history. */
  encodeServing(): Uint8Array {
    const { index } = this.#store;
    const entries = Array.from(index.rows(), (row) => ({ key: index.key(row), row }));
    entries.sort((a, b) => a.key < b.key ? -1 : 1);
    return this.#encode(entries.map(({ row }) => row), null);
  }

  /** Encodes all rows, or what changed since the last call, and marks it as published. */
  takeRows(kind: "delta" | "full"): Uint8Array {
    const rows = kind === "full" ? this.encodeServing() : this.encodeDelta();
    this.clearChanged();
    return rows;
  }

  /**
   * Encodes the whole training state; a table that decodes it continues bit for bit.
   *
   * @throws {Error} if gradients are waiting to be applied
   */
  encode(): Uint8Array {
    this.#requireNoGradients("encode");
    const store = this.#store;
    const writer = startRecord(NAME, VERSION, store.encodedBytes).string(this.name).uint(this.width)
      .uint(this.#seed);
    writer.u8(store.removed.isComplete ? 0 : 1).uint(this.#skipped);
    store.encode(writer);
    const removed = [...store.removed.keys()];
    writer.uint(removed.length);
    for (const key of removed) writer.string(key);
    return writer.take();
  }

  /**
   * Replaces the state by that of a table of the same name, width and seed.
   *
   * @throws {SyntaxError} if the bytes are not such a state; nothing is changed then
   */
  decode(bytes: Uint8Array): void {
    const reader = openRecord(bytes, NAME, VERSION);
    const name = reader.string(), width = reader.uint(), seed = reader.uint();
    if (name !== this.name || width !== this.width || seed !== this.#seed) {
      throw new SyntaxError(
        `Cannot decode a table as ${this.name} (width ${this.width}): ` +
          `it is ${name} (width ${width}), or made with another seed`,
      );
    }
    const isComplete = reader.u8() === 0, skipped = reader.uint(), encoder = new TextEncoder();
    const store = RowStore.decode(reader, this.#storeOptions);
    if (isComplete) store.removed.clear();
    for (let n = reader.uint(); n > 0; n--) store.removed.append(encoder.encode(reader.string()), Infinity);
    endRecord(reader, NAME);

    store.removals = this.#store.removals + 1;
    this.#gradients.clear();
    this.#skipped = skipped;
    this.#store = store;
  }

  #initialise(row: number, key: string): void {
    const chunk = this.#store.chunk(row), at = row & CHUNK_MASK;
    const values = chunk.values.subarray(at * this.width, (at + 1) * this.width);
    fillNormal(values, this.#initScale, [
      hashString(key, mix(this.#seed ^ 0x243f6a88)),
      hashString(key, mix(this.#seed ^ 0x85a308d3)),
    ]);
    chunk.accumulators[at] = this.#rule.initialAccumulator;
    this.#store.change(row);
  }

  /** Applies `#gradient` to a row. */
  #stepRow(row: number, squares: number): void {
    const gradient = this.#gradient;
    const chunk = this.#store.chunk(row), at = row & CHUNK_MASK;
    const decay = this.#l2 / Math.max(1, chunk.uses[at]!);
    for (let i = 0, from = at * this.width; i < gradient.length; i++) {
      gradient[i]! += decay * chunk.values[from + i]!;
    }
    if (!usable(gradient)) this.#skipped++;
    else if (this.#rule.step(chunk, at, gradient, squares)) this.#store.change(row);
  }

  #isWithin(row: number, bound: number): boolean {
    const { values } = this.#store.chunk(row), { width } = this;
    const from = (row & CHUNK_MASK) * width;
    // Written so that NaN fails.
    for (let i = from; i < from + width; i++) if (!(Math.abs(values[i]!) <= bound)) return false;
    return true;
  }

  /** @param removed `null` for a full delta */
  #encode(rows: readonly number[], removed: readonly string[] | null): Uint8Array {
    const { name, width } = this, { index } = this.#store;
    const values = new Float32Array((rows.length + 1) * width);
    this.copyRow(UNKNOWN_ROW, values, 0);
    for (let i = 0; i < rows.length; i++) this.copyRow(rows[i]!, values, (i + 1) * width);
    const write = (to: ByteWriter) => {
      for (const row of rows) index.writeKey(row, to);
    };
    const keys = { length: rows.length, write };
    const full = removed === null;
    return encodeDelta({ name, width, full, removed: writtenKeys(removed ?? []), keys, values });
  }

  #requireNoGradients(verb: string): void {
    if (this.#gradients.count > 0) {
      throw new Error(
        `Cannot ${verb} table ${this.name}: ${this.#gradients.count} rows have gradients to apply`,
      );
    }
  }
}

function requireInteger(option: string, value: number, most: number): void {
  if (!Number.isInteger(value) || value < 1 || value > most) {
    throw new RangeError(`Cannot make a table with ${option} outside 1..${most}: current value is ${value}`);
  }
}
