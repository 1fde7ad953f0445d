/**
 * Segments of a record store: runs of entries in memory or partly in files.
 *
 * ```text
 * segment = entries; entry = crc32 u32 of what follows, value length u32, key length u16, kind u8, 0 u8, key, value
 * kind    = 0 put, 1 put of a record that is marked, 2 delete, 3 position (no key): see state_store.ts
 * ```
 */

import { crc32 } from "node:zlib";

/** Kinds of entries. */
export const KIND = { put: 0, marked: 1, delete: 2, position: 3 } as const;

/** Bytes of an entry before its key. */
export const ENTRY_HEADER = 12;

/** Why an entry cannot be used. */
export class DamagedEntry extends Error {
  override name = "DamagedEntry";
}

/** Bytes of entries, one after another. */
interface Chunk {
  /** Where the chunk begins in its segment. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** A run of entries; those not yet in a file are in memory. */
export class Segment {
  /** Number of the segment; newer segments have higher numbers. */
  readonly id: number;
  /** Bytes of all entries. */
  length = 0;
  /** Bytes that are in the file. */
  written = 0;
  /** Bytes of entries that were replaced by newer ones. */
  dead = 0;
  readonly chunks: Chunk[] = [];

  constructor(id: number) {
    this.id = id;
  }

  /** Reserves room for an entry at the end. */
  reserve(bytes: number, chunkBytes: number): { readonly chunk: Uint8Array; readonly at: number } {
    let last = this.chunks.at(-1);
    if (last === undefined || this.length - last.start + bytes > last.bytes.length) {
      last = { start: this.length, bytes: new Uint8Array(Math.max(bytes, chunkBytes)) };
      this.chunks.push(last);
    }
    const at = this.length - last.start;
    this.length += bytes;
    return { chunk: last.bytes, at };
  }

  /** The bytes of an entry, if they are in memory. */
  held(offset: number, length: number): Uint8Array | null {
    const chunk = this.chunks.findLast(({ start }) => start <= offset);
    return chunk === undefined
      ? null
      : chunk.bytes.subarray(offset - chunk.start, offset - chunk.start + length);
  }

  /** The next bytes to write; `null` when all are written. */
  unwritten(): Uint8Array | null {
    const chunk = this.chunks.find(({ start, bytes }) => start + bytes.length > this.written);
    if (chunk === undefined || this.written === this.length) return null;
    // A chunk may have unused room at its end: the next chunk begins where the last entry ends.
    const next = this.chunks[this.chunks.indexOf(chunk) + 1]?.start ?? this.length;
    return chunk.bytes.subarray(this.written - chunk.start, next - chunk.start);
  }

  /** All entries of a segment that is entirely in memory. */
  whole(): Uint8Array {
    const whole = new Uint8Array(this.length);
    for (const [i, { start, bytes }] of this.chunks.entries()) {
      const next = this.chunks[i + 1]?.start ?? this.length;
      whole.set(bytes.subarray(0, next - start), start);
    }
    return whole;
  }

  /** Adds to the bytes that are in the file, and drops chunks that are entirely there. */
  wrote(bytes: number, sealed: boolean): void {
    this.written += bytes;
    while (this.chunks.length > 0) {
      const next = this.chunks[1]?.start ?? (sealed ? this.length : Infinity);
      if (next > this.written) return;
      this.chunks.shift();
    }
  }
}

export interface Entry {
  readonly kind: number;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

interface ReadEntry extends Entry {
  /** Where the next entry begins. */
  readonly end: number;
}

export function writeEntry(into: Uint8Array, at: number, { kind, key, value }: Entry): void {
  const end = at + ENTRY_HEADER + key.length + value.length;
  writeU32(into, at + 4, value.length);
  into[at + 8] = key.length;
  into[at + 9] = key.length >>> 8;
  into[at + 10] = kind;
  into.set(key, at + ENTRY_HEADER);
  into.set(value, at + ENTRY_HEADER + key.length);
  writeU32(into, at, crc32(into.subarray(at + 4, end)));
}

/** The entry that begins at `at`, or `null` when the bytes end before it does. @throws DamagedEntry */
export function readEntry(bytes: Uint8Array, at: number, check = true): ReadEntry | null {
  if (at + ENTRY_HEADER > bytes.length) return null;
  const valueLength = readU32(bytes, at + 4);
  const keyLength = bytes[at + 8]! | bytes[at + 9]! << 8;
  const kind = bytes[at + 10]!;
  const end = at + ENTRY_HEADER + keyLength + valueLength;
  if (kind > KIND.position || bytes[at + 11] !== 0) throw new DamagedEntry(`no entry begins at ${at}`);
  if (end > bytes.length) return null;
  if (check && crc32(bytes.subarray(at + 4, end)) !== readU32(bytes, at)) {
    throw new DamagedEntry(`the checksum of the entry at ${at} is wrong`);
  }
  const value = at + ENTRY_HEADER + keyLength;
  return { kind, key: bytes.subarray(at + ENTRY_HEADER, value), value: bytes.subarray(value, end), end };
}

function readU32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24) >>> 0;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
