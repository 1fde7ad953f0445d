/** Does lengthy work for callers in portions: each caller gets its share of time, and others run in between. */

import { setImmediate as turn } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import type { Portions } from "../../../src/values/portions.ts";
import { reasonOf } from "../../../src/values/reason.ts";
import { groupOf } from "./clients.ts";

const logger = getLogger(["meander", "http"]);

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

interface Served {
  /** Time spent on it, counted from what the least served one had when it came. */
  usedMs: number;
}

/** Does its next portion, and returns whether that was the last. */
type Piece = () => boolean;

interface Caller extends Served {
  /** Pending work, oldest first. */
  readonly pieces: Piece[];
}

interface Group extends Served {
  /** Those with work. */
  readonly callers: Map<string, Caller>;
}

/**
 * Does the work of callers, who need not trust each other: groups of them (`groupOf`) get equal shares of time, and so do
 * callers within their group.
 */
export class FairWork {
  readonly #options: FairWorkOptions;
  /** Those with work. */
  readonly #groups = new Map<string, Group>();
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
    const piece = () => {
      try {
        const { done, value } = portions.next();
        if (done === true) resolve(value);
        return done === true;
      } catch (error) {
        reject(error);
        return true;
      }
    };
    if (this.#isServing) this.#enqueue(name, piece);
    else if (!this.#doNow(piece)) {
      this.#enqueue(name, piece);
      void this.#serve();
    }
    return promise;
  }

  /** Works on the only piece, and returns whether it is done. */
  #doNow(piece: Piece): boolean {
    if (this.#workedMs >= SLICE_MS) return false;
    const { isDone, ms } = this.#advance(piece);
    if (!isDone || ms >= BRIEF_MS) this.#workedMs += ms;
    return isDone;
  }

  #enqueue(name: string, piece: Piece): void {
    const group = getOrAdd(this.#groups, groupOf(name), (usedMs) => ({ usedMs, callers: new Map() }));
    getOrAdd(group.callers, name, (usedMs): Caller => ({ usedMs, pieces: [] })).pieces.push(piece);
  }

  /** Works until nothing is left. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    let before = this.#workedMs;
    for (let group; (group = leastServed(this.#groups)) !== undefined;) {
      if (this.#workedMs < SLICE_MS) this.#work(...group);
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

  /** Works on the oldest piece of a group's least served caller until it is done, or a pause is due. */
  #work(group: string, served: Group): void {
    const [name, caller] = leastServed(served.callers)!;
    const { pieces } = caller;
    const { isDone, ms } = this.#advance(pieces[0]!);
    this.#workedMs += ms;
    served.usedMs += ms;
    caller.usedMs += ms;
    if (isDone) pieces.shift();
    if (pieces.length === 0) served.callers.delete(name);
    if (served.callers.size === 0) this.#groups.delete(group);
  }

  /** Does portions until all are done, or a pause is due. */
  #advance(piece: Piece): { readonly isDone: boolean; readonly ms: number } {
    const { clock } = this.#options;
    const begun = clock(), left = SLICE_MS - this.#workedMs;
    let isDone: boolean, ms: number;
    do {
      isDone = piece();
      ms = clock() - begun;
    } while (!isDone && ms < left);
    return { isDone, ms };
  }
}

function leastServed<One extends Served>(all: ReadonlyMap<string, One>): readonly [string, One] | undefined {
  let least: readonly [string, One] | undefined;
  for (const one of all) if (least === undefined || one[1].usedMs < least[1].usedMs) least = one;
  return least;
}

/** What a name stands for; one that is added has had as much time as the least served. */
function getOrAdd<One extends Served>(
  all: Map<string, One>,
  name: string,
  make: (usedMs: number) => One,
): One {
  let one = all.get(name);
  if (one === undefined) all.set(name, one = make(leastServed(all)?.[1].usedMs ?? 0));
  return one;
}

/** Work in one portion. */
// deno-lint-ignore require-yield -- it has no pause
export function* atATime<Result>(work: () => Result): Portions<Result> {
  return work();
}
