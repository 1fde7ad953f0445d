/**
 * Reads of a log in another thread that are asked for before anybody wants them.
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

/** What a read comes to, as it travels. */
export interface PackedRead extends Omit<ReadResult, "records"> {
  readonly records: PackedRecords;
}

/** How much a read takes. */
export type Limits = Pick<ReadOptions, "maxRecords" | "maxBytes">;

/** Readers of one partition that are read ahead for: as many as there are tasks, about. */
const MAX_READERS = 64;
/** How long a reader may take to come back, milliseconds. */
const KEEP_MS = 10_000;

/** Reads ahead, by place and position: who reads the same partition from elsewhere is not in the way. */
export class ReadsAhead {
  readonly #now: () => number;
  readonly #places = new Map<string, Map<number, ReadAhead>>();
  #sweptAt: number;

  /** @param now a clock in milliseconds that never goes back */
  constructor(now: () => number) {
    this.#now = now;
    this.#sweptAt = now();
  }

  /** Hands over what was read ahead from a position of a place, if that is what is wanted. */
  take(place: string, from: number, limits: Limits): ReadAhead | undefined {
    this.#sweep();
    const readers = this.#places.get(place);
    const ahead = readers?.get(from);
    readers?.delete(from);
    return ahead?.isFor(limits) ? ahead : ahead?.end();
  }

  /** Reads ahead, unless somebody else who stands there has done so. */
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

  /** Ends what nobody has come for: a task that has lost its partition does not come. */
  #sweep(): void {
    const now = this.#now();
    if (now - this.#sweptAt < KEEP_MS) return;
    this.#sweptAt = now;
    for (const [place, readers] of this.#places) {
      for (const [from, ahead] of readers) {
        if (now - ahead.begun < KEEP_MS) break; // they are in the order of their beginning
        ahead.end();
        readers.delete(from);
      }
      if (readers.size === 0) this.#places.delete(place);
    }
  }
}

/** A read that was asked for before anybody wanted it. */
class ReadAhead {
  readonly begun: number;
  readonly #limits: Limits;
  readonly #ending = new AbortController();
  readonly #read: Promise<PackedRead>;
  #isDone = false;
  /** Whether it has ended without a record: more may have come since. */
  #isVain = false;

  constructor(limits: Limits, begun: number, read: (signal: AbortSignal) => Promise<PackedRead>) {
    this.#limits = limits;
    this.begun = begun;
    this.#read = read(this.#ending.signal);
    const done = (found?: PackedRead) => {
      this.#isDone = true;
      this.#isVain = found === undefined || found.records.lengths.length === 0;
    };
    this.#read.then(done, () => done());
  }

  /** Whether it is what is wanted. */
  isFor({ maxRecords, maxBytes }: Limits): boolean {
    return !this.#isVain && maxRecords === this.#limits.maxRecords &&
      maxBytes === this.#limits.maxBytes;
  }

  /** What it finds within a time; else it ends. @throws the signal's reason */
  async take(waitMs: number, signal: AbortSignal | undefined): Promise<PackedRead | undefined> {
    if (this.#isDone) return await this.#read;
    // What is on its way may not be here yet: who does not wait for it must ask.
    return (waitMs > 0 ? await this.#wait(waitMs, signal) : undefined) ?? this.end();
  }

  /** Nobody wants it. */
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
