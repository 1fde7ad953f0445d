import assert from "node:assert/strict";
import fc from "fast-check";
import { createRandom, normal } from "../../src/draws/random_source.ts";
import { choose, exponential, logNormal, pick } from "../../fixtures/simulator/distributions.ts";

const N = 20_000;

function draws(draw: () => number): { mean: number; deviation: number } {
  const values = Array.from({ length: N }, draw);
  const mean = values.reduce((a, b) => a + b) / N;
  return { mean, deviation: Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / N) };
}

function near(actual: number, expected: number, tolerance: number): void {
  assert.ok(Math.abs(actual - expected) < tolerance, `${actual} is not within ${tolerance} of ${expected}`);
}

Deno.test("createRandom() repeats itself for the same seed and stream, and not for another stream", () => {
  fc.assert(fc.property(fc.integer(), fc.integer(), (seed, stream) => {
    const first = createRandom(seed, stream);
    const again = createRandom(seed, stream);
    const other = createRandom(seed, stream + 1);
    const a = Array.from({ length: 8 }, first);
    assert.deepEqual(Array.from({ length: 8 }, again), a);
    assert.notDeepEqual(Array.from({ length: 8 }, other), a);
    assert.ok(a.every((x) => x >= 0 && x < 1));
  }));
});

Deno.test("createRandom() is uniform over sixteen bins", () => {
  const random = createRandom(5);
  const bins = new Float64Array(16);
  for (let i = 0; i < N; i++) bins[Math.floor(16 * random())]! += 1;
  const chiSquare = bins.reduce((sum, n) => sum + (n - N / 16) ** 2 / (N / 16), 0);
  assert.ok(chiSquare < 15 + 4 * Math.sqrt(30), `chi-square ${chiSquare} of 15 degrees of freedom`);
});

Deno.test("normal(), exponential() and logNormal() have the moments they promise", () => {
  const random = createRandom(6);
  const gaussian = draws(() => normal(random));
  near(gaussian.mean, 0, 4 / Math.sqrt(N));
  near(gaussian.deviation, 1, 4 / Math.sqrt(2 * N));
  near(draws(() => exponential(random, 3)).mean, 3, 4 * 3 / Math.sqrt(N));
  const logarithm = draws(() => Math.log(logNormal(random, 7, 0.5)));
  near(logarithm.mean, Math.log(7), 4 * 0.5 / Math.sqrt(N));
  near(logarithm.deviation, 0.5, 4 * 0.5 / Math.sqrt(2 * N));
});

Deno.test("pick() and choose() draw in proportion to the weights", () => {
  const random = createRandom(7);
  near(draws(() => Number(pick(random, [1, 0, 3]) === 2)).mean, 0.75, 4 * Math.sqrt(0.75 * 0.25 / N));
  assert.equal(draws(() => Number(pick(random, [1, 0, 3]) === 1)).mean, 0);
  near(draws(() => choose(random, [0, 1])).mean, 0.5, 4 * 0.5 / Math.sqrt(N));
});
