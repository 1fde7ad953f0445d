import assert from "node:assert/strict";
import fc from "fast-check";
import { isotonic } from "../../src/metrics/isotonic.ts";

Deno.test("isotonic() pools falling values by their weights", () => {
  const fitted = isotonic(Float64Array.of(1, 3, 2, 0, 5), Float64Array.of(1, 1, 2, 1, 1));
  assert.deepEqual([...fitted], [1, 1.75, 1.75, 1.75, 5]);
  assert.deepEqual([...isotonic(new Float64Array(0), new Float64Array(0))], []);
});

Deno.test("isotonic() is the max-min of weighted means, never falls, and keeps the weighted mean", () => {
  const point = fc.record({
    value: fc.double({ min: -9, max: 9, noNaN: true }),
    weight: fc.double({ min: 0.1, max: 9, noNaN: true }),
  });
  fc.assert(fc.property(fc.array(point, { maxLength: 12 }), (points) => {
    const fitted = isotonic(
      Float64Array.from(points, ({ value }) => value),
      Float64Array.from(points, ({ weight }) => weight),
    );
    const mean = (from: number, to: number) => {
      const part = points.slice(from, to + 1);
      const weight = part.reduce((sum, { weight }) => sum + weight, 0);
      return part.reduce((sum, { value, weight }) => sum + value * weight, 0) / weight;
    };
    for (const at of points.keys()) {
      const want = Math.max(
        ...points.slice(0, at + 1).map((_, from) =>
          Math.min(...points.slice(at).map((_, n) => mean(from, at + n)))
        ),
      );
      assert.ok(Math.abs(fitted[at]! - want) < 1e-9, `${fitted[at]} is ${want}`);
    }
  }));
});
