/**
 * Reads of a log in another thread that begin before a reader calls for them.
 *
 * ```text
 *   reader    read(5) ······> got 5..7, next 8          read(8) waits or has it at once
 *   ahead                            read(8) ──────────────┘
 * ```
 *
 * @module
 */

import type { ReadOptions, ReadResult } from "../log.ts";
import type { PackedRecords } from "./packed_records.ts";

export interface PackedRead extends Omit<ReadResult, "records"> {
  readonly records: PackedRecords;
}

export type Limits = Pick<ReadOptions, "maxRecords" | "maxBytes">;

/** Maximum number of readers of one partition to read ahead for: about as many as there can be tasks. */
const MAX_READERS = 64;
/** How long to keep a read for a reader that does not return, milliseconds. */
const KEEP_MS = 10_000;

/** Reads ahead, by partition and position, so readers of one partition at different positions do not interfere. */
export class ReadsAhead {
  readonly #now: () => number;
  readonly #places = new Map<string, Map<number, ReadAhead>>();
  #sweptAt: number;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
    this.#sweptAt = now();
  }

  /** Takes the read ahead at a position of a partition, if it has the same limits. */
  take(place: string, from: number, limits: Limits): ReadAhead | undefined {
    this.#sweep();
    const readers = this.#places.get(place);
    const ahead = readers?.get(from);
    readers?.delete(from);
    return ahead?.isFor(limits) ? ahead : ahead?.end();
  }

  /** Reads ahead, unless a read from this position is in progress. */
  begin(
    place: string,
    from: number,
    limits: Limits,
    read: (signal: AbortSignal) => Promise<PackedRead>,
  ): void {
    const readers = this.#places.get(place) ?? new Map<number, ReadAhead>();
    this.#places.set(place, readers);
    if (readers.has(from)) return;
    for (const [oldest, ahead] of readers) {
      if (readers.size < MAX_READERS) break;
      ahead.end();
      readers.delete(oldest);
    }
    readers.set(from, new ReadAhead(limits, this.#now(), read));
  }

  /** Aborts reads whose reader does not return, such as that of a task that lost its partition. */
  #sweep(): void {
    const now = this.#now();
    if (now - this.#sweptAt < KEEP_MS) return;
    this.#sweptAt = now;
    for (const [place, readers] of this.#places) {
      for (const [from, ahead] of readers) {
        if (now - ahead.begun < KEEP_MS) break; // oldest first
        ahead.end();
        readers.delete(from);
      }
      if (readers.size === 0) this.#places.delete(place);
    }
  }
}

/** A read that began before a reader called for it. */
class ReadAhead {
  readonly begun: number;
  readonly #limits: Limits;
  readonly #ending = new AbortController();
  readonly #read: Promise<PackedRead>;
  #isDone = false;
  /** Whether it ended without a record, so that it is of no use: some may have arrived since. */
  #isEmpty = false;

  constructor(limits: Limits, begun: number, read: (signal: AbortSignal) => Promise<PackedRead>) {
    this.#limits = limits;
    this.begun = begun;
    this.#read = read(this.#ending.signal);
    const done = (found?: PackedRead) => {
      this.#isDone = true;
      this.#isEmpty = found === undefined || found.records.lengths.length === 0;
    };
    this.#read.then(done, () => done());
  }

  /** Whether it is usable for a read with these limits. */
  isFor({ maxRecords, maxBytes }: Limits): boolean {
    return !this.#isEmpty && maxRecords === this.#limits.maxRecords &&
      maxBytes === this.#limits.maxBytes;
  }

  /** Its result, or `undefined` if that takes longer than `waitMs`; it is then aborted. @throws the signal's reason */
  async take(waitMs: number, signal: AbortSignal | undefined): Promise<PackedRead | undefined> {
    if (this.#isDone) return await this.#read;
    // The result may be on its way, so a caller that does not wait has to read for itself.
    return (waitMs > 0 ? await this.#wait(waitMs, signal) : undefined) ?? this.end();
  }

  /** Aborts it. */
  end(): undefined {
    this.#ending.abort();
  }

  async #wait(waitMs: number, signal: AbortSignal | undefined): Promise<PackedRead | undefined> {
    const { promise: ended, resolve: end, reject } = Promise.withResolvers<undefined>();
    const abort = () => reject(signal?.reason);
    signal?.addEventListener("abort", abort);
    const timer = setTimeout(() => end(undefined), waitMs);
    try {
      signal?.throwIfAborted();
      return await Promise.race([this.#read, ended]);
    } catch (error) {
      this.end();
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }
}
