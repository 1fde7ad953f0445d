import { type ByteReader, shortAscii } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { writeArray } from "../codec/record.ts";
import { hashBytes, KeyInHand, MAX_KEY_BYTES } from "./key_in_hand.ts";
import { grown } from "../values/grown.ts";

/** Rows below this one have no key. */
const FIRST_ROW = 2;
/** A record of the slab: length (2 bytes), row (4 bytes), UTF-8 bytes. */
const HEADER = 6;
/** Upper bound of the bytes of numbers and lengths in an encoded index. */
const NUMBERS_BYTES = 64;
/** Most found keys that are cached; a full cache is emptied. */
const MAX_FOUND = 4096;
/** Marks a free row in `#offsets`; the other bits are the next free row. Slabs stay below 2 GiB. */
const FREE = 0x80000000;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Maps string keys to dense row numbers from 2 on, without collisions: open addressing with linear probing,
 * comparing the full key whenever the hashes are equal.
 *
 * Everything is stored in typed arrays: per slot a hash and a row (load at most 3/4), per row the place of
 * its key, and the keys' bytes end to end. That is about 18 + 6 bytes per key on top of the key itself, with nothing
 * for the garbage collector to walk except a cache of up to 4096 found keys: engines cache the hash of a string, so a
 * `Map` finds it again in a fraction of the time. A look-up never fails: keys that cannot be stored (ill-formed
 * UTF-16, more than {@linkcode MAX_KEY_BYTES}) are simply not found.
 *
 * Freed rows are reused, the last freed first. A full slab is compacted if at least 1/16 of it is freed,
 * which makes an insertion O(length of the key) on average.
 */
export class KeyIndex {
  readonly #seed: number;
  /** [hash, row] per slot, row 0 = empty. */
  #slots = new Uint32Array(2 * 64);
  #slab = new Uint8Array(1024);
  #used = 0;
  #dead = 0;
  /** Place of each row's record in the slab, or `FREE | next free row`. */
  #offsets = new Uint32Array(64);
  #nextRow = FIRST_ROW;
  #freeRow = 0;
  #size = 0;
  readonly #key: KeyInHand;
  readonly #found = new Map<string, number>();

  /** Creates an empty index; the seed keeps outsiders from choosing keys that collide. */
  constructor(seed: number) {
    this.#seed = seed;
    this.#key = new KeyInHand(seed);
  }

  get size(): number {
    return this.#size;
  }

  /** One more than the largest row ever assigned. */
  get endRow(): number {
    return this.#nextRow;
  }

  /** The row that the next insertion assigns. */
  get upcomingRow(): number {
    return this.#freeRow === 0 ? this.#nextRow : this.#freeRow;
  }

  get bytes(): number {
    return this.#slots.byteLength + this.#slab.byteLength + this.#offsets.byteLength +
      this.#key.bytes.byteLength;
  }

  /** Upper bound of the bytes of {@linkcode KeyIndex.encode}. */
  get encodedBytes(): number {
    return this.#used + 4 * this.#nextRow + NUMBERS_BYTES;
  }

