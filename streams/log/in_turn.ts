/**
 * Asynchronous work, one piece after the other, in the order in which it was asked for.
 *
 * @module
 */

/** Runs work in turn. A piece that fails does not stop those behind it. */
export class InTurn {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs a piece once all before it have ended. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {}); // `done` tells the caller
    return done;
  }
}
