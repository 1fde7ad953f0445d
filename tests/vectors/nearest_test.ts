import fc from "fast-check";
import assert from "node:assert/strict";
import { Nearest } from "../../src/vectors/nearest.ts";

Deno.test("Nearest keeps the largest scores, and the first of those that tie for the last place", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 300 }),
      fc.integer({ min: 1, max: 9 }),
      (
        scores,
        limit,
      ) => {
        const nearest = new Nearest(limit);
        scores.forEach((score, place) => {
          if (score > nearest.border) nearest.add(place, score);
        });
        nearest.cut();
        const got = Array.from({ length: nearest.size }, (_, k) => [nearest.placeAt(k), nearest.scoreAt(k)]);
        const want = scores.map((score, place) => [place, score] as const)
          .sort(([p, a], [q, b]) => b - a || p - q).slice(0, limit);
        assert.deepEqual(
          got.sort(([p], [q]) => p! - q!),
          want.sort(([p], [q]) => p - q).map((pair) => [...pair]),
        );
      },
    ),
  );
});
