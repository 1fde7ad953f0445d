/** Products with a transposed matrix: inner products of rows. */

import { fma, laneMask, storePart, sums } from "./vector";

/**
 * C[m,q] += A·Bᵀ with A [m,n] and B [q,n] row by row: four lanes of partial sums over the inner index, added
 * up at the end.
 */
export function dot(c: usize, a: usize, b: usize, m: i32, q: i32, n: i32): void {
  const row = <usize>n << 2, width = <usize>q << 2;
  const whole = <usize>(n & ~3) << 2;
  const mask = laneMask(n & 3);
  for (let i = 0; i < m; i += 2) {
    const a0 = a + <usize>i * row;
    const pair = i + 1 < m;
    const a1 = pair ? a0 + row : a0;
    const c0 = c + <usize>i * width;
    for (let j = 0; j < q; j += 4) {
      const left = q - j;
      const b0 = b + <usize>j * row;
      const b1 = left > 1 ? b0 + row : b0, b2 = left > 2 ? b1 + row : b0, b3 = left > 3 ? b2 + row : b0;
      let x0 = f32x4.splat(0), x1 = f32x4.splat(0), x2 = f32x4.splat(0), x3 = f32x4.splat(0);
      let y0 = f32x4.splat(0), y1 = f32x4.splat(0), y2 = f32x4.splat(0), y3 = f32x4.splat(0);
      let p: usize = 0;
      for (; p < whole; p += 16) {
        const u = v128.load(a0 + p), v = v128.load(a1 + p);
        let w = v128.load(b0 + p);
        x0 = fma(u, w, x0), y0 = fma(v, w, y0);
        w = v128.load(b1 + p);
        x1 = fma(u, w, x1), y1 = fma(v, w, y1);
        w = v128.load(b2 + p);
        x2 = fma(u, w, x2), y2 = fma(v, w, y2);
        w = v128.load(b3 + p);
        x3 = fma(u, w, x3), y3 = fma(v, w, y3);
      }
      if (p < row) {
        // The bytes after a row may hold anything, even NaN, so both factors are masked.
        const u = v128.and(v128.load(a0 + p), mask), v = v128.and(v128.load(a1 + p), mask);
        let w = v128.and(v128.load(b0 + p), mask);
        x0 = fma(u, w, x0), y0 = fma(v, w, y0);
        w = v128.and(v128.load(b1 + p), mask);
        x1 = fma(u, w, x1), y1 = fma(v, w, y1);
        w = v128.and(v128.load(b2 + p), mask);
        x2 = fma(u, w, x2), y2 = fma(v, w, y2);
        w = v128.and(v128.load(b3 + p), mask);
        x3 = fma(u, w, x3), y3 = fma(v, w, y3);
      }
      const to = c0 + (<usize>j << 2);
      const x = f32x4.add(v128.load(to), sums(x0, x1, x2, x3));
      const y = f32x4.add(v128.load(pair ? to + width : to), sums(y0, y1, y2, y3));
      if (left >= 4) {
        v128.store(to, x);
        if (pair) v128.store(to + width, y);
      } else {
        storePart(to, x, left);
        if (pair) storePart(to + width, y, left);
      }
    }
  }
}
