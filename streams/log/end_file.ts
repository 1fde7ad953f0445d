/**
 * The file beside a SQLite log that remembers its end: `<path>-end`.
 *
 * SQLite takes a write-ahead log up to the first byte that does not fit, and goes on as if the rest had never been: after a
 * power cut that is right, after damage it loses what was acknowledged without a word. So the {@linkcode CommittedState}
 * stands in a file of its own, in two places: as it was acknowledged, written after each commit and before its caller
 * hears of it, and as the disk has confirmed it, written after each sync. A process that dies takes neither along. What a
 * power cut may take is what was acknowledged and not yet confirmed.
 *
 * ```text
 * header   "mndrend1", slot size uint32                                                              4096 bytes
 * slots    acknowledged, acknowledged, confirmed, confirmed; each pair is written in turns
 * slot     crc32 of what follows, length uint32, sequence float64, boot float64, CommittedState      little-endian
 * ```
 *
 * @module
 */

import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { CommittedState } from "./committed_state.ts";

const MAGIC = new TextEncoder().encode("mndrend1");
const HEADER_BYTES = 4096;
const SLOT_HEAD_BYTES = 24;
const FIRST_SLOT_BYTES = 16 << 10;

/** A state that was remembered. */
export interface Remembered {
  readonly state: CommittedState;
  /** When the machine was started on which it was written, milliseconds since the epoch; NaN = not known. */
  readonly boot: number;
}

/** What a file remembers. */
export interface Memory {
  /** As it was acknowledged; `undefined` when that cannot be read. */
  readonly acknowledged: Remembered | undefined;
  /** As the disk has confirmed it; `undefined` when that cannot be read. */
  readonly confirmed: Remembered | undefined;
}

/** Which pair of slots. */
type Pair = 0 | 2;
const ACKNOWLEDGED: Pair = 0;
const CONFIRMED: Pair = 2;

/** Reads a file; `null` when there is none, or it does not say what it should. */
export function readMemory(path: string): Memory | "absent" | "damaged" {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "absent";
    throw error;
  }
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, i) => bytes[i] !== byte)) return "damaged";
  const slotBytes = new DataView(bytes.buffer).getUint32(MAGIC.length, true);
  if (bytes.length !== HEADER_BYTES + 4 * slotBytes) return "damaged";
  const pair = (first: Pair) => newest([first, first + 1].map((i) => readSlot(bytes, slotBytes, i)));
  const [acknowledged, confirmed] = [pair(ACKNOWLEDGED), pair(CONFIRMED)];
  return acknowledged === undefined && confirmed === undefined ? "damaged" : { acknowledged, confirmed };
}

interface Slot extends Remembered {
  readonly sequence: number;
}

function newest([one, other]: readonly (Slot | undefined)[]): Slot | undefined {
  return one === undefined || (other !== undefined && other.sequence > one.sequence) ? other : one;
}

function readSlot(bytes: Uint8Array, slotBytes: number, i: number): Slot | undefined {
  const slot = bytes.subarray(HEADER_BYTES + i * slotBytes, HEADER_BYTES + (i + 1) * slotBytes);
  const view = new DataView(slot.buffer, slot.byteOffset, slot.length);
  const length = view.getUint32(4, true);
  if (length < SLOT_HEAD_BYTES || length > slot.length) return undefined;
  if (crc32(slot.subarray(4, length)) !== view.getUint32(0, true)) return undefined;
  const state = CommittedState.from(slot.subarray(SLOT_HEAD_BYTES, length));
  return { state, sequence: view.getFloat64(8, true), boot: view.getFloat64(16, true) };
}

/** A file that remembers, open for writing. */
export class EndFile {
  readonly #path: string;
  readonly #boot: number;
  #file: Deno.FsFile;
  #slotBytes = FIRST_SLOT_BYTES;
  #sequence = 0;
  /** Newest slot of each pair. */
  readonly #slots = new Map<Pair, Uint8Array>();

  /**
   * Begins anew with a state, and replaces what was there.
   *
   * @param confirmed what is known to be on the disk
   * @param boot see {@linkcode Remembered}
   */
  constructor(path: string, state: CommittedState, confirmed: CommittedState | undefined, boot: number) {
    this.#path = path;
    this.#boot = boot;
    if (confirmed !== undefined) this.#slot(CONFIRMED, confirmed.bytes);
    this.#file = this.#replace(this.#slot(ACKNOWLEDGED, state.bytes).length);
  }

  /** Notes what is acknowledged from now on. */
  acknowledge(state: CommittedState): void {
    this.#write(ACKNOWLEDGED, state.bytes);
  }

  /** Notes what the disk has confirmed. @param bytes of a {@linkcode CommittedState} */
  async confirm(bytes: Uint8Array): Promise<void> {
    this.#write(CONFIRMED, bytes);
    await this.#file.syncData();
  }

  /** Lets go of the file. */
  close(): void {
    this.#file.close();
  }

  /** A slot of a pair with a state, in the place of the one before it. */
  #slot(pair: Pair, state: Uint8Array): Uint8Array {
    const length = SLOT_HEAD_BYTES + state.length;
    let slot = this.#slots.get(pair);
    if (slot?.length !== length) this.#slots.set(pair, slot = new Uint8Array(length));
    const view = new DataView(slot.buffer);
    view.setUint32(4, slot.length, true);
    view.setFloat64(8, ++this.#sequence, true);
    view.setFloat64(16, this.#boot, true);
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
    } else put(this.#file, slot, HEADER_BYTES + (pair + this.#sequence % 2) * this.#slotBytes);
  }

  /** Writes a file anew in which slots of a size have room, and puts it in the place of the one that is there. */
  #replace(bytes: number): Deno.FsFile {
    while (this.#slotBytes < bytes) this.#slotBytes *= 2;
    const path = `${this.#path}.new`;
    const file = Deno.openSync(path, { read: true, write: true, create: true, truncate: true });
    try {
      const head = new Uint8Array(HEADER_BYTES + 4 * this.#slotBytes);
      head.set(MAGIC);
      new DataView(head.buffer).setUint32(MAGIC.length, this.#slotBytes, true);
      for (const [pair, slot] of this.#slots) head.set(slot, HEADER_BYTES + pair * this.#slotBytes);
      put(file, head, 0);
      file.syncSync();
      Deno.renameSync(path, this.#path);
      syncFolder(dirname(this.#path));
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }
}

/** Has the disk confirm which files are in a folder, where the system lets us ask for that. */
export function syncFolder(path: string): void {
  if (Deno.build.os === "windows") return;
  using folder = Deno.openSync(path);
  folder.syncSync();
}

function put(file: Deno.FsFile, bytes: Uint8Array, at: number): void {
  file.seekSync(at, Deno.SeekMode.Start);
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}
