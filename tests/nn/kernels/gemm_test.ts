import assert from "node:assert/strict";
import fc from "fast-check";
import { addRowSum, addXtY, addXW, addYWt, fillRows } from "../../../src/nn/kernels/gemm.ts";
import { floats } from "./gradient_check.ts";

/** C[m,n] += Σ_p a(i,p)·b(p,j), summed in the same order and rounded once. */
function naive(
  c: Float32Array,
  [m, k, n]: readonly [number, number, number],
  a: (i: number, p: number) => number,
  b: (p: number, j: number) => number,
): Float32Array {
  return c.map((start, o) => {
    const i = Math.floor(o / n), j = o % n;
    let sum = start;
    for (let p = 0; p < k && i < m; p++) sum += a(i, p) * b(p, j);
    return sum;
  });
}

const width = fc.integer({ min: 0, max: 13 });
const offset = fc.nat(3);

Deno.test("addXW(), addYWt() and addXtY() equal the naive products bit for bit for every shape", () => {
  fc.assert(fc.property(width, width, width, offset, (m, k, n, o) => {
    const x = floats(m * k + o, 1), w = floats(k * n + o, 2), y = floats(m * n + o, 3);
    const at = (matrix: Float32Array, columns: number) => (i: number, j: number) =>
      matrix[o + i * columns + j] ?? NaN;
    const flip = (f: (i: number, j: number) => number) => (i: number, j: number) => f(j, i);
    const check = (
      add: (c: Float32Array) => void,
      c: Float32Array,
      want: (inner: Float32Array) => Float32Array,
    ) => {
      const got = c.slice();
      add(got);
      assert.deepEqual(got.subarray(0, o), c.subarray(0, o));
      assert.deepEqual(got.slice(o), want(c.slice(o)));
    };
    const [X, W, Y] = [at(x, k), at(w, n), at(y, n)];
    check((c) => addXW(c, o, x, o, w, o, m, k, n), y, (c) => naive(c, [m, k, n], X, W));
    check((c) => addYWt(c, o, y, o, w, o, m, k, n), x, (c) => naive(c, [m, n, k], Y, flip(W)));
    check((c) => addXtY(c, o, x, o, y, o, m, k, n), w, (c) => naive(c, [k, m, n], flip(X), Y));
  }));
});

Deno.test("fillRows() repeats the bias and addRowSum() is its gradient", () => {
  const y = new Float32Array(7);
  fillRows(y, 1, new Float32Array([9, 1, 2]), 1, 3, 2);
  assert.deepEqual([...y], [0, 1, 2, 1, 2, 1, 2]);
  const db = new Float32Array([5, 0, 0]);
  addRowSum(db, 1, y, 1, 3, 2);
  assert.deepEqual([...db], [5, 3, 6]);
});
