/**
 * How work in slices shares a thread with what comes in from outside.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";

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

/** A thread in which work in slices goes on. */
export class SharedThread {
  readonly #now: () => number;
  #foreground = 0;
  #lookedAt = -Infinity;

  /** Shares this thread. @param now a clock in milliseconds that never goes back */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Begins something that goes before work in slices, though it waits in between, such as taking events in; disposing
   * ends it.
   */
  enter(): Disposable {
    this.#foreground++;
    let isOver = false;
    return {
      [Symbol.dispose]: () => {
        if (!isOver) this.#foreground--;
        isOver = true;
      },
    };
  }

  /** Leaves the thread to others: until they have nothing to do, or for as long as they may have it after such a step. */
  async giveWay(stepMs: number): Promise<void> {
    const begun = this.#now();
    const foregroundMs = Math.max(OTHERS_MS, Math.min(FOREGROUND_MS, FOREGROUND_SHARE * stepMs));
    for (let at = begun, turns = 0, idle = 0;;) {
      // Also when nothing is left: a log in this process answers without a turn, timers and signals need theirs.
      await turn();
      const next = this.#now();
      const isBusy = this.#foreground > 0;
      idle = next - at < IDLE_TURN_MS && !isBusy ? idle + 1 : 0;
      at = next;
      if (++turns >= LOOK_TURNS) this.#lookedAt = at;
      if (at - begun >= (isBusy ? foregroundMs : OTHERS_MS)) return;
      if (idle >= IDLE_TURNS && at - this.#lookedAt < LOOK_MS) return;
    }
  }
}
