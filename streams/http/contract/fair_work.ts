/**
 * Does lengthy work for callers in portions: each caller gets its share of time, and others run in between.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { Portions } from "../../../src/values/portions.ts";
import { reasonOf } from "../../../src/values/reason.ts";

const logger = getLogger(["meander", "http"]);

/** Options of a {@linkcode FairWork}. */
export interface FairWorkOptions {
  /** Yields the thread until others are idle, or have had it for as long. */
  readonly share: (workedMs: number) => Promise<unknown>;
  /** Monotonic clock, milliseconds. */
  readonly clock: () => number;
}

/** Longest time without a pause; the last portion may exceed it. */
const SLICE_MS = 20;
/** Work that ends sooner, such as on a body of one event, is part of handling its request, and no reason for a pause. */
const BRIEF_MS = 1;

interface Caller {
  /** Pending work, oldest first; a call does its next portion and returns whether that was the last. */
  readonly pieces: (() => boolean)[];
  /** Time spent on it, counted from what the least served caller had when it came. */
  usedMs: number;
}

/** Does the work of callers, who need not trust each other, in equal shares of time. */
export class FairWork {
  readonly #options: FairWorkOptions;
  /** Those with work. */
  readonly #callers = new Map<string, Caller>();
  /** Time since the last pause. */
  #workedMs = 0;
  #isServing = false;

  /** Starts without work. */
  constructor(options: FairWorkOptions) {
    this.#options = options;
  }

  /** Does all portions of a caller: at once where nobody waits, and no pause is due. */
  run<Result>(name: string, portions: Portions<Result>): Promise<Result> {
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    let caller = this.#callers.get(name);
    if (caller === undefined) {
      caller = { pieces: [], usedMs: this.#next?.[1].usedMs ?? 0 };
      this.#callers.set(name, caller);
    }
    caller.pieces.push(() => {
      try {
        const { done, value } = portions.next();
        if (done === true) resolve(value);
        return done === true;
      } catch (error) {
        reject(error);
        return true;
      }
    });
    if (!this.#isServing) void this.#serve();
    return promise;
  }

  /** The caller that has had the least time. */
  get #next(): readonly [name: string, caller: Caller] | undefined {
    let next: readonly [string, Caller] | undefined;
    for (const one of this.#callers) if (next === undefined || one[1].usedMs < next[1].usedMs) next = one;
    return next;
  }

  /** Works until nothing is left. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    let before = this.#workedMs;
    for (let next = this.#next; next !== undefined; next = this.#next) {
      if (this.#workedMs < SLICE_MS) this.#work(...next);
      else {
        const workedMs = this.#workedMs;
        this.#workedMs = before = 0;
        await this.#pause(workedMs);
      }
    }
    if (this.#workedMs < before + BRIEF_MS) this.#workedMs = before;
    this.#isServing = false;
  }

  /** Shares the thread; where that fails, others get a turn at least, since work that is left would never be done. */
  async #pause(workedMs: number): Promise<void> {
    try {
      await this.#options.share(workedMs);
    } catch (error) {
      logger.error("cannot share the thread after long work: {reason}", { reason: reasonOf(error) });
      await turn();
    }
  }

  /** Works on the oldest piece of a caller until it is done, or a pause is due. */
  #work(name: string, caller: Caller): void {
    const { clock } = this.#options;
    const { pieces } = caller;
    const begun = clock(), left = SLICE_MS - this.#workedMs;
    let isDone: boolean, ms: number;
    do {
      isDone = pieces[0]!();
      ms = clock() - begun;
    } while (!isDone && ms < left);
    this.#workedMs += ms;
    caller.usedMs += ms;
    if (isDone) pieces.shift();
    if (pieces.length === 0) this.#callers.delete(name);
  }
}

/** Work in one portion. */
// deno-lint-ignore require-yield -- it has no pause
export function* atATime<Result>(work: () => Result): Portions<Result> {
  return work();
}
