/**
 * Records by key, appended to segments in memory or partly in files; the newest record of each key is live.
 *
 * A key costs about 45 bytes in addition to itself and its record, and no work for the garbage collector. Replaced
 * records stay until {@linkcode RecordStore.victim} picks their segment and {@linkcode RecordStore.relocate} has moved
 * its live entries to the end.
 */

import { KeyIndex } from "../../../src/embeddings/key_index.ts";
import { grown } from "../../../src/values/grown.ts";
import { DamagedEntry, type Entry, ENTRY_HEADER, KIND, readEntry, Segment, writeEntry } from "./segment.ts";

const NO_BYTES = new Uint8Array(0);
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export interface RecordStoreOptions {
  /** Approximate bytes of a segment. @default {1 MiB} */
  readonly segmentBytes?: number;
  /** Bytes to allocate at a time. @default {1 MiB} */
  readonly chunkBytes?: number;
  /** Reads bytes of a segment that are not in memory. */
  readonly read?: (segment: Segment, offset: number, length: number) => Uint8Array;
}

/** The newest record of each key. */
export class RecordStore {
  /** Segments by number, ascending. */
  readonly segments = new Map<number, Segment>();
  /** Value of the newest position entry. */
  position: Uint8Array = NO_BYTES;
  /** Whether files of dropped segments are read again after a kill, so that deletions must not be in memory alone. */
  hasDroppedFiles = false;
  readonly #segmentBytes: number;
  readonly #chunkBytes: number;
  readonly #read: (segment: Segment, offset: number, length: number) => Uint8Array;
  readonly #keys = new KeyIndex(0);
  /** Place of the newest entry of each key, by the key's row. */
  #places = { segments: new Uint32Array(64), offsets: new Uint32Array(64), lengths: new Uint32Array(64) };
  /** By row: 1 = the record is marked. */
  #marked = new Uint8Array(64);
  #active: Segment;
  #bytes = 0;
  #dead = 0;
  /** The newest segment from before the last purge. */
  #purgedUpTo = 0;
  #position: { readonly segment: Segment; readonly bytes: number } | undefined;

