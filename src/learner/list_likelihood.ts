/**
 * The evidence of a list about an order: which of its rows were positive, given how many were.
 *
 * With logits z of n rows and k positives, the conditional log likelihood (Cox, "The regression analysis of binary
 * sequences", JRSS B 1958) is
 *
 *     Σ over positives of z − ln e_k(exp z),
 *
 * e_k the elementary symmetric polynomial. A constant added to all z of a list changes nothing. With p = σ(z + δ), e_k
 * is the probability that k of independent rows are positive times Π (1 + exp(z + δ)) exp(−kδ), for any δ; choosing it
 * such that Σ p = k avoids underflow.
 */

import { sigmoid, softplus } from "../nn/losses/logistic.ts";

export interface ListLikelihood {
  /** Logarithm of the conditional likelihood; 0 when all labels are the same. */
  readonly value: number;
  /** Approximate variance p (1 − p) of each row; all 0 when all labels are the same. */
  readonly variances: Float64Array;
}

/** Steps of Newton's method for δ. */
const STEPS = 20;

/** The conditional likelihood of labels. O(n k). */
export function listLikelihood(logits: ArrayLike<number>, labels: ArrayLike<number>): ListLikelihood {
  const n = logits.length;
  let [positives, value] = [0, 0];
  for (let i = 0; i < n; i++) {
    positives += labels[i]!;
    value += labels[i]! * logits[i]!;
  }
  const variances = new Float64Array(n);
  if (positives === 0 || positives === n) return { value: 0, variances };
  const shift = shiftFor(logits, positives);
  // The probabilities of 0 to k positives among the rows so far.
  const chances = new Float64Array(positives + 1);
  chances[0] = 1;
  let scale = -positives * shift;
  for (let i = 0; i < n; i++) {
    const p = sigmoid(logits[i]! + shift);
    for (let k = positives; k > 0; k--) chances[k] = chances[k]! * (1 - p) + chances[k - 1]! * p;
    chances[0]! *= 1 - p;
    variances[i] = p * (1 - p);
    scale += softplus(logits[i]! + shift);
  }
  return { value: value - Math.log(Math.max(chances[positives]!, Number.MIN_VALUE)) - scale, variances };
}

/** δ with Σ σ(z + δ) = k. */
function shiftFor(logits: ArrayLike<number>, positives: number): number {
  let [low, high] = [-100, 100];
  let shift = 0;
  for (let step = 0; step < STEPS; step++) {
    let [sum, slope] = [0, 0];
    for (let i = 0; i < logits.length; i++) {
      const p = sigmoid(logits[i]! + shift);
      sum += p;
      slope += p * (1 - p);
    }
    if (Math.abs(sum - positives) < 1e-3 * positives) break;
    if (sum > positives) high = shift;
    else low = shift;
    const next = shift + (positives - sum) / slope;
    shift = next > low && next < high ? next : (low + high) / 2;
  }
  return shift;
}
