/**
 * Scores of a part made comparable with those of other parts: in the part's usual units, and without outliers.
 *
 * ```text
 *   z = C asinh((s − median) / (C σ))        σ: how far scores of a list usually are from its median, followed slowly
 * ```
 *
 * The map is monotone, so it keeps the order of a part. It is nearly linear up to C units and grows like a logarithm
 * beyond, so that no part drowns the others by the size of its numbers.
 *
 * @module
 */

/** Units up to which z is nearly linear. */
const C = 5;
/** Share of a new list in σ. */
const FOLLOW = 1 / 1000;
/** Bound, in σ, for the scale of a list: one broken list moves σ by a tenth, many still move it fast. */
const MOST_SPREAD = 100;
/** Bound of the argument of asinh. */
const MOST = 1e12;

export class PartScores {
  /** σ; 0 = no list has been seen yet. */
  unit = 0;
  /** Scratch: the finite scores of a list, ascending. */
  #buffer = new Float64Array(128);

  /** Maps the scores of a list. Scores that are not finite count as the lowest one; equal scores map to 0. */
  map(scores: ArrayLike<number>, into: Float64Array): void {
    const sorted = this.#sorted(scores);
    const [lowest, middle] = [sorted[0] ?? 0, sorted[sorted.length >> 1] ?? 0];
    const unit = this.unit > 0 ? this.unit : spreadOf(sorted);
    for (let i = 0; i < scores.length; i++) {
      const score = Number.isFinite(scores[i]) ? scores[i]! : lowest;
      const units = unit > 0 ? (score - middle) / (C * unit) : 0;
      into[i] = C * Math.asinh(Math.max(-MOST, Math.min(MOST, units)));
    }
  }

  /** Follows the usual scale of scores. @param weight How much the list counts, in (0, 1] */
  follow(scores: ArrayLike<number>, weight: number): void {
    const spread = spreadOf(this.#sorted(scores));
    if (!(spread > 0 && spread < Infinity)) return;
    if (this.unit > 0) this.unit += weight * FOLLOW * (Math.min(spread, MOST_SPREAD * this.unit) - this.unit);
    else this.unit = spread;
  }

  #sorted(scores: ArrayLike<number>): Float64Array {
    if (this.#buffer.length < scores.length) this.#buffer = new Float64Array(2 * scores.length);
    let size = 0;
    for (let i = 0; i < scores.length; i++) {
      if (Number.isFinite(scores[i])) this.#buffer[size++] = scores[i]!;
    }
    return this.#buffer.subarray(0, size).sort();
  }
}

/** The mean distance of the inner half from the median; of all scores if the inner half are equal. */
function spreadOf(sorted: Float64Array): number {
  const { length } = sorted;
  const middle = sorted[length >> 1] ?? 0;
  const inner = length >> 2;
  let [sum, all] = [0, 0];
  for (let i = 0; i < length; i++) {
    const distance = Math.abs(sorted[i]! - middle);
    all += distance;
    if (i >= inner && i < length - inner) sum += distance;
  }
  return sum > 0 ? sum / (length - 2 * inner) : all / Math.max(1, length);
}
