/** Quantiles of Student's t distribution. */

import { normalQuantile } from "./normal.ts";

/** Below this many degrees of freedom Hill's series is too large, by 17 % for 1.01 of them at 0.975. */
const FEW = 3;
/** Intervals of Simpson's rule. */
const INTERVALS = 256;
/** Most steps of Newton's method, which takes a handful. */
const STEPS = 50;

/**
 * The quantile of `p`, with a relative error below 1e-5: by quadrature for fewer than 3 degrees of freedom, otherwise
 * by Hill's series ("Algorithm 396: Student's t-quantiles", CACM 13, 1970).
 *
 * @param p In (0, 1)
 * @param freedom Degrees of freedom, at least 1, not necessarily whole
 * @throws RangeError when either is out of range
 */
export function studentQuantile(p: number, freedom: number): number {
  if (!(freedom >= 1)) {
    throw new RangeError(
      `Cannot take the t quantile with fewer than 1 degree of freedom: current value is ${freedom}`,
    );
  }
  if (p < 0.5) return -studentQuantile(1 - p, freedom);
  if (!(p < 1)) throw new RangeError(`Cannot take the t quantile of a probability: current value is ${p}`);
  const n = freedom;
  const both = 2 * (1 - p);
  if (n < FEW) return Math.sqrt(n) / Math.tan(angleOf(both, n));
  const a = 1 / (n - 0.5);
  const b = (48 / (a * a)) || Infinity;
  let c = ((20700 * a / b - 98) * a - 16) * a + 96.36;
  const d = ((94.5 / (b + c) - 3) / b + 1) * Math.sqrt(a * Math.PI / 2) * n;
  let x = d * both;
  let y = x ** (2 / n);
  if (y > 0.05 + a) {
    x = normalQuantile(both / 2);
    y = x * x;
    if (n < 5) c += 0.3 * (n - 4.5) * (x + 0.6);
    c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b;
    y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x;
    y = Math.expm1(a * y * y);
  } else {
    y = ((1 / (((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3) + 0.5 / (n + 4)) * y - 1) *
        (n + 1) / (n + 2) + 1 / y;
  }
  return Math.sqrt(n * y);
}

/**
 * The angle φ = arctan(√n / t) of the ±t beyond which `share` of the distribution lies: with w = φⁿ,
 *
 * ```text
 *   ∫₀^φ sinⁿ⁻¹ dφ = ∫₀^w (sin φ / φ)ⁿ⁻¹ dw / n,   which is `share` of that up to π/2
 * ```
 *
 * The integrand falls from 1, so Newton's method approaches from below.
 */
function angleOf(share: number, n: number): number {
  const angle = (w: number) => w ** (1 / n);
  const density = (w: number) => w === 0 ? 1 : (Math.sin(angle(w)) / angle(w)) ** (n - 1);
  const area = (w: number) => {
    let sum = density(0) + density(w);
    for (let i = 1; i < INTERVALS; i++) sum += (i % 2 === 0 ? 2 : 4) * density(w * i / INTERVALS);
    return sum * w / (3 * INTERVALS);
  };
  const wanted = share * area((Math.PI / 2) ** n);
  let w = wanted;
  for (let step = 0; step < STEPS; step++) {
    const change = (wanted - area(w)) / density(w);
    w += change;
    if (Math.abs(change) <= 1e-12 * w) break;
  }
  return angle(w);
}
