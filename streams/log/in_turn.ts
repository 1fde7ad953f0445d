/**
 * Asynchronous work in sequence.
 *
 * @module
 */

import { ignore } from "./ignore.ts";

/** Runs work in the order of the calls. A piece that fails does not stop later ones. */
export class InTurn {
  /** Ends with the newest piece that runs alone. */
  #alone: Promise<unknown> = Promise.resolve();
  /** Ends with all pieces. */
  #all: Promise<unknown> = this.#alone;

  /** Runs a piece alone: after all pieces before it. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#all.then(work);
    this.#alone = this.#all = ignore(done, "the caller has the result");
    return done;
  }

  /** Runs a piece at the same time as others like it: after those before it that run alone. */
  beside<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#alone.then(work);
    const both = [this.#all, ignore(done, "the caller has the result")];
    this.#all = Promise.all(both).then(() => {}); // its value would hold those of all before it
    return done;
  }
}
