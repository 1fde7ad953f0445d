/**
 * Replaces `streams/http/deadline.ts` in a simulated world: that module shares a timer among equal waits in a process,
 * but here several processes share the module.
 *
 * @module
 */

/** Waits of equal length, each with its own timer. */
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

/** The value of a promise, or a rejection with `late()` after so many milliseconds; the promise itself continues. */
export function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** The value of a promise; `undefined` when it rejects or takes longer than so many milliseconds. */
export async function tryWithin<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  try {
    return await within(promise, ms, () => new Error(`it has taken more than ${ms} ms`));
  } catch {
    return undefined;
  }
}
