/** Lets work in slices share a thread with requests from outside. */

import { setImmediate } from "node:timers";

/** An idle turn of the event loop takes less. */
const IDLE_TURN_MS = 0.1;
/** Other work becomes visible after some turns; this many idle turns mean that there is none. */
const IDLE_TURNS = 3;
/**
 * While there is work, Deno's event loop polls sockets only every 61 turns (the event interval of tokio, on which it
 * runs). A worker's turn may take milliseconds, so now and then this many turns are run at once.
 */
const LOOK_TURNS = 64;
/** Least time between polls of the sockets; the turns cost some tenths of a millisecond. */
const LOOK_MS = 8;
/** Most time for others between two steps; a step of a task alongside a server takes half as long. */
const OTHERS_MS = 8;
/** Time for foreground work per millisecond of the step before, and the most. */
const FOREGROUND_SHARE = 2;
const FOREGROUND_MS = 50;
/** Longest portion of work that gives way by itself. */
const SLICE_MS = 20;
/** Longest time in the foreground: a slow sender must not slow the tasks down. */
const ENTERED_MS = 200;

interface Entry {
  /** When it began. */
  readonly at: number;
}

/** A thread that runs work in slices. */
export class SharedThread {
  readonly #now: () => number;
  /** What is in the foreground, oldest first. */
  readonly #foreground = new Set<Entry>();
  #lookedAt = -Infinity;

  /** Shares this thread. @param now monotonic clock, milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Begins foreground work, which takes precedence over work in slices even while it waits, such as taking in events; ends
   * when disposed, or after a fifth of a second.
   */
  enter(): Disposable {
    const entry = { at: this.#now() };
    this.#foreground.add(entry);
    return { [Symbol.dispose]: () => void this.#foreground.delete(entry) };
  }

  /** Yields the thread until others are idle, or have had it for as long: half of it, when all are busy. */
  share(workedMs: number): Promise<void> {
    return this.#rest(() => false, workedMs, workedMs);
  }

  /** Yields the thread until others are idle, or for as long as a step of this length entitles them to. */
  giveWay(stepMs: number): Promise<void> {
    const foregroundMs = Math.max(OTHERS_MS, Math.min(FOREGROUND_MS, FOREGROUND_SHARE * stepMs));
    return this.#rest((now) => this.#isBusy(now), foregroundMs, OTHERS_MS);
  }

  #rest(isBusyAt: (now: number) => boolean, busyMs: number, othersMs: number): Promise<void> {
    const begun = this.#now();
    let [at, turns, idle] = [begun, 0, 0];
    return new Promise((resolve) => {
      const look = () => {
        const now = this.#now();
        const isBusy = isBusyAt(now);
        idle = now - at < IDLE_TURN_MS && !isBusy ? idle + 1 : 0;
        at = now;
        if (++turns >= LOOK_TURNS) this.#lookedAt = at;
        const isOver = at - begun >= (isBusy ? busyMs : othersMs);
        if (isOver || idle >= IDLE_TURNS && at - this.#lookedAt < LOOK_MS) resolve();
        else setImmediate(look); // thousands of turns a second: with promises, they made a twentieth of all garbage
      };
      // Also when no work is left: a log in this process responds without a turn, but timers and signals need theirs.
      setImmediate(look);
    });
  }

  /** Makes what long work calls between its portions: it yields the thread when the last time is a slice ago. */
  slices(): () => Promise<void> {
    let since = this.#now();
    return async () => {
      const workedMs = this.#now() - since;
      if (workedMs < SLICE_MS) return;
      await this.giveWay(workedMs);
      since = this.#now();
    };
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