  /** Row of `key`, 0 if there is none. */
  find(key: string): number {
    if (this.#size === 0) return 0;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const row = this.findOnce(key);
    if (row === 0) return 0;
    if (this.#found.size === MAX_FOUND) this.#found.clear();
    this.#found.set(key, row);
    return row;
  }

  /** Like {@linkcode KeyIndex.find}, but bypasses the cache: for scans over many keys. */
  findOnce(key: string): number {
    return this.#key.take(key) ? this.#findInHand() : 0;
  }

  /** {@linkcode KeyIndex.findOnce} of the key whose UTF-8 is `bytes` from `start` to `end`. */
  findBytes(bytes: Uint8Array, start: number, end: number): number {
    return this.#key.takeBytes(bytes, start, end) ? this.#findInHand() : 0;
  }

  /**
   * Like {@linkcode KeyIndex.findBytes}, but gives a row to a key that has none.
   *
   * @throws {RangeError} if the key cannot be stored
   */
  findOrInsertBytes(bytes: Uint8Array, start: number, end: number): number {
    const row = this.findBytes(bytes, start, end);
    return row === 0 ? this.insert(decoder.decode(bytes.subarray(start, end))) : row;
  }

  /** Whether `key` can be stored at all. */
  storable(key: string): boolean {
    return this.#key.take(key);
  }

  /** Bytes that inserting the storable `key` would allocate, while the old arrays still exist. */
  growth(key: string): number {
    this.#key.take(key);
    const slab = this.#slabToGrow(HEADER + this.#key.length);
    const slots = this.#slotsToGrow() ? 2 * this.#slots.byteLength : 0;
    const offsets = this.#offsetsToGrow() ? 2 * this.#offsets.byteLength : 0;
    return slab + slots + offsets;
  }

  /**
   * Gives a row to a key that is storable and has none yet.
   *
   * @throws {RangeError} if the key cannot be stored or has a row
   */
  insert(key: string): number {
    if (!this.#key.take(key) || this.#findInHand() !== 0) {
      throw new RangeError(
        `Cannot insert a key as a new row: current key is ${JSON.stringify(key.slice(0, 80))}`,
      );
    }
    const need = HEADER + this.#key.length;
    if (this.#used + need > this.#slab.length) this.#makeRoom(need);
    if (this.#slotsToGrow()) this.#setSlots(2 * this.#slots.length);
    if (this.#offsetsToGrow()) {
      this.#offsets = grown(this.#offsets, new Uint32Array(2 * this.#offsets.length));
    }

    const row = this.upcomingRow;
    if (this.#freeRow === 0) this.#nextRow++;
    else this.#freeRow = this.#offsets[row]! & ~FREE;
    this.#offsets[row] = this.#used;
    this.#writeRecord(row);
    this.#place(this.#key.hash, row);
    this.#size++;
    return row;
  }

  /** Forgets the key of a live row and frees the row. */
  remove(row: number): void {
    this.#found.clear();
    const at = this.#offsets[row]!;
    const mask = this.#slots.length / 2 - 1;
    const slots = this.#slots;
    let slot = this.#hashAt(at) & mask;
    while (slots[2 * slot + 1] !== row) slot = (slot + 1) & mask;
    // No tombstones: move up each entry that its probe would no longer reach.
    for (let next = (slot + 1) & mask; slots[2 * next + 1] !== 0; next = (next + 1) & mask) {
      const home = slots[2 * next]! & mask;
      if (((next - home) & mask) >= ((next - slot) & mask)) {
        slots[2 * slot] = slots[2 * next]!;
        slots[2 * slot + 1] = slots[2 * next + 1]!;
        slot = next;
      }
    }
    slots[2 * slot + 1] = 0;
    const length = this.#lengthAt(at);
    // The key may be that of an erased user, and the slab is written to checkpoints as a whole.
    this.#slab.fill(0, at + HEADER, at + HEADER + length);
    this.#dead += HEADER + length;
    this.#offsets[row] = (FREE | this.#freeRow) >>> 0;
    this.#freeRow = row;
    this.#size--;
  }

  has(row: number): boolean {
    return row >= FIRST_ROW && row < this.#nextRow && this.#offsets[row]! < FREE;
  }

  /** The key's bytes of a live row, valid until the next change. */
  keyBytes(row: number): Uint8Array {
    const at = this.#offsets[row]!;
    return this.#slab.subarray(at + HEADER, at + HEADER + this.#lengthAt(at));
  }

  /** Appends the key of a live row, in UTF-8 with its length. */
  writeKey(row: number, to: ByteWriter): void {
    const start = this.#offsets[row]! + HEADER;
    to.part(this.#slab, start, start + this.#lengthAt(start - HEADER));
  }

  key(row: number): string {
    const bytes = this.keyBytes(row);
    return shortAscii(bytes) ?? decoder.decode(bytes);
  }

  /** Rows that have a key, ascending. */
  *rows(): Generator<number> {
    for (let row = FIRST_ROW; row < this.#nextRow; row++) if (this.#offsets[row]! < FREE) yield row;
  }

  /**
   * Appends the index as it lies in memory, with sizes and dead bytes: these decide when an array grows next, and a
   * restored index must grow at the same moment.
   */
  encode(writer: ByteWriter): void {
    writer.uint(this.#slots.length).uint(this.#slab.length).uint(this.#offsets.length);
    writer.uint(this.#dead).uint(this.#freeRow).uint(this.#size);
    writeArray(writer, this.#slab.subarray(0, this.#used));
    writeArray(writer, this.#offsets.subarray(0, this.#nextRow));
  }

  /**
   * Reads what {@linkcode KeyIndex.encode} wrote; `seed` must be that of the writer.
   *
   * @throws {SyntaxError} if it is inconsistent
   */
  static decode(reader: ByteReader, seed: number): KeyIndex {
    const index = new KeyIndex(seed);
    const [slots, slab, offsets] = [reader.uint(), reader.uint(), reader.uint()];
    index.#dead = reader.uint();
    index.#freeRow = reader.uint();
    index.#size = reader.uint();
    const bytes = reader.bytes();
    const places = reader.bytes();
    const rows = places.length / 4;
    // Sizes are bounded by the contents, so that a broken record cannot exhaust memory.
    const sane = Number.isInteger(rows) && rows >= FIRST_ROW && rows <= offsets && offsets <= 64 + 4 * rows &&
      bytes.length <= slab && slots >= 128 && (slots & (slots - 1)) === 0 && slots <= 128 + 16 * rows &&
      index.#size <= slots * 3 / 8;
    if (!sane) throw new SyntaxError("Cannot decode a key index: its sizes contradict each other");
    index.#slab = grown(bytes, new Uint8Array(Math.min(slab, largestSlab(bytes.length))));
    index.#used = bytes.length;
    index.#offsets = new Uint32Array(offsets);
    new Uint8Array(index.#offsets.buffer).set(places);
    index.#nextRow = rows;
    let live = 0;
    for (let row = FIRST_ROW; row < rows; row++) {
      const at = index.#offsets[row]!;
      if (at >= FREE) continue;
      live++;
      if (at + HEADER > index.#used || at + HEADER + index.#lengthAt(at) > index.#used) {
        throw new SyntaxError(`Cannot decode a key index: the key of row ${row} is outside the slab`);
      }
    }
    if (live !== index.#size) {
      throw new SyntaxError(`Cannot decode a key index: ${live} keys, not ${index.#size}`);
    }
    index.#setSlots(slots);
    return index;
  }

  #findInHand(): number {
    const slots = this.#slots, hash = this.#key.hash;
    const mask = slots.length / 2 - 1;
    for (let slot = hash & mask;; slot = (slot + 1) & mask) {
      const row = slots[2 * slot + 1]!;
      if (row === 0) return 0;
      if (slots[2 * slot] === hash && this.#equalsInHand(this.#offsets[row]!)) return row;
    }
  }

  #equalsInHand(at: number): boolean {
    const { bytes, length } = this.#key, slab = this.#slab;
    if (this.#lengthAt(at) !== length) return false;
    for (let i = 0, from = at + HEADER; i < length; i++) if (slab[from + i] !== bytes[i]) return false;
    return true;
  }

  #lengthAt(at: number): number {
    return this.#slab[at]! | this.#slab[at + 1]! << 8;
  }

  #rowAt(at: number): number {
    const slab = this.#slab;
    return (slab[at + 2]! | slab[at + 3]! << 8 | slab[at + 4]! << 16 | slab[at + 5]! << 24) >>> 0;
  }

  #hashAt(at: number): number {
    const start = at + HEADER;
    return hashBytes(this.#slab, start, start + this.#lengthAt(at), this.#seed);
  }

  #writeRecord(row: number): void {
    const { bytes, length } = this.#key, slab = this.#slab, at = this.#used;
    slab[at] = length;
    slab[at + 1] = length >>> 8;
    slab[at + 2] = row;
    slab[at + 3] = row >>> 8;
    slab[at + 4] = row >>> 16;
    slab[at + 5] = row >>> 24;
    for (let i = 0; i < length; i++) slab[at + HEADER + i] = bytes[i]!;
    this.#used += HEADER + length;
  }

  #place(hash: number, row: number): void {
    const slots = this.#slots, mask = slots.length / 2 - 1;
    let slot = hash & mask;
    while (slots[2 * slot + 1] !== 0) slot = (slot + 1) & mask;
    slots[2 * slot] = hash;
    slots[2 * slot + 1] = row;
  }

  /** Places all live rows in new slots. */
  #setSlots(length: number): void {
    this.#slots = new Uint32Array(length);
    for (const row of this.rows()) this.#place(this.#hashAt(this.#offsets[row]!), row);
  }

  #slotsToGrow(): boolean {
    return 8 * (this.#size + 1) > 3 * this.#slots.length;
  }

  #offsetsToGrow(): boolean {
    return this.#freeRow === 0 && this.#nextRow === this.#offsets.length;
  }

  /** New length of the slab for `need` more bytes; 0 if they fit or compaction makes room. */
  #slabToGrow(need: number): number {
    const length = this.#slab.length;
    if (this.#used + need <= length || this.#dead >= Math.max(need, length >>> 4)) return 0;
    return Math.max(this.#used + need, length + (length >>> 1));
  }

  #makeRoom(need: number): void {
    const length = this.#slabToGrow(need);
    if (length > 0) this.#slab = grown(this.#slab, new Uint8Array(length));
    else this.#compact();
  }

  /** Moves live records to the front, in order, and shrinks the slab if few are left. */
  #compact(): void {
    let to = 0;
    for (let from = 0; from < this.#used;) {
      const length = HEADER + this.#lengthAt(from);
      const row = this.#rowAt(from);
      if (this.#offsets[row] === from) {
        this.#slab.copyWithin(to, from, from + length);
        this.#offsets[row] = to;
        to += length;
      }
      from += length;
    }
    this.#used = to;
    this.#dead = 0;
    if (this.#slab.length > largestSlab(to)) this.#slab = this.#slab.slice(0, largestSlab(to));
  }
}

/** Largest slab for this many used bytes. */
function largestSlab(used: number): number {
  return 4 * (MAX_KEY_BYTES + used);
}
