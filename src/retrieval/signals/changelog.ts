/**
 * The records on the changelog that make signals durable: a snapshot in pieces, and the journals since.
 *
 * A snapshot is written over several commits, while journals go on. Its last piece, the _head_, makes it count: from
 * then on what was before it is garbage, which later commits delete.
 *
 * ```text
 *   commit         1   2   3   4   5   6   7   8
 *   generation 1   █   ■   ■   ■                       a journal is some hundred bytes per behaviour
 *   generation 2               ▒   ▒■  █■  ■   ■       as of commit 4, counts from commit 6 on
 *   deleted                            ×   ×           what is left of generation 1
 * ```
 *
 * Three sets of keys are used in turn, so that journals of the next generation, which continue those of this one, can
 * be told from garbage of the one before. A process that stops leaves pieces without a head, which are garbage, too.
 * @module
 */

import { ByteReader } from "../../codec/byte_reader.ts";
import { ByteWriter } from "../../codec/byte_writer.ts";
import { joined } from "../../codec/joined.ts";
import {
  DamagedChange,
  readFormat,
  RETRIEVAL_FORMATS,
  RETRIEVAL_KEY,
  type RetrievalRecord,
} from "./records.ts";

const JOURNAL_KEY = `${RETRIEVAL_KEY}journal:`;
const PIECE_KEY = `${RETRIEVAL_KEY}piece:`;
/** In format 1 these are the pieces, which are written at once. */
const SNAPSHOT_KEY = `${RETRIEVAL_KEY}snapshot:`;
const HEAD_KEY = `${SNAPSHOT_KEY}0`;
/** The format from which on a snapshot has a head, and parts by name. */
export const PARTS_SINCE = 2;
const SETS = 3;
/** Size of a snapshot's records, well below what brokers accept. */
export const CHUNK_BYTES: number = 512 * 1024;
/** Journals smaller than this are not replaced by a snapshot. */
const MIN_JOURNAL_BYTES = 1 << 20;
const GONE = new Uint8Array(0);

/** Whether a record makes a snapshot count, which replaces the journals before it. */
export function isSnapshot(key: string, value: Uint8Array): boolean {
  return key === HEAD_KEY && value.length > 0;
}

/** A snapshot that was read. */
export interface StoredSnapshot {
  /** The key that an error names. */
  readonly key: string;
  readonly format: number;
  /** Its bytes, in order. */
  readonly pieces: readonly Uint8Array[];
}

/** Where a record belongs. */
interface Place {
  readonly kind: "journal" | "piece";
  readonly set: number;
  readonly number: number;
}

/** A head with the last piece; alone, it is a snapshot in one record. */
export function encodeHead(
  last: Uint8Array,
  { generation, first, pieces }: {
    readonly generation: number;
    readonly first: number;
    readonly pieces: number;
  } = { generation: 0, first: 0, pieces: 0 },
): Uint8Array {
  const to = new ByteWriter(last.length + 32).u8(RETRIEVAL_FORMATS.newest);
  return joined([to.uint(generation).uint(first).uint(pieces).view(), last]);
}

/** Tracks which journals and which pieces of a snapshot are on the log, and their sizes. */
export class SignalChangelog {
  /** Of the snapshot that counts; 0 = none, or one of format 1, beside which no piece of the next may stand. */
  #generation = 0;
  /** Pieces before its head, and number of the first journal of its set that is not in it. */
  #pieces = 0;
  #first = 0;
  #snapshotBytes = 0;
  #journalBytes = 0;
  /** Keys of records that count, of those that the snapshot being written will replace, and of garbage. */
  #kept = new Set<string>();
  #replaced = new Set<string>();
  #garbage: string[] = [];
  /** The generation of the next journal, and its number there. */
  #journalsOf = 0;
  #nextJournal = 0;
  /** What is written so far of the next snapshot, which covers everything before its first journal. */
  #next = { pieces: 0, bytes: 0, first: 0, journalBytes: 0 };

  /** Whether the journals, with these added, outweigh the snapshot `times` times; without a snapshot, any do. */
  outweighs(journals: readonly Uint8Array[], times = 1): boolean {
    const least = this.#snapshotBytes === 0 ? 0 : MIN_JOURNAL_BYTES;
    return this.#journalBytes + sizeOf(journals) > times * Math.max(least, this.#snapshotBytes);
  }

  /** Whether the next snapshot has to be written by one commit, as an earlier release might read what is beside it. */
  get isWhole(): boolean {
    return this.#generation === 0;
  }

  /** Whether there is garbage to {@linkcode SignalChangelog.sweep}. */
  get hasGarbage(): boolean {
    return this.#garbage.length > 0;
  }

  add(journals: readonly Uint8Array[]): readonly RetrievalRecord[] {
    const bytes = sizeOf(journals);
    this.#journalBytes += bytes;
    this.#next.journalBytes += bytes;
    return journals.map((value) => {
      const set = this.#journalsOf % SETS;
      return this.#keep(JOURNAL_KEY + (set === 0 ? "" : `${set}:`) + this.#nextJournal++, value);
    });
  }

