/**
 * Shares of candidates: the probability that each is taken next.
 *
 * @module
 */

/** Odds are summed in units of this share of the largest. */
const SHARE_GRAIN = 2 ** -36;

/** The softmax of scores and `more` further ones equal to the lowest; the order of the scores does not matter. */
export function sharesOf(scores: Float64Array, more: number): (score: number) => number {
  let [lowest, highest] = scores.length === 0 ? [0, 0] : [Infinity, -Infinity];
  for (const score of scores) {
    if (score < lowest) lowest = score;
    if (score > highest) highest = score;
  }
  // In integers, whose sum is the same in any order.
  const grains = (score: number) => Math.ceil(Math.exp(score - highest) / SHARE_GRAIN);
  let sum = more * grains(lowest);
  for (const score of scores) sum += grains(score);
  return (score) => Math.exp(score - highest) / (sum * SHARE_GRAIN);
}
