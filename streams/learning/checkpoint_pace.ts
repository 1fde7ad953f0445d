/**
 * Decides when a checkpoint of the learner may be written.
 *
 * @module
 */

/** In lockstep a larger checkpoint is due when the samples since the last one weigh as much. */
const LIGHT_BYTES = 4 << 20;

/** Keeps checkpoints apart: by an interval in a service; in lockstep by what it would cost to learn again. */
export class CheckpointPace {
  /** Whether the newest checkpoint names a user who was erased since. */
  isErasing = false;
  readonly #intervalMs: number;
  readonly #now: () => number;
  /** When a checkpoint was written, or this was made, by the clock. */
  #writtenAt: number;
  /** Bytes of the newest checkpoint, and what was read and written to have an order since. */
  #bytes = 0;
  #since = 0;

  /** Nothing is due before an interval has passed. @param now a clock in milliseconds */
  constructor(intervalMs: number, now: () => number) {
    this.#intervalMs = intervalMs;
    this.#now = now;
    this.#writtenAt = now();
  }

  /** Time until the interval since the last checkpoint has passed, milliseconds. */
  get untilDue(): number {
    return this.#writtenAt + this.#intervalMs - this.#now();
  }

  /** How long a checkpoint that names an erased user may stay, milliseconds; `Infinity` = it names none. */
  get untilClean(): number {
    return this.isErasing ? this.untilDue : Infinity;
  }

  /** Whether one may be written in lockstep: learning again what came since the last one would cost as much. */
  get isWorthwhile(): boolean {
    return this.isErasing || this.#bytes < LIGHT_BYTES || this.#since >= this.#bytes;
  }

  /** Notes bytes that a crash would have read again. */
  note(bytes: number): void {
    this.#since += bytes;
  }

  /** Notes the size of the checkpoint that the learner continues from. */
  found(bytes: number): void {
    this.#bytes = bytes;
  }

  /** Notes that a checkpoint of so many bytes is on the log. */
  written(bytes: number): void {
    this.#writtenAt = this.#now();
    this.#bytes = bytes;
    this.#since = 0;
    this.isErasing = false;
  }
}
