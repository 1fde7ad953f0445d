/**
 * Stands for `streams/http/deadline.ts` in a simulated world: that shares a timer among all who wait equally long in
 * a process, and here several processes share its module.
 *
 * @module
 */

/** Waits of equal length, each with a timer of its own. */
export class Deadlines {
  readonly #ms: number;
  readonly #timers = new Map<() => void, ReturnType<typeof setTimeout>>();

  constructor(ms: number) {
    this.#ms = ms;
  }

  add(expire: () => void): void {
    this.#timers.set(expire, setTimeout(expire, this.#ms));
  }

  remove(expire: () => void): void {
    clearTimeout(this.#timers.get(expire));
    this.#timers.delete(expire);
  }
}

/** What a promise gives, or a rejection with `late()` after so many milliseconds; the promise itself goes on. */
export function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The value of a promise; `undefined` when it rejects or takes longer than so many milliseconds. */
export async function tryWithin<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  try {
    return await within(promise, ms, () => new Error(`it is not there after ${ms} ms`));
  } catch {
    return undefined;
  }
}
