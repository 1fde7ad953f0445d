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
 * rounded x really made; an error is relative to the largest gradient of its array. Only where that is not close
 * enough does a second step, twice as wide, cancel the error of order ε² (Richardson). Where there are kinks (PReLU), a
 * smaller `epsilon` steps over fewer of them.
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
    const difference = (i: number, step: number) => {
      const value = x[i]!;
      x[i] = value + step;
      const up = x[i]!;
      const above = evaluate()[0];
      x[i] = value - step;
      const down = x[i]!;
      const below = evaluate()[0];
      x[i] = value;
      return (above - below) / (up - down);
    };
    const near = Array.from(x, (_, i) => difference(i, epsilon));
    const scale = near.reduce((most, g) => Math.max(most, Math.abs(g)), 1e-2);
    const isClose = (i: number, want: number) => Math.abs(got[i]! - want) / scale < tolerance;
    for (const [i, once] of near.entries()) {
      if (isClose(i, once)) continue;
      const want = (4 * once - difference(i, 2 * epsilon)) / 3;
      assert.ok(isClose(i, want), `${what}: gradient of ${name}[${i}] is ${got[i]}, differences say ${want}`);
    }
  }
}
