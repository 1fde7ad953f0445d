/**
 * Keeps the write-ahead log of a SQLite file short without stopping who writes to it.
 *
 * What is in the log goes to the database now and then, and the disk has to confirm both: tens of milliseconds for some MB.
 * A thread does that. What is written meanwhile stays in the log, so under a load that never pauses the log would never
 * begin anew; when it has grown to {@linkcode LONG_PAGES}, the writer itself moves the rest, which is little.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";

/** To the thread: move what is there, or close. */
export interface WalOrder {
  readonly path: string;
  readonly move: boolean;
}

/** From the thread. */
export interface WalReport {
  /** Pages in the log. */
  readonly pages: number;
  /** Why it has failed, or `null`. */
  readonly reason: string | null;
}

/** Bytes written after which the thread begins. */
const MOVE_BYTES = 16 << 20;
/** Pages of 4 KiB after which the log begins anew whatever is going on. */
const LONG_PAGES = 16_384;
/** A page is written whole, however little of it has changed. */
const PAGE_BYTES = 4096;

const logger = getLogger(["meander", "log"]);

/** Starts a thread when there is enough to move. */
export class WalMover {
  readonly #path: string;
  readonly #finish: () => void;
  #thread: Worker | undefined;
  /** Written since the thread was last asked. */
  #bytes = 0;
  /** Orders that were not answered. */
  #orders = 0;
  #broken = false;
  #idle: (() => void) | undefined;

  /** Nothing was written yet. @param finish moves all that is left, and begins the log anew */
  constructor(path: string, finish: () => void) {
    this.#path = path;
    this.#finish = finish;
  }

  /** Notes a transaction: the bytes of its records, and how many tables it has changed. */
  wrote(bytes: number, tables: number): void {
    this.#bytes += bytes + tables * PAGE_BYTES;
    if (this.#bytes < MOVE_BYTES || this.#orders > 0) return;
    this.#bytes = 0;
    if (this.#broken) this.#finish();
    else this.#order(this.#thread ??= this.#start(), true);
  }

  /** Ends the thread when it has done what it is at. */
  async close(): Promise<void> {
    if (this.#thread === undefined) return;
    if (!this.#broken) {
      const idle = new Promise<void>((resolve) => this.#idle = resolve);
      this.#order(this.#thread, false);
      await idle;
    }
    this.#thread.terminate();
  }

  #start(): Worker {
    const thread = new Worker(new URL("./wal_thread.ts", import.meta.url), { type: "module", name: "wal" });
    thread.onmessage = ({ data }: MessageEvent<WalReport>) => this.#hear(data);
    thread.onerror = (event) => {
      event.preventDefault();
      this.#orders = 1; // it answers none of them
      this.#hear({ pages: 0, reason: event.message });
    };
    return thread;
  }

  #order(thread: Worker, move: boolean): void {
    this.#orders++;
    thread.postMessage({ path: this.#path, move } satisfies WalOrder);
  }

  #hear({ pages, reason }: WalReport): void {
    this.#orders--;
    if (reason !== null && !this.#broken) {
      this.#broken = true;
      logger.warn(
        "moves the write-ahead log of {path} while others wait, as its thread has failed: {reason}",
        {
          path: this.#path,
          reason,
        },
      );
    }
    if (this.#idle === undefined) {
      if (pages > LONG_PAGES) this.#finish();
    } else if (this.#orders === 0) this.#idle();
  }
}
