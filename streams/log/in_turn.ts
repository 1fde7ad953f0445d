/**
 * Asynchronous work in sequence.
 *
 * @module
 */

import { ignore } from "./ignore.ts";

/** Runs work in the order of the calls. A piece that fails does not stop later ones. */
export class InTurn {
  /** The newest piece that runs alone. */
  #alone: Promise<unknown> = Promise.resolve();
  /** All pieces. */
  #all: Promise<unknown> = this.#alone;

  /** Runs a piece once all before it have ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#all.then(work);
    this.#alone = this.#all = ignore(done, "the caller has the result");
    return done;
  }

  /** Runs a piece beside others like it, once those before it that run alone have ended. */
  beside<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#alone.then(work);
    const both = [this.#all, ignore(done, "the caller has the result")];
    this.#all = Promise.all(both).then(() => {}); // its value would hold those of all before it
    return done;
  }
}
