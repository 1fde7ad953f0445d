/**
 * Replaces `streams/log/sqlite/wal/wal_mover.ts` in a simulated world: the writer does the work of its thread
 * immediately.
 *
 * @module
 */

const MOVE_BYTES = 16 << 20;
const PAGE_BYTES = 4096;

/** See `streams/log/sqlite/wal/wal_mover.ts`. */
export const MAX_WAL_BYTES: number = 64 << 20;

/** See `streams/log/sqlite/wal/wal_mover.ts`. */
export class WalMover {
  readonly #finish: () => void;
  #bytes = 0;

  /** Nothing is written yet. */
  constructor(_path: string, finish: () => void) {
    this.#finish = finish;
  }

  /** Notes a transaction. */
  wrote(bytes: number, pages: number): void {
    this.#bytes += bytes + pages * PAGE_BYTES;
    if (this.#bytes < MOVE_BYTES) return;
    this.#bytes = 0;
    this.#finish();
  }

  /** There is no thread. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** There is no thread. */
  end(): Promise<void> {
    return Promise.resolve();
  }
}
