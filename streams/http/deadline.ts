/**
 * Waits with a deadline.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { reasonOf } from "../../src/values/reason.ts";

/** Ends one wait. */
type Expire = () => void;

/** Waits of equal length, in the order in which they end: one timer serves them all. */
class Queue {
  readonly #ms: number;
  readonly #waiting = new Map<Expire, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  add(expire: Expire): void {
    this.#waiting.set(expire, performance.now() + this.#ms);
    this.#timer ??= setTimeout(() => this.#look(), this.#ms);
  }

  remove(expire: Expire): void {
    this.#waiting.delete(expire);
    if (!this.isEmpty) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const now = performance.now();
    for (const [expire, at] of this.#waiting) {
      if (at > now) {
        this.#timer = setTimeout(() => this.#look(), at - now);
        return;
      }
      expire(); // removes itself
    }
  }
}

const queues = new Map<number, Queue>();

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
  const queue = queues.get(ms) ?? new Queue(ms);
  queues.set(ms, queue);
  return new Promise((resolve, reject) => {
    const expire = () => {
      forget();
      reject(late());
    };
    const forget = () => {
      queue.remove(expire);
      if (queue.isEmpty && queues.get(ms) === queue) queues.delete(ms);
    };
    queue.add(expire);
    promise.then((value) => {
      forget();
      resolve(value);
    }, (error) => {
      forget();
      reject(error);
    });
  });
}
