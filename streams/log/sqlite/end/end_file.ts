/**
 * The file next to a SQLite log that records its end: `<path>-end`.
 *
 * SQLite reads a write-ahead log up to the first invalid byte and ignores the rest: right after a power cut, but after
 * damage it silently loses acknowledged records. So the {@linkcode CommittedState} is kept in a file of its own, twice:
 * as acknowledged, written after each commit before its caller learns of it, and as confirmed by the disk, written
 * after each sync. The death of the process loses neither. A power cut may lose whatever was acknowledged but not
 * confirmed, and what was written to this file since the last sync: so the file also holds for how long before a power
 * cut acknowledged records may be missing without a trace.
 *
 * ```text
 * header   "mndrend2", slot size uint32                                                              4096 bytes
 * slots    acknowledged, acknowledged, confirmed, confirmed; the slots of a pair are written alternately
 * slot     crc32 of what follows, length uint32, sequence float64, boot float64, window float64, CommittedState
 *          little-endian
 * ```
 */

import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { isNoRoom } from "./no_room.ts";
import { CommittedState } from "./committed_state.ts";

const MAGIC = "mndrend2";
const HEADER_BYTES = 4096;
const WINDOW_AT = 24;
const SLOT_HEAD_BYTES = 32;
const FIRST_SLOT_BYTES = 16 << 10;

export interface RecordedState {
  readonly state: CommittedState;
  /** When the machine that wrote it was started, milliseconds since the epoch; NaN = unknown. */
  readonly boot: number;
  /**
   * Records acknowledged within this many milliseconds before the machine stopped may be lost; 0 = none: the log was
   * closed, or waits for the disk before it acknowledges; NaN = unknown.
   */
  readonly windowMs: number;
}

export interface Memory {
  /** The last acknowledged state; `undefined` when it cannot be read. */
  readonly acknowledged: RecordedState | undefined;
  /** The last state that the disk confirmed; `undefined` when it cannot be read. */
  readonly confirmed: RecordedState | undefined;
}

/** A pair of slots, by the index of its first. */
type Pair = 0 | 2;
const ACKNOWLEDGED: Pair = 0;
const CONFIRMED: Pair = 2;

export function readMemory(path: string): Memory | "absent" | "damaged" {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "absent";
    throw error;
  }
  const magic = new TextDecoder("latin1").decode(bytes.subarray(0, MAGIC.length));
  if (bytes.length < HEADER_BYTES || magic !== MAGIC) return "damaged";
  const slotBytes = new DataView(bytes.buffer).getUint32(MAGIC.length, true);
  if (bytes.length !== HEADER_BYTES + 4 * slotBytes) return "damaged";
  const slot = (i: number) => {
    const at = HEADER_BYTES + i * slotBytes;
    return readSlot(bytes.subarray(at, at + slotBytes));
  };
  const pair = (first: Pair) => newest([slot(first), slot(first + 1)]);
  const [acknowledged, confirmed] = [pair(ACKNOWLEDGED), pair(CONFIRMED)];
  return acknowledged === undefined && confirmed === undefined ? "damaged" : { acknowledged, confirmed };
}

interface Slot extends RecordedState {
  readonly sequence: number;
}

function newest([one, other]: readonly (Slot | undefined)[]): Slot | undefined {
  return one === undefined || (other !== undefined && other.sequence > one.sequence) ? other : one;
}

function readSlot(slot: Uint8Array): Slot | undefined {
  const view = new DataView(slot.buffer, slot.byteOffset, slot.length);
  const length = view.getUint32(4, true);
  if (length < SLOT_HEAD_BYTES || length > slot.length) return undefined;
  if (crc32(slot.subarray(4, length)) !== view.getUint32(0, true)) return undefined;
  const [sequence, boot, windowMs] = [8, 16, WINDOW_AT].map((at) => view.getFloat64(at, true));
  const state = CommittedState.from(slot.subarray(SLOT_HEAD_BYTES, length));
  return { state, sequence: sequence ?? NaN, boot: boot ?? NaN, windowMs: windowMs ?? NaN };
}

export interface EndFileOptions {
  /** See {@linkcode RecordedState}. */
  readonly boot: number;
  /** See {@linkcode RecordedState}. */
  readonly windowMs: number;
}

