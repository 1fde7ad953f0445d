/** Asynchronous work in sequence. */

import { ignore } from "./ignore.ts";

/** Runs work in the order of the calls. A piece that fails does not stop later ones. */
export class InTurn {
  /** Ends with the newest piece that runs alone. */
  #alone: Promise<unknown> = Promise.resolve();
  /** The pieces after it that run side by side: how many are unfinished, and what to call once all have ended. */
  #beside: { left: number; ended?: () => void } = { left: 0 };

  /** Runs a piece alone: after all pieces before it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const pieces = this.#beside;
    const before = pieces.left === 0 ? this.#alone : new Promise<void>((ended) => pieces.ended = ended);
    const done = before.then(work);
    this.#beside = { left: 0 };
    this.#alone = ignore(done, "the caller has the result");
    return done;
  }

  /** Runs a piece at the same time as others like it: after those before it that run alone. */
  beside<T>(work: () => Promise<T>): Promise<T> {
    const pieces = this.#beside;
    pieces.left++;
    const done = this.#alone.then(work);
    void ignore(done, "the caller has the result").then(() => {
      if (--pieces.left === 0) pieces.ended?.();
    });
    return done;
  }
}
