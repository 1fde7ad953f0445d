/**
 * A fast exponential for gates. A GRU needs three per unit and step, and `Math.exp` would be a third of the cost of
 * scoring.
 *
 * @module
 */

const PARTS = 64;
const SCALE = PARTS / Math.LN2;
const STEP = Math.LN2 / PARTS;
/** 2^(i/64). */
const FRACTIONS = Float64Array.from({ length: PARTS }, (_, i) => 2 ** (i / PARTS));
/** 2^(i−1024). */
const POWERS = Float64Array.from({ length: 2048 }, (_, i) => 2 ** (i - 1024));
/** Where the tables end; σ and tanh saturate in float32 long before. */
const LIMIT = 700;

/**
 * e^x with a relative error below 2e-13, for x clamped to ±700: 2^(n/64)·e^r with n = ⌊64x/ln 2⌉ from tables
 * and |r| ≤ ln 2/128 from four terms of the series.
 */
export function exp(x: number): number {
  const clamped = x > LIMIT ? LIMIT : x < -LIMIT ? -LIMIT : x;
  const n = Math.floor(clamped * SCALE + 0.5);
  const r = clamped - n * STEP;
  const k = n | 0;
  return (1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r / 24)))) * FRACTIONS[k & 63]! * POWERS[(k >> 6) + 1024]!;
}
