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

/** The score of the sum of two counts; exactly one of the scores if the other count is 0. */
export function joined(one: number, other: number): number {
  const low = Math.min(one, other);
  const high = Math.max(one, other);
  return low === -Infinity ? high : high + Math.log2(1 + 2 ** (low - high));
}

/** The decayed count that a score stands for at `time`. */
export function decayedCount(score: number, time: number, halfLifeMs: number): number {
  return score === -Infinity ? 0 : 2 ** (score - time / halfLifeMs);
}

/**
 * The best `capacity` items by score, best first; ties go to the item that comes first by `compare`. A reserve of the
 * next best ones takes the places of items that are removed.
 */
export class TopList {
  readonly #capacity: number;
  readonly #items: Uint32Array;
  readonly #scores: Float64Array;
  readonly #compare: (a: number, b: number) => number;
  #size = 0;
  /** Whether an item has been left out: then it is unknown which one comes after the last. */
  #isCut = false;

  /**
   * An empty list.
   *
   * @param compare Orders items of equal scores, by their indices.
   * @param reserve How many of the best items may be removed before the list is short.
   */
  constructor(capacity: number, compare: (a: number, b: number) => number, reserve = 0) {
    this.#capacity = capacity;
    this.#items = new Uint32Array(capacity + reserve);
    this.#scores = new Float64Array(capacity + reserve);
    this.#compare = compare;
  }

  /** Indices of the items, best first; valid until the next change. */
  get items(): Uint32Array {
    return this.#items.subarray(0, Math.min(this.#size, this.#capacity));
  }

  /** Whether items are missing because too many were removed: the list must be rebuilt. */
  get isShort(): boolean {
    return this.#isCut && this.#size < this.#capacity;
  }

  /**
   * Sets the score of an item. O(log capacity), and O(n) to move the n items that it overtakes.
   *
   * @param before Its score at the previous call, at most `score`; at the first call, or once it was removed, a number
   * below all scores.
   */
  update(item: number, score: number, before = -Infinity): void {
    const size = this.#size;
    const isFull = size === this.#items.length;
    // An item that is in the list has at least the last score.
    if ((isFull || this.#isCut) && (size === 0 || !this.#precedes(score, item, size - 1))) {
      this.#isCut = true;
      return;
    }
    let from = this.#place(before, item, size);
    if (from === size || this.#items[from] !== item) {
      this.#isCut ||= isFull;
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

  /** Removes an item, if it is in the list. @param score Its score at the previous update */
  remove(item: number, score: number): void {
    const at = this.#place(score, item, this.#size);
    if (at === this.#size || this.#items[at] !== item) return;
    this.#items.copyWithin(at, at + 1, this.#size);
    this.#scores.copyWithin(at, at + 1, this.#size);
    this.#size--;
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
