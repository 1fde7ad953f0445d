/**
 * Keeps the write-ahead log of a SQLite file short without stopping who writes to it.
 *
 * What is in the log goes to the database now and then, and the disk has to confirm both: tens of milliseconds for some MB.
 * A thread does that. What is written meanwhile stays in the log, so under a load that never pauses the log would never
 * begin anew; when it has grown to {@linkcode LONG_PAGES}, the thread goes on at once, with less each time, until little
 * is left: that the writer itself moves. It waits for the disk as well then, so the thread has the database on the disk
 * before, and leaves it milliseconds.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import type { WalOrder, WalReport } from "./wal_messages.ts";

/** Bytes written after which the thread begins. */
const MOVE_BYTES = 16 << 20;
/**
 * The log begins anew in its file, whose end stays as long as it is no longer than this: to give 64 MB back to the disk
 * took 50 to 100 ms, to begin anew 8.
 */
export const MAX_WAL_BYTES = 64 << 20;
/** Pages of 4 KiB after which the log begins anew whatever is going on: what comes until then should fit as well. */
const LONG_PAGES = 12_288;
/** A move that takes no longer has left as little as the writer may move. */
const SHORT_MS = 10;
/** Moves in a row at most, for a writer that the thread does not catch up with, or a disk on which none is short. */
const MAX_MOVES = 8;
/** A page is written whole, however little of it has changed. */
const PAGE_BYTES = 4096;

const logger = getLogger(["meander", "log"]);

/** Starts a thread when there is enough to move. */
export class WalMover {
  readonly #path: string;
  readonly #finish: () => void;
  readonly #module: URL;
  #thread: Worker | undefined;
  /** Written since the thread was last asked. */
  #bytes = 0;
  /** Orders that were not answered. */
  #orders = 0;
  #orderedAt = 0;
  /** Moves in a row since the log has been long. */
  #moves = 0;
  /** It moves nothing any more. */
  #broken = false;
  /** It does not answer any more. */
  #dead = false;
  #idle: (() => void) | undefined;

  /**
   * Nothing was written yet.
   *
   * @param finish moves all that is left, and begins the log anew
   * @param module of the thread
   */
  constructor(path: string, finish: () => void, module = new URL("./wal_thread.ts", import.meta.url)) {
    this.#path = path;
    this.#finish = finish;
    this.#module = module;
  }

  /** Notes a transaction: the bytes of its records, and how many pages it has changed beside those, about. */
  wrote(bytes: number, pages: number): void {
    this.#bytes += bytes + pages * PAGE_BYTES;
    // Who never lets others have the thread does not hear that a move is done.
    if (this.#bytes >= MAX_WAL_BYTES) return this.#finishNow();
    if (this.#bytes < MOVE_BYTES || this.#orders > 0) return;
    if (this.#broken) this.#finishNow();
    else this.#order(this.#thread ??= this.#start(), "move");
  }

  /** Resolves when the thread has done what it is at, and its connection is closed; {@linkcode WalMover.end} must follow. */
  close(): Promise<void> {
    return this.#tell("close");
  }

  /**
   * Ends the thread. It lets go of the file before that resolves, which frees all locks that this process has on it: no
   * connection may be open, and none may be opened before.
   */
  async end(): Promise<void> {
    await this.#tell("end");
    this.#thread?.terminate();
  }

  /** Gives an order, and waits until all are answered. */
  async #tell(what: "close" | "end"): Promise<void> {
    if (this.#thread === undefined || this.#dead) return;
    const idle = new Promise<void>((resolve) => this.#idle = resolve);
    this.#order(this.#thread, what);
    await idle;
  }

  #start(): Worker {
    const thread = new Worker(this.#module, { type: "module", name: "wal" });
    thread.onmessage = ({ data }: MessageEvent<WalReport>) => this.#hear(data);
    thread.onerror = (event) => {
      event.preventDefault();
      this.#dead = true;
      this.#orders = 1; // it answers none of them
      this.#hear({ pages: 0, reason: event.message });
    };
    return thread;
  }

  #order(thread: Worker, what: WalOrder["what"]): void {
    this.#orders++;
    this.#orderedAt = performance.now();
    if (what === "move") this.#bytes = 0;
    thread.postMessage({ path: this.#path, what } satisfies WalOrder);
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
    if (this.#idle !== undefined) {
      if (this.#orders === 0) this.#idle();
    } else if (pages > LONG_PAGES) this.#shorten();
    else this.#moves = 0;
  }

  /** Begins the log anew, once little of it is left to move. */
  #shorten(): void {
    const isLong = performance.now() - this.#orderedAt > SHORT_MS && ++this.#moves < MAX_MOVES;
    if (isLong && this.#thread !== undefined) this.#order(this.#thread, "move");
    else this.#finishNow();
  }

  #finishNow(): void {
    this.#moves = 0;
    this.#bytes = 0;
    this.#finish();
  }
}
