/**
 * Decayed popularity: positives counted with an exponential decay in event time.
 *
 * The score is kept as `L = log2 Σ_j 2^(t_j / h)` with h the half-life, so it never has to be decayed: comparing
 * L of two items compares their decayed counts at any later moment. A ranking by L changes only when an item
 * gets a positive, so a bounded top list is kept by moving that one item up.
 *
 * @module
 */

/** The score after one more positive at `time`. */
export function raise(score: number, time: number, halfLifeMs: number): number {
  const term = time / halfLifeMs;
  if (score === -Infinity) return term;
  const high = Math.max(score, term);
  return high + Math.log2(1 + 2 ** (Math.min(score, term) - high));
}

/** The decayed count that a score stands for at `time`. */
export function decayedCount(score: number, time: number, halfLifeMs: number): number {
  return score === -Infinity ? 0 : 2 ** (score - time / halfLifeMs);
}

/** The best `capacity` items by score, best first; ties go to the smaller index. */
export class TopList {
  readonly #capacity: number;
  readonly #items: number[] = [];
  readonly #scores: number[] = [];

  /** An empty list of at most `capacity` items. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Item indices, best first. */
  get items(): readonly number[] {
    return this.#items;
  }

  /** Sets the score of an item, which must not be lower than before. O(capacity). */
  update(item: number, score: number): void {
    let at = this.#items.indexOf(item);
    if (at < 0) {
      const last = this.#items.length - 1;
      if (this.#items.length >= this.#capacity) {
        if (!before(score, item, this.#scores[last]!, this.#items[last]!)) return;
        at = last;
      } else {
        at = last + 1;
      }
    }
    while (at > 0 && before(score, item, this.#scores[at - 1]!, this.#items[at - 1]!)) {
      this.#items[at] = this.#items[at - 1]!;
      this.#scores[at] = this.#scores[at - 1]!;
      at--;
    }
    this.#items[at] = item;
    this.#scores[at] = score;
  }
}

function before(score: number, item: number, otherScore: number, otherItem: number): boolean {
  return score > otherScore || (score === otherScore && item < otherItem);
}
