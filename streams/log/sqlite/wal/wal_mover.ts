/**
 * Keeps the write-ahead log of a SQLite file short without stopping its writer.
 *
 * The log is moved into the database from time to time, and both are synced, which takes tens of milliseconds for some
 * MB. A thread does that. Under a load that never pauses the log would never restart, because new writes arrive during
 * each move; beyond {@linkcode LONG_PAGES} the thread moves again at once, less each time, until little is left. The
 * writer moves that itself, in milliseconds, because the thread has synced the database by then.
 */

import { getLogger } from "@logtape/logtape";
import { isNoRoom } from "../end/no_room.ts";
import type { WalOrder, WalReport } from "./wal_messages.ts";

/** Bytes written after which the thread begins. */
const MOVE_BYTES = 16 << 20;
/**
 * A file up to this size is not truncated when the log restarts: truncating 64 MB took 50 to 100 ms, a restart
 * without it 8.
 */
export const MAX_WAL_BYTES = 64 << 20;
/** Pages of 4 KiB after which the log must restart, with room for what is written until it does. */
const LONG_PAGES = 12_288;
/** Bytes that the writer may move itself. */
const SHORT_BYTES = 8 << 20;
/** A move shorter than this leaves little enough for the writer. */
const SHORT_MS = 10;
/** Most moves in a row, in case the writer is too fast or the disk too slow. */
const MAX_MOVES = 8;
/** Size of a page, which is written whole, however little of it has changed. */
const PAGE_BYTES = 4096;

const logger = getLogger(["meander", "log"]);

/** Starts a thread when there is enough to move. */
export class WalMover {
  readonly #path: string;
  readonly #finish: () => void;
  readonly #module: URL;
  #thread: Worker | undefined;
  /** Bytes written since the last order to move. */
  #bytes = 0;
  /** Unanswered orders. */
  #orders = 0;
  #orderedAt = 0;
  /** Consecutive moves since the log became long. */
  #moves = 0;
  /** Whether {@linkcode WalMover.isShort} has ordered a move since it was last true. */
  #isAsked = false;
  /** Whether the thread has failed. */
  #broken = false;
  /** Whether the thread is dead. */
  #dead = false;
  #idle: (() => void) | undefined;

  /**
   * Watches the write-ahead log of a database.
   *
   * @param finish moves the rest and restarts the log, on this thread
   * @param module that the thread runs
   */
  constructor(path: string, finish: () => void, module = new URL("./wal_thread.ts", import.meta.url)) {
    this.#path = path;
    this.#finish = finish;
    this.#module = module;
  }

  /** Counts a transaction. @param pages approximate number of pages that it changed beyond those of its records */
  wrote(bytes: number, pages: number): void {
    this.#bytes += bytes + pages * PAGE_BYTES;
    // A writer that never yields never receives the report of a move; a single large write has ordered none yet.
    if (this.#bytes >= MAX_WAL_BYTES && this.#orders > 0) return this.#finishNow();
    if (this.#bytes < MOVE_BYTES || this.#orders > 0) return;
    if (this.#broken) this.#finishNow();
    else this.#order(this.#thread ??= this.#start(), "move");
  }

  /**
   * Whether little of what was written is left to move; if not, the thread moves it, as soon as others run. After one
   * such move it is true: a fast writer always leaves more.
   */
  isShort(): boolean {
    if (this.#broken) return true;
    if (this.#orders > 0) return false;
    const isShort = this.#isAsked || this.#bytes < SHORT_BYTES;
    this.#isAsked = !isShort;
    if (!isShort) this.#order(this.#thread ??= this.#start(), "move");
    return isShort;
  }

  /** Resolves when the thread is idle and its connection closed; {@linkcode WalMover.end} must follow. */
  close(): Promise<void> {
    return this.#tell("close");
  }

  /** Ends the thread. Closing its file frees all locks of this process on it, so no connection may be open. */
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
      this.#orders = 1; // it will not answer any
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

  #hear({ pages, reason, noRoom = false }: WalReport): void {
    this.#orders--;
    if (reason !== null && !noRoom && !this.#broken) {
      this.#broken = true;
      logger.warn(
        "moves the write-ahead log of {path} on the main thread from now on, because its thread failed: {reason}",
        { path: this.#path, reason },
      );
    }
    if (this.#idle !== undefined) {
      if (this.#orders === 0) this.#idle();
    } else if (pages > LONG_PAGES) this.#shorten();
    else this.#moves = 0;
  }

  /** Restarts the log once little is left to move. */
  #shorten(): void {
    const isLong = performance.now() - this.#orderedAt > SHORT_MS && ++this.#moves < MAX_MOVES;
    if (isLong && this.#thread !== undefined) this.#order(this.#thread, "move");
    else this.#finishNow();
  }

  #finishNow(): void {
    this.#moves = 0;
    this.#bytes = 0;
    try {
      this.#finish();
    } catch (error) {
      // What is in the log stays there, and is moved after as many bytes more.
      if (!isNoRoom(error)) throw error;
    }
  }
}
