/**
 * A share of a thread's time, for work that can wait.
 *
 * @module
 */

/** Share of the time normally, and while other work is behind. */
const SHARE = 0.3;
const SHARE_BEHIND = 0.1;
/** Maximum time that is saved up, milliseconds: other work may have to wait this long. */
const MOST_MS = 30;
/** Smallest budget worth waiting for, milliseconds. */
const LEAST_MS = 1;

/** A shared time budget: 30 % of the time that passes, 10 % while other work is behind, and at most 30 ms at once. */
export class TimeShare {
  #at = -Infinity;
  #left = 0;

  /**
   * Milliseconds that may be spent.
   *
   * @param now milliseconds by a clock that never goes back
   * @param isBehind whether work that cannot wait is behind
   */
  left(now: number, isBehind = false): number {
    const share = isBehind ? SHARE_BEHIND : SHARE;
    this.#left = Math.min(MOST_MS, this.#left + share * (now - this.#at));
    this.#at = now;
    return this.#left;
  }

  /** How long to wait until time may be spent again, as of the last call of {@linkcode TimeShare.left}; 0 = now. */
  get waitMs(): number {
    return Math.max(0, (LEAST_MS - this.#left) / SHARE);
  }

  /** Deducts time that was spent; overspending is made up for later. */
  spend(ms: number): void {
    this.#left -= ms;
  }
}
