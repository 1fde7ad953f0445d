/** Waits with a deadline. */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";

/** Ends one wait. */
type Expire = () => void;

/**
 * Waits of equal length, in the order in which they end: one timer serves them all. It runs out even without waits,
 * since setting one for each takes twenty times as long as the rest; it does not keep the process alive then.
 */
export class Deadlines {
  readonly #ms: number;
  readonly #onIdle: () => void;
  readonly #waiting = new Map<Expire, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param ms how long each may wait @param onIdle called when the timer runs out without waits. @default {nothing} */
  constructor(ms: number, onIdle: () => void = () => {}) {
    this.#ms = ms;
    this.#onIdle = onIdle;
  }

  /** Begins a wait, which ends with a call of `expire` unless it is removed before. */
  add(expire: Expire): void {
    this.#waiting.set(expire, performance.now() + this.#ms);
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#look(), this.#ms);
    else if (this.#waiting.size === 1) this.#timer.ref();
  }

  /** Ends a wait. */
  remove(expire: Expire): void {
    if (this.#waiting.delete(expire) && this.#waiting.size === 0) this.#timer?.unref();
  }

  #look(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const [expire, at] of this.#waiting) {
      if (at > now) {
        this.#timer ??= setTimeout(() => this.#look(), at - now);
        return;
      }
      this.#waiting.delete(expire);
      expire();
    }
    if (this.#timer === undefined) this.#onIdle();
  }
}

const all = new Map<number, Deadlines>();

const logger = getLogger(["meander", "http"]);

/** The value of a promise; `undefined` when it rejects or takes longer than `ms` milliseconds. */
export async function tryWithin<T>(promise: Promise<T>, ms: number, what: string): Promise<T | undefined> {
  try {
    return await within(promise, ms, () => new Error(`it took longer than ${ms} ms`));
  } catch (error) {
    logger.debug("continues without {what}: {reason}", { what, reason: reasonOf(error) });
    return undefined;
  }
}

/** Like the promise, but rejects with `late()` after `ms` milliseconds; the work itself continues. */
export function within<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  const deadlines = all.get(ms) ?? new Deadlines(ms, () => all.delete(ms));
  all.set(ms, deadlines);
  return new Promise((resolve, reject) => {
    const expire = () => reject(late());
    deadlines.add(expire);
    promise.then((value) => {
      deadlines.remove(expire);
      resolve(value);
    }, (error) => {
      deadlines.remove(expire);
      reject(error);
    });
  });
}
