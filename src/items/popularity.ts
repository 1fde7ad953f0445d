/**
 * Decayed popularity: positives counted with an exponential decay in event time.
 *
 * The score is kept as `L = log2 Σ_j 2^(t_j / h)` with h the half-life, so it never has to be decayed: comparing
 * L of two items compares their decayed counts at any later moment. A ranking by L changes only when an item
 * gets a positive, so a bounded top list is kept by moving that one item up.
 *
 * @module
 */

/** The score after one more positive at `time`. @param weight How much it counts, above 0 */
export function raise(score: number, time: number, halfLifeMs: number, weight = 1): number {
  return joined(score, time / halfLifeMs + Math.log2(weight));
}

/** The score of the sum of two counts; exactly the one score if the other is of no count. */
export function joined(one: number, other: number): number {
  const low = Math.min(one, other);
  const high = Math.max(one, other);
  return low === -Infinity ? high : high + Math.log2(1 + 2 ** (low - high));
}

/** The decayed count that a score stands for at `time`. */
export function decayedCount(score: number, time: number, halfLifeMs: number): number {
  return score === -Infinity ? 0 : 2 ** (score - time / halfLifeMs);
}

/** The best `capacity` items by score, best first; ties go to the item that comes first by `compare`. */
export class TopList {
  readonly #items: Uint32Array;
  readonly #scores: Float64Array;
  readonly #compare: (a: number, b: number) => number;
  #size = 0;

  /** An empty list. @param compare Orders items of equal scores, by their indices. */
  constructor(capacity: number, compare: (a: number, b: number) => number) {
    this.#items = new Uint32Array(capacity);
    this.#scores = new Float64Array(capacity);
    this.#compare = compare;
  }

  /** Indices of the items, best first; valid until the next change. */
  get items(): Uint32Array {
    return this.#items.subarray(0, this.#size);
  }

  /**
   * Sets the score of an item. O(log capacity), and O(n) to move the n items that it overtakes.
   *
   * @param before Its score at the previous call, at most `score`; at the first call, a number below all scores.
   */
  update(item: number, score: number, before = -Infinity): void {
    const size = this.#size;
    const isFull = size === this.#items.length;
    // An item that is in the list has at least the last score.
    if (isFull && (size === 0 || !this.#precedes(score, item, size - 1))) return;
    let from = this.#place(before, item, size);
    if (from === size || this.#items[from] !== item) {
      from = isFull ? size - 1 : size;
      this.#size = from + 1;
    }
    const to = this.#place(score, item, from);
    if (to < from) {
      this.#items.copyWithin(to + 1, to, from);
      this.#scores.copyWithin(to + 1, to, from);
    }
    this.#items[to] = item;
    this.#scores[to] = score;
  }

  /** The first place below `end` whose item does not come before this one. */
  #place(score: number, item: number, end: number): number {
    let low = 0;
    while (low < end) {
      const middle = (low + end) >>> 1;
      if (this.#items[middle] !== item && !this.#precedes(score, item, middle)) low = middle + 1;
      else end = middle;
    }
    return low;
  }

  /** Whether an item comes before the one at a place. */
  #precedes(score: number, item: number, place: number): boolean {
    const other = this.#scores[place]!;
    return score > other || (score === other && this.#compare(item, this.#items[place]!) < 0);
  }
}
