/** The capital of a bet that gains are above 0, for tests that may be read at any time. */

import { normalCdf } from "./normal.ts";

/**
 * ln M of the half-normal mixture martingale (Robbins 1970), with G the sum of the gains so far and V that of their
 * squares:
 *
 * ```text
 *   M = 2 Φ(ρG/s) exp(ρ²G²/2s²) / s,   s = √(1 + ρ²V)
 * ```
 *
 * For gains with a symmetric distribution, M ever exceeds 1/α with probability at most α.
 *
 * @param rho Deviation of the bets, above 0
 */
export function logCapital(gain: number, variance: number, rho: number): number {
  const s = Math.sqrt(1 + rho * rho * variance);
  const x = rho * gain / s;
  return Math.log(2 * normalCdf(x) / s) + x * x / 2;
}
