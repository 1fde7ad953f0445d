/**
 * The standard normal distribution: density, distribution function, quantile.
 *
 * @module
 */

const SQRT2PI = Math.sqrt(2 * Math.PI);

/** Density of the standard normal distribution. */
export function normalDensity(x: number): number {
  return Math.exp(-x * x / 2) / SQRT2PI;
}

/**
 * Probability that a standard normal number is at most `x`; relative error below 1e-13 on both sides.
 *
 * A series below 3, a continued fraction above (Abramowitz and Stegun 26.2.11 and 26.2.14), so that small tails
 * keep their digits.
 */
export function normalCdf(x: number): number {
  if (x > 0) return 1 - normalCdf(-x);
  if (x < -38) return 0;
  if (x > -3) {
    let [term, sum] = [x, x];
    for (let n = 3; Math.abs(term) > 1e-17 * Math.abs(sum); n += 2) sum += term *= x * x / n;
    return 0.5 + normalDensity(x) * sum;
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / (-x + fraction);
  return normalDensity(x) / (-x + fraction);
}

/**
 * The standard normal quantile of `p`.
 *
 * Acklam's rational approximation (2003), then a step of Halley's method.
 *
 * @param p In (0, 1).
 * @throws RangeError When it is not.
 */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) {
    throw new RangeError(`Cannot take the normal quantile of a probability: current value is ${p}`);
  }
  if (p > 0.5) return -normalQuantile(1 - p);
  let x: number;
  if (p < 0.02425) {
    const q = Math.sqrt(-2 * Math.log(p));
    x = horner(TAIL, q) / (q * horner(TAIL_BELOW, q) + 1);
  } else {
    const q = p - 0.5;
    x = q * horner(MIDDLE, q * q) / (q * q * horner(MIDDLE_BELOW, q * q) + 1);
  }
  const error = (normalCdf(x) - p) / normalDensity(x);
  return x - error / (1 + x * error / 2);
}

const MIDDLE = [
  -39.69683028665376,
  220.9460984245205,
  -275.9285104469687,
  138.357751867269,
  -30.66479806614716,
  2.506628277459239,
];
const MIDDLE_BELOW = [
  -54.47609879822406,
  161.5858368580409,
  -155.6989798598866,
  66.80131188771972,
  -13.28068155288572,
];
const TAIL = [
  -0.007784894002430293,
  -0.3223964580411365,
  -2.400758277161838,
  -2.549732539343734,
  4.374664141464968,
  2.938163982698783,
];
const TAIL_BELOW = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416];

function horner(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, c) => sum * x + c, 0);
}
