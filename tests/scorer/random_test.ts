import assert from "node:assert/strict";
import fc from "fast-check";
import { hash32, mulberry32 } from "../../src/draws/random.ts";

/** Chi-square of counts in 16 buckets against a uniform distribution; its 99.9th percentile is 37.7. */
function chiSquare(buckets: Iterable<number>): number {
  const counts = new Array<number>(16).fill(0);
  let n = 0;
  for (const bucket of buckets) {
    counts[bucket] = (counts[bucket] ?? 0) + 1;
    n++;
  }
  return counts.reduce((sum, count) => sum + (count - n / 16) ** 2 / (n / 16), 0);
}

Deno.test("mulberry32() repeats its numbers in [0, 1) for the same seed", () => {
  fc.assert(fc.property(fc.integer(), (seed) => {
    const [a, b] = [mulberry32(seed), mulberry32(seed)];
    for (let i = 0; i < 20; i++) {
      const x = a();
      assert.ok(x >= 0 && x < 1);
      assert.equal(b(), x);
    }
  }));
});

Deno.test("mulberry32() is uniform along a sequence and over the first numbers of consecutive seeds", () => {
  const random = mulberry32(7);
  assert.ok(chiSquare(Array.from({ length: 16_000 }, () => Math.floor(16 * random()))) < 37.7);
  assert.ok(
    chiSquare(Array.from({ length: 16_000 }, (_, seed) => Math.floor(16 * mulberry32(seed)()))) < 37.7,
  );
});

Deno.test("hash32() spreads consecutive ids evenly and differs by seed", () => {
  const ids = Array.from({ length: 16_000 }, (_, i) => `request-${i}`);
  assert.ok(chiSquare(ids.map((id) => hash32(id) >>> 28)) < 37.7);
  assert.ok(chiSquare(ids.map((id) => hash32(id) & 15)) < 37.7);
  assert.notEqual(hash32("r", 1), hash32("r", 2));
});
