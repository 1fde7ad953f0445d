/**
 * Asynchronous work in sequence.
 *
 * @module
 */

import { ignore } from "./ignore.ts";

/** Runs work in the order of the calls. A piece that fails does not stop later ones. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a piece once all before it have ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = ignore(done, "the caller has the result");
    return done;
  }
}
