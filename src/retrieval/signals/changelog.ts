/**
 * The records on the changelog that make signals durable: a snapshot in pieces, and the journals since.
 *
 * ```text
 *   commit   1      2      3      4      5      6      7
 *   journal  ·      ■      ■      ■      ·      ■      ■        a few hundred bytes per behaviour
 *   snapshot █                           █                      first, and when journals outweigh it; deletes them
 * ```
 *
 * @module
 */

import { joined } from "../../codec/joined.ts";
import { RETRIEVAL_KEY, type RetrievalRecord } from "./records.ts";

const JOURNAL_KEY = `${RETRIEVAL_KEY}journal:`;
const SNAPSHOT_KEY = `${RETRIEVAL_KEY}snapshot:`;
/** Size of a snapshot's records, well below what brokers accept. */
export const CHUNK_BYTES: number = 512 * 1024;
/** Journals smaller than this are not replaced by a snapshot. */
const MIN_JOURNAL_BYTES = 1 << 20;
const GONE = new Uint8Array(0);

/** Whether a record is a piece of a snapshot, which replaces the journals before it. */
export function isSnapshot(key: string, value: Uint8Array): boolean {
  return key.startsWith(SNAPSHOT_KEY) && value.length > 0;
}

/** Tracks which journals and which pieces of a snapshot are on the log, and their sizes. */
export class SignalChangelog {
  #journals: string[] = [];
  #journalBytes = 0;
  #nextJournal = 0;
  #snapshotChunks = 0;
  #snapshotBytes = 0;

  /** Whether the journals would outweigh the snapshot if these were added; without a snapshot, any would. */
  outweighs(journals: readonly Uint8Array[]): boolean {
    const least = this.#snapshotBytes === 0 ? 0 : MIN_JOURNAL_BYTES;
    return this.#journalBytes + sizeOf(journals) > Math.max(least, this.#snapshotBytes);
  }

  add(journals: readonly Uint8Array[]): readonly RetrievalRecord[] {
    this.#journalBytes += sizeOf(journals);
    return journals.map((value) => {
      const key = `${JOURNAL_KEY}${this.#nextJournal++}`;
      this.#journals.push(key);
      return { key, value };
    });
  }

  /** Replaces everything by a snapshot. */
  replace(snapshot: Uint8Array): readonly RetrievalRecord[] {
    const records: RetrievalRecord[] = this.#journals.map((key) => ({ key, value: GONE }));
    const chunks = Math.ceil(snapshot.length / CHUNK_BYTES);
    for (let k = 0; k < chunks; k++) {
      const value = snapshot.subarray(k * CHUNK_BYTES, (k + 1) * CHUNK_BYTES);
      records.push({ key: `${SNAPSHOT_KEY}${k}`, value });
    }
    for (let k = chunks; k < this.#snapshotChunks; k++) {
      records.push({ key: `${SNAPSHOT_KEY}${k}`, value: GONE });
    }
    this.#journals = [];
    this.#journalBytes = 0;
    this.#nextJournal = 0;
    this.#snapshotChunks = chunks;
    this.#snapshotBytes = snapshot.length;
    return records;
  }

  /**
   * Finds the snapshot and the journals among committed records; in later calls, the journals committed since. A
   * snapshot without its first piece was damaged and then deleted, and counts as none.
   *
   * @param records The newest value by key.
   * @returns The snapshot, `null` if there is none, and the journals to be applied to it, in order.
   */
  restore(
    records: ReadonlyMap<string, Uint8Array>,
  ): { readonly snapshot: RetrievalRecord | null; readonly journals: readonly RetrievalRecord[] } {
    const inOrder = (prefix: string) =>
      [...records].filter(([key, bytes]) => key.startsWith(prefix) && bytes.length > 0)
        .sort(([a], [b]) => numberOf(a) - numberOf(b));
    const pieces = inOrder(SNAPSHOT_KEY);
    const [first = "", last = ""] = [pieces[0]?.[0], pieces.at(-1)?.[0]];
    const chunks = first === `${SNAPSHOT_KEY}0` ? pieces.map(([, bytes]) => bytes) : [];
    const journals = inOrder(JOURNAL_KEY);
    if (last !== "") this.#snapshotChunks = numberOf(last) + 1;
    this.#snapshotBytes += sizeOf(chunks);
    for (const [key, bytes] of journals) {
      this.#journals.push(key);
      this.#journalBytes += bytes.length;
      this.#nextJournal = numberOf(key) + 1;
    }
    return {
      snapshot: chunks.length === 0 ? null : { key: first, value: joined(chunks) },
      journals: journals.map(([key, value]) => ({ key, value })),
    };
  }
}

function numberOf(key: string): number {
  return Number(key.slice(key.lastIndexOf(":") + 1));
}

function sizeOf(records: readonly Uint8Array[]): number {
  return records.reduce((sum, { length }) => sum + length, 0);
}
