/**
 * What a task has taken from the journals of other tasks: the positions reached, and the journals that are not
 * committed yet. Once committed, they are part of the task's own journals.
 */

import { ByteReader } from "../../codec/byte_reader.ts";
import { ByteWriter } from "../../codec/byte_writer.ts";
import { CHUNK_BYTES } from "./changelog.ts";

/** First byte of a record with journals of others; an own journal begins with its format. */
const OF_OTHERS = 255;

/** Journals of other tasks, and the positions after them. */
export class TakenJournals {
  readonly #positions = new Map<number, number>();
  #moved = false;
  /** The journals since the last commit, as records. */
  #records: ByteWriter[] = [];
  #bytes = 0;

  /** By partition, the position after what was taken. */
  get positions(): ReadonlyMap<number, number> {
    return this.#positions;
  }

  /** Whether positions have changed since they were last encoded. */
  get moved(): boolean {
    return this.#moved;
  }

  /** Bytes that wait for a commit. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Records that nothing is left to be taken from a partition before a position. */
  pass(partition: number, next: number): void {
    this.#positions.set(partition, next);
    this.#moved = true;
  }

  /** Adds a journal to those that wait for a commit. */
  add(journal: Uint8Array): void {
    let record = this.#records.at(-1);
    if (record === undefined || record.length + journal.length > CHUNK_BYTES) {
      this.#records.push(record = new ByteWriter().u8(OF_OTHERS));
    }
    record.bytes(journal);
    this.#bytes += journal.length;
  }

  /** Returns the records to commit, and drops them here. */
  take(): Uint8Array[] {
    const records = this.#records.map((record) => record.toBytes());
    this.#records = [];
    this.#bytes = 0;
    return records;
  }

  encodePositions(to: ByteWriter): void {
    to.uint(this.#positions.size);
    for (const [partition, next] of [...this.#positions].sort(([a], [b]) => a - b)) {
      to.uint(partition).uint(next);
    }
    this.#moved = false;
  }

  decodePositions(from: ByteReader): void {
    for (let n = from.count(); n > 0; n--) this.#positions.set(from.uint(), from.uint());
  }
}

/** The journals in a record of {@linkcode TakenJournals.take}, in order; `null` if the record is an own journal. */
export function takenFrom(record: Uint8Array): readonly Uint8Array[] | null {
  if (record[0] !== OF_OTHERS) return null;
  const from = new ByteReader(record.subarray(1));
  const journals: Uint8Array[] = [];
  while (!from.done) journals.push(from.bytes());
  return journals;
}
