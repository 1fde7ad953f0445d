/**
 * A share of the time of a thread, for work that can wait.
 *
 * @module
 */

/** Share of the time, and of the time while something else is behind with its work. */
const SHARE = 0.3;
const SHARE_BEHIND = 0.1;
/** Most time that is saved up, milliseconds: other work may have to wait so long. */
const MOST_MS = 30;
/** Less is not worth waiting for. */
const LEAST_MS = 1;

/** Time that several share: 30 % of what passes, 10 % while others are behind, and 30 ms at most at once. */
export class TimeShare {
  #at = -Infinity;
  #left = 0;

  /**
   * Milliseconds there are to spend.
   *
   * @param now milliseconds by a clock that never goes back
   * @param isBehind whether what cannot wait is behind with its work
   */
  left(now: number, isBehind = false): number {
    const share = isBehind ? SHARE_BEHIND : SHARE;
    this.#left = Math.min(MOST_MS, this.#left + share * (now - this.#at));
    this.#at = now;
    return this.#left;
  }

  /** How long to wait until there is some to spend again, by what {@linkcode TimeShare.left} was told last; 0 when there is. */
  get waitMs(): number {
    return Math.max(0, (LEAST_MS - this.#left) / SHARE);
  }

  /** Notes what was spent; more than there was is made up for later. */
  spend(ms: number): void {
    this.#left -= ms;
  }
}
