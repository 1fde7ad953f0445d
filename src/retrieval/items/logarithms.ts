/**
 * ln(1 + x) of many numbers, from tables, in a fraction of the time of `Math.log1p`.
 *
 * With y = 1 + x = 2^e · m, m₀ ≤ m the nearest of 1,024 steps below it and d = m / m₀ − 1 < 2^−10,
 *
 * ```text
 *   ln y = e · ln 2 + ln m₀ + ln(1 + d)        ln(1 + d) ≈ d − d²/2, which is less than 4 · 10⁻¹⁰ off
 * ```
 *
 * @module
 */

const STEP_BITS = 10;
const STEPS = 1 << STEP_BITS;
const EXPONENTS = 2047;
const BIAS = 1023;
/** Bits of the mantissa in the upper half of a number. */
const UPPER_BITS = 20;
const LOGS_OF_STEPS = Float64Array.from({ length: STEPS }, (_, step) => Math.log(1 + step / STEPS));
const INVERSES = Float64Array.from({ length: STEPS }, (_, step) => 1 / (1 + step / STEPS));
const LOGS_OF_POWERS = Float64Array.from({ length: EXPONENTS }, (_, e) => (e - BIAS) * Math.LN2);
const INVERSE_POWERS = Float64Array.from({ length: EXPONENTS }, (_, e) => 2 ** (BIAS - e));

/** Replaces the first `count` numbers x by ln(1 + x); they must be finite and not negative. 0 stays 0. */
export function logarithms(numbers: Float64Array, count: number): void {
  const halves = new Uint32Array(numbers.buffer, numbers.byteOffset, 2 * count);
  for (let k = 0; k < count; k++) numbers[k] = 1 + numbers[k]!;
  for (let k = 0; k < count; k++) {
    const upper = halves[2 * k + 1]!;
    const e = upper >>> UPPER_BITS;
    const step = upper >>> UPPER_BITS - STEP_BITS & STEPS - 1;
    const d = numbers[k]! * INVERSE_POWERS[e]! * INVERSES[step]! - 1;
    numbers[k] = LOGS_OF_POWERS[e]! + LOGS_OF_STEPS[step]! + d * (1 - 0.5 * d);
  }
}
