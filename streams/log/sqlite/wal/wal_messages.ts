/**
 * Messages between a `WalMover` and its thread.
 *
 * @module
 */

/** To the thread. */
export interface WalOrder {
  readonly path: string;
  /** Move the log, close the connection, or close the file. */
  readonly what: "move" | "close" | "end";
}

/** From the thread. */
export interface WalReport {
  /** Pages in the log. */
  readonly pages: number;
  /** Why the order failed, or `null`. */
  readonly reason: string | null;
  /** Whether it failed because there was no room on the disk. @default {false} */
  readonly noRoom?: boolean;
}
