/**
 * How work in slices shares a thread with what comes in from outside.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** A turn of the event loop in which nobody has done anything takes less. */
const IDLE_TURN_MS = 0.1;
/** What others do takes some turns until it is seen: so many idle ones say that there is nothing. */
const IDLE_TURNS = 3;
/**
 * As long as there is something to do, Deno's event loop looks at sockets each 61 turns only (the event interval of tokio,
 * on which it runs). A turn of a worker may be a step of milliseconds: so once in a while they are gone through.
 */
const LOOK_TURNS = 64;
/** Time from one look at the sockets to the next, at least; the turns cost some tenths of a millisecond. */
const LOOK_MS = 8;
/** What others may have of the thread between two steps; a step of a task beside a server takes half as long. */
const OTHERS_MS = 8;
/** What the foreground may have of it, for each millisecond of the step before, and at most. */
const FOREGROUND_SHARE = 2;
const FOREGROUND_MS = 50;
/** So long something is in the foreground at most: whoever sends slowly must not slow the tasks down. */
const ENTERED_MS = 200;

interface Entry {
  /** When it began. */
  readonly at: number;
}

/** A thread in which work in slices goes on. */
export class SharedThread {
  readonly #now: () => number;
  /** What is in the foreground, oldest first. */
  readonly #foreground = new Set<Entry>();
  #lookedAt = -Infinity;

  /** Shares this thread. @param now a clock in milliseconds that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Begins something that goes before work in slices, though it waits in between, such as taking events in; disposing
   * ends it, or a fifth of a second.
   */
  enter(): Disposable {
    const entry = { at: this.#now() };
    this.#foreground.add(entry);
    return { [Symbol.dispose]: () => void this.#foreground.delete(entry) };
  }

  /** Leaves the thread to others: until they have nothing to do, or for as long as they may have it after such a step. */
  giveWay(stepMs: number): Promise<void> {
    const begun = this.#now();
    const foregroundMs = Math.max(OTHERS_MS, Math.min(FOREGROUND_MS, FOREGROUND_SHARE * stepMs));
    let [at, turns, idle] = [begun, 0, 0];
    return new Promise((resolve) => {
      const look = () => {
        const now = this.#now();
        const isBusy = this.#isBusy(now);
        idle = now - at < IDLE_TURN_MS && !isBusy ? idle + 1 : 0;
        at = now;
        if (++turns >= LOOK_TURNS) this.#lookedAt = at;
        const isOver = at - begun >= (isBusy ? foregroundMs : OTHERS_MS);
        if (isOver || idle >= IDLE_TURNS && at - this.#lookedAt < LOOK_MS) resolve();
        else setImmediate(look); // there are thousands of turns a second: promises of them were a twentieth of all garbage
      };
      // Also when nothing is left: a log in this process answers without a turn, timers and signals need theirs.
      setImmediate(look);
    });
  }

  /** Whether something is in the foreground. */
  #isBusy(now: number): boolean {
    for (const entry of this.#foreground) {
      if (now - entry.at < ENTERED_MS) return true;
      this.#foreground.delete(entry);
    }
    return false;
  }
}
