/**
 * The records on the changelog that signals are durable by: a snapshot in pieces, and the journals since.
 *
 * ```text
 *   commit   1      2      3      4      5      6      7
 *   journal  ·      ■      ■      ■      ·      ■      ■        a few hundred bytes a behaviour
 *   snapshot █                           █                      at first, and once the journals outweigh it; they are deleted then
 * ```
 *
 * @module
 */

import { reasonOf } from "../../values/reason.ts";

/** Prefix of the keys of all records. */
export const RETRIEVAL_KEY = "retrieval:";
const JOURNAL_KEY = `${RETRIEVAL_KEY}journal:`;
const SNAPSHOT_KEY = `${RETRIEVAL_KEY}snapshot:`;
/** A record of a snapshot: well below what brokers take. */
export const CHUNK_BYTES: number = 512 * 1024;
/** Journals that weigh less make no snapshot. */
const MIN_JOURNAL_BYTES = 1 << 20;

/** A record to write; an empty value is one that is not needed any more. */
export interface RetrievalRecord {
  /** Key on the topic `statistics`. */
  readonly key: string;
  /** The record. */
  readonly value: Uint8Array;
}

/** Says which of many records cannot be read. */
export class DamagedChange extends SyntaxError {
  /** Key of the record; of a snapshot, that of its first piece. */
  readonly key: string;

  /** Wraps what reading a record has thrown. */
  constructor(key: string, cause: unknown) {
    super(reasonOf(cause), { cause });
    this.key = key;
  }
}

/** What reading gives. @throws DamagedChange what it throws */
export function readingChange<T>(key: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new DamagedChange(key, cause);
  }
}

const GONE = new Uint8Array(0);

/** Knows which journals and which pieces of a snapshot stand on the log, and what they weigh. */
export class SignalChangelog {
  /** Keys of the journals. */
  #journals: string[] = [];
  #journalBytes = 0;
  #nextJournal = 0;
  #snapshotChunks = 0;
  #snapshotBytes = 0;

  /** Whether the journals would outweigh the snapshot if these were added; where there is none, any would. */
  outweighs(journals: readonly Uint8Array[]): boolean {
    const least = this.#snapshotBytes === 0 ? 0 : MIN_JOURNAL_BYTES;
    return this.#journalBytes + sizeOf(journals) > Math.max(least, this.#snapshotBytes);
  }

  /** Adds journals behind those that there are. */
  add(journals: readonly Uint8Array[]): readonly RetrievalRecord[] {
    this.#journalBytes += sizeOf(journals);
    return journals.map((value) => {
      const key = `${JOURNAL_KEY}${this.#nextJournal++}`;
      this.#journals.push(key);
      return { key, value };
    });
  }

  /** Puts a snapshot in the place of all that there is. */
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
   * Finds the snapshot and the journals among committed records.
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
    const chunks = pieces.map(([, bytes]) => bytes);
    const journals = inOrder(JOURNAL_KEY);
    this.#snapshotChunks = chunks.length;
    this.#snapshotBytes = sizeOf(chunks);
    for (const [key, bytes] of journals) {
      this.#journals.push(key);
      this.#journalBytes += bytes.length;
      this.#nextJournal = numberOf(key) + 1;
    }
    return {
      snapshot: pieces[0] === undefined ? null : { key: pieces[0][0], value: joined(chunks) },
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

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(sizeOf(chunks));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
