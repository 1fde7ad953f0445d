import assert from "node:assert/strict";
import { normalCdf, normalQuantile } from "../../src/metrics/normal.ts";

// R 4.3: pnorm(x), to 15 digits.
const TABLE = [
  [-37, 5.72557122252458e-300],
  [-10, 7.61985302416053e-24],
  [-3, 0.00134989803163009],
  [-1, 0.158655253931457],
  [0, 0.5],
  [0.5, 0.691462461274013],
  [2.575829303548901, 0.995],
] as const;

Deno.test("normalCdf() agrees with R on both sides of 0", () => {
  for (const [x, p] of TABLE) assert.ok(Math.abs(normalCdf(x) / p - 1) < 1e-12, `${normalCdf(x)} at ${x}`);
});

Deno.test("normalQuantile() is the inverse of normalCdf()", () => {
  for (const p of [1e-12, 1e-4, 0.01, 0.3, 0.5, 0.9, 0.999]) {
    assert.ok(Math.abs(normalCdf(normalQuantile(p)) / p - 1) < 1e-9);
  }
  assert.throws(() => normalQuantile(1), RangeError);
});
