/**
 * Decides when a checkpoint of the learner may be written.
 *
 * @module
 */

/** In lockstep, a larger checkpoint is due once the samples since the last one have as many bytes. */
const LIGHT_BYTES = 4 << 20;

/** Spaces checkpoints out: by an interval in a service; in lockstep by what learning again would cost. */
export class CheckpointPace {
  /** Whether the newest checkpoint names a user who has been erased since. */
  isErasing = false;
  readonly #intervalMs: number;
  readonly #now: () => number;
  /** When the last checkpoint was written, or else when this was made, by the clock. */
  #writtenAt: number;
  /** Bytes of the newest checkpoint, and bytes of samples and orders since. */
  #bytes = 0;
  #since = 0;

  /** Starts with nothing due before an interval has passed. @param now a clock in milliseconds */
  constructor(intervalMs: number, now: () => number) {
    this.#intervalMs = intervalMs;
    this.#now = now;
    this.#writtenAt = now();
  }

  /** Time until the interval since the last checkpoint has passed, milliseconds. */
  get untilDue(): number {
    return this.#writtenAt + this.#intervalMs - this.#now();
  }

  /** Time until a checkpoint that names an erased user must be replaced, milliseconds; `Infinity` = it names none. */
  get untilClean(): number {
    return this.isErasing ? this.untilDue : Infinity;
  }

  /** Whether one may be written in lockstep, because learning again the samples since the last would cost as much. */
  get isWorthwhile(): boolean {
    return this.isErasing || this.#bytes < LIGHT_BYTES || this.#since >= this.#bytes;
  }

  /** Counts bytes that would be read again after a crash. */
  note(bytes: number): void {
    this.#since += bytes;
  }

  /** Sets the size of the checkpoint from which the learner continues. */
  found(bytes: number): void {
    this.#bytes = bytes;
  }

  /** To be called when a checkpoint has been written. */
  written(bytes: number): void {
    this.#writtenAt = this.#now();
    this.#bytes = bytes;
    this.#since = 0;
    this.isErasing = false;
  }
}