/** An end file, open for writing. */
export class EndFile {
  readonly #path: string;
  readonly #boot: number;
  #windowMs: number;
  #file: Deno.FsFile;
  #slotBytes = FIRST_SLOT_BYTES;
  #sequence = 0;
  /** Newest slot of each pair. */
  readonly #slots = new Map<Pair, Uint8Array>();
  /** Which slot of each pair is the newest; the other is written next, so a torn write never destroys the newest. */
  readonly #newest = new Map<Pair, 0 | 1>();

  /**
   * Replaces the file with a new one.
   *
   * @param state the state that the disk has confirmed
   */
  constructor(path: string, state: CommittedState, { boot, windowMs }: EndFileOptions) {
    this.#path = path;
    this.#boot = boot;
    this.#windowMs = windowMs;
    this.#slot(CONFIRMED, state.bytes);
    this.#file = this.#replace(this.#slot(ACKNOWLEDGED, state.bytes).length);
  }

  /** Writes the acknowledged state. */
  acknowledge(state: CommittedState): void {
    this.#write(ACKNOWLEDGED, state.bytes);
  }

  /**
   * Writes a state that the disk has confirmed.
   *
   * @param bytes of a {@linkcode CommittedState}
   * @returns whether there was room for it; else the newest state before it stays
   */
  async confirm(bytes: Uint8Array): Promise<boolean> {
    if (!this.#writeIfRoom(CONFIRMED, bytes)) return false;
    await this.#file.syncData();
    return true;
  }

  /** Writes the final state, all of which the disk has confirmed, if there is room. */
  async seal(state: CommittedState): Promise<void> {
    this.#windowMs = 0;
    if (this.#writeIfRoom(ACKNOWLEDGED, state.bytes)) await this.confirm(state.bytes);
  }

  /** Writes a slot. @returns whether there was room for it */
  #writeIfRoom(pair: Pair, state: Uint8Array): boolean {
    try {
      this.#write(pair, state);
      return true;
    } catch (error) {
      if (isNoRoom(error)) return false;
      throw error;
    }
  }

  close(): void {
    this.#file.close();
  }

  /** Encodes a state as a slot of a pair; reuses the pair's buffer. */
  #slot(pair: Pair, state: Uint8Array): Uint8Array {
    const length = SLOT_HEAD_BYTES + state.length;
    let slot = this.#slots.get(pair);
    if (slot?.length !== length) this.#slots.set(pair, slot = new Uint8Array(length));
    const view = new DataView(slot.buffer);
    view.setUint32(4, slot.length, true);
    view.setFloat64(8, ++this.#sequence, true);
    view.setFloat64(16, this.#boot, true);
    view.setFloat64(WINDOW_AT, this.#windowMs, true);
    slot.set(state, SLOT_HEAD_BYTES);
    view.setUint32(0, crc32(slot.subarray(4)), true);
    return slot;
  }

  #write(pair: Pair, state: Uint8Array): void {
    const slot = this.#slot(pair, state);
    if (slot.length > this.#slotBytes) {
      const before = this.#file;
      this.#file = this.#replace(slot.length);
      before.close();
      return;
    }
    const turn = this.#newest.get(pair) === 0 ? 1 : 0;
    put(this.#file, slot, HEADER_BYTES + (pair + turn) * this.#slotBytes);
    this.#newest.set(pair, turn);
  }

  /** Replaces the file with one whose slots hold at least this many bytes. */
  #replace(bytes: number): Deno.FsFile {
    let slotBytes = this.#slotBytes;
    while (slotBytes < bytes) slotBytes *= 2;
    const path = `${this.#path}.new`;
    const file = Deno.openSync(path, { read: true, write: true, create: true, truncate: true });
    try {
      const head = new Uint8Array(HEADER_BYTES + 4 * slotBytes);
      head.set(new TextEncoder().encode(MAGIC));
      new DataView(head.buffer).setUint32(MAGIC.length, slotBytes, true);
      for (const [pair, slot] of this.#slots) head.set(slot, HEADER_BYTES + pair * slotBytes);
      put(file, head, 0);
      file.syncSync();
      Deno.renameSync(path, this.#path);
      syncFolder(dirname(this.#path));
      this.#slotBytes = slotBytes;
      for (const pair of this.#slots.keys()) this.#newest.set(pair, 0);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }
}

/** Syncs a file, if there is one. */
export function syncFile(path: string): void {
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  using opened = file;
  opened.syncDataSync();
}

/** Syncs the entries of a folder, except on Windows, which cannot. */
export function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return;
  using folder = Deno.openSync(path);
  folder.syncSync();
}

function put(file: Deno.FsFile, bytes: Uint8Array, at: number): void {
  file.seekSync(at, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
