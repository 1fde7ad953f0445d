/**
 * What whoever moves a write-ahead log and its thread tell each other.
 *
 * @module
 */

/** To the thread. */
export interface WalOrder {
  readonly path: string;
  /** Move what is there, close the connection, or let go of the file. */
  readonly what: "move" | "close" | "end";
}

/** From the thread. */
export interface WalReport {
  /** Pages in the log. */
  readonly pages: number;
  /** Why it has failed, or `null`. */
  readonly reason: string | null;
}
