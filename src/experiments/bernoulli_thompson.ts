/** Bernoulli Thompson sampling: draws a rate from each arm's Beta distribution and ranks by it. */

import { normal } from "../draws/random_source.ts";

/** Beta distribution of an arm's rate. */
export interface BetaArm {
  /** Pseudo-successes, above 0. */
  readonly alpha: number;
  /** Pseudo-failures, above 0. */
  readonly beta: number;
}

/**
 * Probability that each arm takes each of the first places, by simulation: there is no closed form.
 *
 * The standard error of a probability p is √(p(1 − p)/draws), at most 0.0011 with 200,000.
 *
 * @param places number of places, at least 1
 * @param draws number of simulated lists
 * @param random uniform numbers in [0, 1)
 * @returns [arm][place]
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { bernoulliThompson } from "@meander/meander/evaluation";
 * import { mulberry32 } from "@meander/meander/nn";
 *
 * const arms = [{ alpha: 90, beta: 10 }, { alpha: 10, beta: 90 }];
 * const [best] = bernoulliThompson(arms, 1, 1000, mulberry32(1));
 * assert.equal(best?.[0], 1); // 90 % against 10 %: never the other
 * ```
 */
export function bernoulliThompson(
  arms: readonly BetaArm[],
  places: number,
  draws: number,
  random: () => number,
): number[][] {
  const counts = arms.map(() => new Array<number>(places).fill(0));
  const rates = new Float64Array(arms.length);
  for (let n = 0; n < draws; n++) {
    arms.forEach(({ alpha, beta }, arm) => {
      const [x, y] = [gamma(random, alpha), gamma(random, beta)];
      rates[arm] = x / (x + y);
    });
    for (let place = 0; place < Math.min(places, arms.length); place++) {
      let best = 0;
      for (let arm = 1; arm < rates.length; arm++) if (rates[arm]! > rates[best]!) best = arm;
      counts[best]![place]!++;
      rates[best] = -1;
    }
  }
  return counts.map((of) => of.map((count) => count / draws));
}

/** Draws from the gamma distribution (Marsaglia and Tsang 2000). */
function gamma(random: () => number, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * Math.pow(1 - random(), 1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < x * x / 2 + d * (1 - v + Math.log(v))) return d * v;
  }
}
