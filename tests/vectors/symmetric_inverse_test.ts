import assert from "node:assert/strict";
import fc from "fast-check";
import { SymmetricInverse } from "../../src/vectors/symmetric_inverse.ts";

const entry = fc.integer({ min: -10, max: 10 });

/** A matrix A = RᵀR + I of up to 11 rows. */
const matrices = fc.integer({ min: 1, max: 11 }).chain((n) =>
  fc.array(entry, { minLength: n * n, maxLength: n * n })
).map((root) => {
  const n = Math.sqrt(root.length);
  return Float64Array.from(root, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = i === j ? 1 : 0;
    for (let k = 0; k < n; k++) sum += root[i * n + k]! * root[j * n + k]!;
    return sum;
  });
});

/** The upper half of a matrix, and NaN below it. */
const upperHalf = (a: Float64Array, n: number) =>
  a.map((value, at) => at % n < Math.floor(at / n) ? NaN : value);

Deno.test("SymmetricInverse.invert() inverts positive definite matrices, reading their upper half only", () => {
  const inverter = new SymmetricInverse(11);
  fc.assert(fc.property(matrices, (a) => {
    const n = Math.sqrt(a.length);
    const inverse = upperHalf(a, n);
    assert.ok(inverter.invert(inverse, n, 1e-6));
    for (let at = 0; at < n * n; at++) {
      const [i, j] = [Math.floor(at / n), at % n];
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k]! * inverse[k * n + j]!;
      assert.ok(Math.abs(sum - (i === j ? 1 : 0)) < 1e-6, `${sum} at ${i}, ${j} of ${n}`);
      assert.equal(inverse[i * n + j], inverse[j * n + i]);
    }
  }));
});

Deno.test("SymmetricInverse.invert() says where a pivot is too small, however late", () => {
  const inverter = new SymmetricInverse(11);
  fc.assert(fc.property(matrices, fc.nat(10), (a, place) => {
    const n = Math.sqrt(a.length);
    const at = place % n;
    // A diagonal this small makes the determinant of the leading block negative, or 0.
    const low = upperHalf(a, n);
    low[at * n + at] = -1;
    assert.equal(inverter.invert(low, n, 1e-6), false);
    assert.equal(inverter.invert(upperHalf(a, n), n, 1e9), false);
  }));
});
