/**
 * Recognises records of a source that were fed before: as many from its start as are on the log, with their checksum.
 */

import { crc32 } from "node:zlib";
import type { FilePosition } from "../topics/feeder_position.ts";

/** How far a source was fed; a sum of `null` fits any records. */
export type FedPosition = Pick<FilePosition, "next" | "sumBefore"> & { readonly sum: number | null };

/** Counts and sums the records of a source from its start, past those that were fed before. */
export class FedBefore {
  /** Number of records that were fed before. */
  readonly count: number;
  readonly #fed: FedPosition;
  /** Records passed, their checksum, and that of all but the last. */
  #passed = 0;
  #sum = 0;
  #sumBefore = 0;

  constructor(fed: FedPosition) {
    this.count = fed.next;
    this.#fed = fed;
  }

  /** Whether the next record is the first of a source of which none was fed before. */
  get isAtStart(): boolean {
    return this.count === 0 && this.#passed === 0;
  }

  /**
   * Passes the next record.
   *
   * @returns whether it was fed before; not so for a last record that was rejected as cut off and is whole now
   * @throws Error when the records so far are not those that were fed
   */
  pass(record: Uint8Array | string): boolean {
    const { sum, sumBefore } = this.#fed;
    this.#passed++;
    this.#sumBefore = this.#sum;
    this.#sum = crc32(record, this.#sum);
    if (this.#passed > this.count) return false;
    if (this.#passed < this.count || this.#sum === (sum ?? this.#sum)) return true;
    if (this.#sumBefore !== sumBefore) this.#refuse("its first records differ from those");
    return false;
  }

  /** Notes that no more records follow. @throws Error when there were fewer than were fed */
  end(): void {
    if (this.#passed < this.count) this.#refuse(`it has only ${this.#passed}`);
  }

  /** How far the source is fed once all that was passed is on the log. @param isRejected whether the last record was */
  position(isRejected: boolean): Omit<FilePosition, "shiftMs"> {
    return { next: this.#passed, sum: this.#sum, sumBefore: isRejected ? this.#sumBefore : undefined };
  }

  #refuse(reason: string): never {
    throw new Error(
      `Cannot resume the source, of which ${this.count} records are on the log: ${reason}; ` +
        `feed a different source under a name of its own`,
    );
  }
}