  /** Begins a snapshot of what was added until now. Call only without garbage. */
  begin(): void {
    if (this.#journalsOf === this.#generation) this.#nextJournal = 0;
    this.#journalsOf = this.#generation + 1;
    this.#next = { pieces: 0, bytes: 0, first: this.#nextJournal, journalBytes: 0 };
    [this.#replaced, this.#kept] = [this.#kept, new Set()];
    this.#replaced.delete(HEAD_KEY);
  }

  /** Adds a piece to the snapshot. */
  piece(value: Uint8Array): RetrievalRecord {
    this.#next.bytes += value.length;
    return this.#keep(`${PIECE_KEY}${this.#journalsOf % SETS}:${this.#next.pieces++}`, value);
  }

  /** Ends the snapshot, which replaces everything before it. @param last Its last piece */
  end(last: Uint8Array): RetrievalRecord {
    const { pieces, bytes, first, journalBytes } = this.#next;
    this.#generation = this.#journalsOf;
    [this.#pieces, this.#first] = [pieces, first];
    [this.#snapshotBytes, this.#journalBytes] = [bytes + last.length, journalBytes];
    [this.#garbage, this.#replaced] = [[...this.#replaced], new Set()];
    return this.#keep(HEAD_KEY, encodeHead(last, { generation: this.#generation, first, pieces }));
  }

  /** Deletes garbage. @param most Most records to delete */
  sweep(most: number): readonly RetrievalRecord[] {
    const from = Math.max(0, this.#garbage.length - most);
    return this.#garbage.splice(from).map((key) => ({ key, value: GONE }));
  }

  /**
   * Finds the snapshot and the journals among committed records; in later calls, the journals committed since. Without
   * its head a snapshot was damaged and then deleted, and counts as none.
   *
   * @param records The newest value by key.
   * @returns The snapshot, `null` if there is none, and the journals to be applied to it, in order.
   * @throws DamagedChange when a piece of the snapshot is missing, or the head is malformed
   */
  restore(
    records: ReadonlyMap<string, Uint8Array>,
  ): { readonly snapshot: StoredSnapshot | null; readonly journals: readonly RetrievalRecord[] } {
    const snapshot = this.#readSnapshot(records);
    const journals: { readonly key: string; readonly value: Uint8Array; readonly order: number }[] = [];
    for (const [key, value] of records) {
      const place = placeOf(key);
      if (value.length === 0 || place?.kind !== "journal" || !this.#counts(place)) continue;
      const isNext = place.set !== this.#generation % SETS;
      journals.push({ key, value, order: place.number + (isNext ? 2 ** 40 : 0) });
      if (isNext) this.#journalsOf = this.#generation + 1;
    }
    journals.sort((a, b) => a.order - b.order);
    const last = journals.at(-1);
    if (last !== undefined) this.#nextJournal = placeOf(last.key)!.number + 1;
    this.#journalBytes += sizeOf(journals.map(({ value }) => value));
    this.#sort(records);
    return { snapshot, journals };
  }

  #readSnapshot(records: ReadonlyMap<string, Uint8Array>): StoredSnapshot | null {
    const head = records.get(HEAD_KEY) ?? GONE;
    if (head.length === 0) return null;
    let pieces: Uint8Array[] = [];
    try {
      const from = new ByteReader(head);
      const format = readFormat(from, RETRIEVAL_FORMATS);
      if (format < PARTS_SINCE) {
        for (let k = 0; (records.get(`${SNAPSHOT_KEY}${k}`)?.length ?? 0) > 0; k++) {
          pieces.push(records.get(`${SNAPSHOT_KEY}${k}`)!);
        }
        pieces = [joined(pieces)];
      } else {
        this.#generation = this.#journalsOf = from.uint();
        this.#nextJournal = this.#first = from.uint();
        this.#pieces = from.uint();
        for (let k = 0; k < this.#pieces; k++) {
          const piece = records.get(`${PIECE_KEY}${this.#generation % SETS}:${k}`) ?? GONE;
          if (piece.length === 0) throw new SyntaxError(`piece ${k} of ${this.#pieces} is missing`);
          pieces.push(piece);
        }
        pieces.push(head.subarray(from.position));
      }
      this.#snapshotBytes = sizeOf(pieces);
      return { key: HEAD_KEY, format, pieces };
    } catch (cause) {
      throw new DamagedChange(HEAD_KEY, cause);
    }
  }

  #keep(key: string, value: Uint8Array): RetrievalRecord {
    this.#kept.add(key);
    return { key, value };
  }

  /** Whether a record is read by a restore. */
  #counts({ kind, set, number }: Place): boolean {
    const isOwn = set === this.#generation % SETS;
    if (kind === "piece") return isOwn && number < this.#pieces;
    return isOwn ? number >= this.#first : set === (this.#generation + 1) % SETS;
  }

  /** Separates records that count from garbage. */
  #sort(records: ReadonlyMap<string, Uint8Array>): void {
    const all = new Set([...this.#kept, ...this.#garbage]);
    for (const [key, { length }] of records) {
      if (length === 0) all.delete(key);
      else if (key.startsWith(SNAPSHOT_KEY) || placeOf(key) !== null) all.add(key);
    }
    const doesCount = (key: string) => {
      const place = placeOf(key);
      return place === null ? key === HEAD_KEY || this.#generation === 0 : this.#counts(place);
    };
    this.#garbage = [...all].filter((key) => !doesCount(key));
    this.#kept = new Set([...all].filter(doesCount));
  }
}

/** Where a record belongs; `null` for those of {@linkcode SNAPSHOT_KEY}, and of others. */
function placeOf(key: string): Place | null {
  const kind = key.startsWith(JOURNAL_KEY) ? "journal" : key.startsWith(PIECE_KEY) ? "piece" : null;
  if (kind === null) return null;
  const [last = "", set = "0"] = key.slice(RETRIEVAL_KEY.length + kind.length + 1).split(":").reverse();
  return { kind, set: Number(set), number: Number(last) };
}

function sizeOf(records: readonly Uint8Array[]): number {
  return records.reduce((sum, { length }) => sum + length, 0);
}
