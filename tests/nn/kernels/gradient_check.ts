/**
 * Gradient checks by central differences, for kernels that store float32.
 *
 * @module
 */

import assert from "node:assert/strict";

/** Gradients by the name of the array they belong to. */
export type Gradient = Readonly<Record<string, Float32Array>>;

/** `length` reproducible numbers in (−1, 1), multiples of 1/256 (Numerical Recipes' generator). */
export function floats(length: number, seed: number): Float32Array {
  let state = (Math.imul(seed, 2654435761) + 12345) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 16) % 511 - 255) / 256;
  });
}

/** Σ x·w: makes a scalar of an output, with gradient w. */
export function weighted(x: ArrayLike<number>, w: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < w.length; i++) sum += (x[i] ?? NaN) * (w[i] ?? NaN);
  return sum;
}

/**
 * Compares the gradients of `evaluate` with (L(x+ε)−L(x−ε))/2ε for every element of every array in `at`,
 * which `evaluate` reads. Outputs are rounded to float32, so ε is large and the step is the one that the
 * rounded x really made; an error is relative to the largest gradient of its array. Where there are kinks
 * (PReLU), a smaller `epsilon` steps over fewer of them.
 */
export function gradientCheck(
  what: string,
  at: Gradient,
  evaluate: () => [loss: number, gradient: Gradient],
  { epsilon = 1 / 64, tolerance = 2e-3 }: { epsilon?: number; tolerance?: number } = {},
): void {
  const gradient = Object.fromEntries(
    Object.entries(evaluate()[1]).map(([name, values]) => [name, values.slice()]),
  );
  for (const [name, x] of Object.entries(at)) {
    const got = gradient[name] ?? new Float32Array(0);
    assert.equal(got.length, x.length, `${what}: length of the gradient of ${name}`);
    const want = Array.from(x, (value, i) => {
      const difference = (step: number) => {
        x[i] = value + step;
        const up = x[i] ?? NaN;
        const above = evaluate()[0];
        x[i] = value - step;
        const down = x[i] ?? NaN;
        const below = evaluate()[0];
        x[i] = value;
        return (above - below) / (up - down);
      };
      // Richardson: two central differences cancel the error of order ε².
      return (4 * difference(epsilon) - difference(2 * epsilon)) / 3;
    });
    const scale = want.reduce((most, g) => Math.max(most, Math.abs(g)), 1e-2);
    want.forEach((g, i) => {
      const error = Math.abs((got[i] ?? NaN) - g) / scale;
      assert.ok(error < tolerance, `${what}: gradient of ${name}[${i}] is ${got[i]}, differences say ${g}`);
    });
  }
}