  /** Makes an empty store. */
  constructor(options: RecordStoreOptions = {}) {
    const { segmentBytes = 1 << 20, chunkBytes = 1 << 20, read } = options;
    this.#segmentBytes = segmentBytes;
    this.#chunkBytes = chunkBytes;
    this.#read = read ?? ((segment, offset) => {
      throw new RangeError(`Cannot read segment ${segment.id} at ${offset}: it is not in memory`);
    });
    this.#active = this.newSegment(1);
  }

  get size(): number {
    return this.#keys.size;
  }

  /** Bytes of all entries. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The segment to which entries are appended. */
  get active(): Segment {
    return this.#active;
  }

  /** Keys, in no order. */
  *keys(): Generator<string> {
    for (const row of this.#keys.rows()) yield this.#keys.key(row);
  }

  /** Keys whose records are marked, in no order. */
  *markedKeys(): Generator<string> {
    for (const row of this.#keys.rows()) if (this.#marked[row] === 1) yield this.#keys.key(row);
  }

  /** The newest record of a key, or `null`; valid until the next look-up or change. @throws DamagedEntry */
  get(key: string): Uint8Array | null {
    const row = this.#keys.find(key);
    if (row === 0) return null;
    const { segments, offsets, lengths } = this.#places;
    const segment = this.segments.get(segments[row]!);
    if (segment === undefined) throw new RangeError(`Cannot find segment ${segments[row]} of key ${key}`);
    const [offset, length] = [offsets[row]!, lengths[row]!];
    const held = segment.held(offset, length);
    if (held !== null) return held.subarray(ENTRY_HEADER + this.#keys.keyBytes(row).length);
    const entry = readEntry(this.#read(segment, offset, length), 0);
    if (entry === null || decoder.decode(entry.key) !== key) {
      throw new DamagedEntry(`the record of ${key} in segment ${segment.id} at ${offset} is damaged`);
    }
    return entry.value;
  }

  put(key: string, value: Uint8Array, marked = false): void {
    let row = this.#keys.find(key);
    if (row === 0) row = this.#insert(key);
    else this.#bury(row);
    this.#settle(row, this.#append(marked ? KIND.marked : KIND.put, this.#keys.keyBytes(row), value));
    this.#marked[row] = marked ? 1 : 0;
  }

  delete(key: string): void {
    const row = this.#keys.find(key);
    if (row === 0) return;
    const { segment, bytes } = this.#append(KIND.delete, this.#keys.keyBytes(row), NO_BYTES);
    this.#waste(segment, bytes);
    this.#bury(row);
    this.#keys.remove(row);
  }

  /** Appends a position, which holds for all entries before it. */
  setPosition(value: Uint8Array): void {
    this.position = value;
    if (this.#position !== undefined) this.#waste(this.#position.segment, this.#position.bytes);
    this.#position = this.#append(KIND.position, NO_BYTES, value);
  }

  /** Begins a new segment. @param id its number, above all others */
  seal(id = this.#active.id + 1): void {
    if (this.#active.length === 0 && this.segments.get(this.#active.id) === this.#active) {
      this.segments.delete(this.#active.id);
    }
    this.#active = this.newSegment(id);
  }

  /** Loads entries of a segment from its file. @returns Bytes of whole entries. @throws DamagedEntry */
  load(segment: Segment, bytes: Uint8Array): number {
    let at = 0;
    for (let entry = readEntry(bytes, at); entry !== null; entry = readEntry(bytes, at)) {
      const length = entry.end - at;
      const offset = segment.length;
      segment.length += length;
      segment.written += length;
      this.#bytes += length;
      this.#take(segment, offset, length, entry);
      at = entry.end;
    }
    return at;
  }

  #take(segment: Segment, offset: number, bytes: number, { kind, key, value }: Entry): void {
    if (kind === KIND.position) {
      if (this.#position !== undefined) this.#waste(this.#position.segment, this.#position.bytes);
      this.position = value.slice();
      this.#position = { segment, bytes };
      return;
    }
    const name = decoder.decode(key);
    let row = this.#keys.find(name);
    if (row !== 0) this.#bury(row);
    if (kind === KIND.delete) {
      this.#waste(segment, bytes);
      if (row !== 0) this.#keys.remove(row);
      return;
    }
    if (row === 0) row = this.#insert(name);
    this.#settle(row, { segment, offset, bytes });
    this.#marked[row] = kind === KIND.marked ? 1 : 0;
  }

  /**
   * Starts to remove replaced and deleted entries, including their keys: all segments so far have to be emptied, oldest
   * first, while there is a {@linkcode RecordStore.stale} one.
   */
  purge(): void {
    this.seal();
    this.#purgedUpTo = this.#active.id - 1;
  }

  /** The oldest segment that still has to be emptied after {@linkcode RecordStore.purge}. */
  get stale(): Segment | undefined {
    const [oldest] = this.segments.values();
    return oldest !== undefined && oldest.id <= this.#purgedUpTo ? oldest : undefined;
  }

  /** The full segment with the most dead bytes, if more than a `share` of all bytes is dead. */
  victim(share: number): Segment | undefined {
    if (this.#dead <= share * this.#bytes) return undefined;
    let victim: Segment | undefined;
    for (const segment of this.segments.values()) {
      if (segment !== this.#active && segment.dead > (victim?.dead ?? 0)) victim = segment;
    }
    return victim;
  }

  /**
   * Moves live entries of a part of a segment to the end of the store.
   *
   * @param bytes the segment's entries, of which those from `from` to about `to` are moved
   * @returns Where to continue; the number of bytes when all are moved.
   */
  relocate(segment: Segment, bytes: Uint8Array, from: number, to: number): number {
    const { segments, offsets } = this.#places;
    const isOldest = Math.min(...this.segments.keys()) === segment.id &&
      (segment.written > 0 || !this.hasDroppedFiles);
    let at = from;
    while (at < Math.min(to, bytes.length)) {
      // An entry from a file gets a new checksum, so it must be intact.
      const entry = readEntry(bytes, at, segment.written > 0);
      if (entry === null) throw new DamagedEntry(`segment ${segment.id} ends within an entry at ${at}`);
      const start = at;
      at = entry.end;
      if (entry.kind === KIND.position) {
        if (this.#position?.segment === segment) this.setPosition(this.position);
        continue;
      }
      const name = decoder.decode(entry.key);
      const row = this.#keys.find(name);
      if (entry.kind === KIND.delete) {
        // The deletion must stay as long as an older segment may hold a record of the key.
        if (row !== 0 || isOldest) continue;
        const moved = this.#append(KIND.delete, entry.key, NO_BYTES);
        this.#waste(moved.segment, moved.bytes);
      } else if (row !== 0 && segments[row] === segment.id && offsets[row] === start) {
        this.#bury(row);
        this.#settle(row, this.#append(entry.kind, entry.key, entry.value));
      }
    }
    return at;
  }

  /** Drops a segment without live entries. */
  drop(segment: Segment): void {
    this.segments.delete(segment.id);
    this.#bytes -= segment.length;
    this.#dead -= segment.dead;
  }

  /** Adds a segment, as for {@linkcode RecordStore.load}, in the order of their numbers. */
  newSegment(id: number): Segment {
    const segment = new Segment(id);
    this.segments.set(id, segment);
    return segment;
  }

  #insert(key: string): number {
    const row = this.#keys.insert(key);
    if (row >= this.#marked.length) {
      const { segments, offsets, lengths } = this.#places;
      const rows = Math.ceil(row * 1.5);
      const wider = (from: Uint32Array) => grown(from, new Uint32Array(rows));
      this.#places = { segments: wider(segments), offsets: wider(offsets), lengths: wider(lengths) };
      this.#marked = grown(this.#marked, new Uint8Array(rows));
    }
    return row;
  }

  #append(kind: number, key: Uint8Array, value: Uint8Array): Place {
    const bytes = ENTRY_HEADER + key.length + value.length;
    if (this.#active.length > 0 && this.#active.length + bytes > this.#segmentBytes) this.seal();
    const segment = this.#active;
    const offset = segment.length;
    const { chunk, at } = segment.reserve(bytes, this.#chunkBytes);
    writeEntry(chunk, at, { kind, key, value });
    this.#bytes += bytes;
    return { segment, offset, bytes };
  }

  #settle(row: number, { segment, offset, bytes }: Place): void {
    this.#places.segments[row] = segment.id;
    this.#places.offsets[row] = offset;
    this.#places.lengths[row] = bytes;
  }

  /** Counts the entry of a row as dead. */
  #bury(row: number): void {
    const segment = this.segments.get(this.#places.segments[row]!);
    if (segment !== undefined) this.#waste(segment, this.#places.lengths[row]!);
  }

  #waste(segment: Segment, bytes: number): void {
    segment.dead += bytes;
    this.#dead += bytes;
  }
}

interface Place {
  readonly segment: Segment;
  readonly offset: number;
  readonly bytes: number;
}
