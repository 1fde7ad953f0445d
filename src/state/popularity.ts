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

/** The best `capacity` ids by score, best first; ties go to the smaller id. */
export class TopList {
  readonly #capacity: number;
  readonly #ids: string[] = [];
  readonly #scores: number[] = [];

  /** An empty list of at most `capacity` ids. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The ids, best first. */
  get ids(): readonly string[] {
    return this.#ids;
  }

  /** Sets the score of an id, which must not be lower than before. O(capacity). */
  update(id: string, score: number): void {
    let at = this.#ids.indexOf(id);
    if (at < 0) {
      const last = this.#ids.length - 1;
      if (this.#ids.length >= this.#capacity) {
        if (!before(score, id, this.#scores[last]!, this.#ids[last]!)) return;
        at = last;
      } else {
        at = last + 1;
      }
    }
    while (at > 0 && before(score, id, this.#scores[at - 1]!, this.#ids[at - 1]!)) {
      this.#ids[at] = this.#ids[at - 1]!;
      this.#scores[at] = this.#scores[at - 1]!;
      at--;
    }
    this.#ids[at] = id;
    this.#scores[at] = score;
  }
}

function before(score: number, id: string, otherScore: number, otherId: string): boolean {
  return score > otherScore || (score === otherScore && id < otherId);
}
