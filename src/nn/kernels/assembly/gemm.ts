/**
 * Matrix products. Each element is one chain of sums in the order of the inner index, beginning with its start
 * value, whichever tile computes it: rows computed together or one by one have the same bits.
 */

import { fma, spread, storePart } from "./vector";

/** Rows of the inner matrix that stay in the cache while tiles of the result pass over them. */
const DEPTH: i32 = 256;

/**
 * C[m,n] = S + A·B with B [k,n] row by row. An element of A is at a + i·rowStep + p·innerStep; a row of S at
 * s + i·startStep, with 0 for one row that all share.
 */
export function gemm(
  c: usize, s: usize, startStep: usize,
  a: usize, rowStep: usize, innerStep: usize,
  b: usize, m: i32, k: i32, n: i32,
): void {
  const row = <usize>n << 2;
  for (let p = 0; p == 0 || p < k; p += DEPTH) {
    const depth = min(DEPTH, k - p);
    const start = p == 0 ? s : c;
    const step = p == 0 ? startStep : row;
    block(c, start, step, a + <usize>p * innerStep, rowStep, innerStep, b + <usize>p * row, m, depth, n);
  }
}

function block(
  c: usize, s: usize, startStep: usize,
  a: usize, rowStep: usize, innerStep: usize,
  b: usize, m: i32, k: i32, n: i32,
): void {
  const row = <usize>n << 2;
  let i = 0;
  if (rowStep == 4) {
    for (; i + 4 <= m; i += 4) {
      fourBeside(c + <usize>i * row, s + <usize>i * startStep, startStep, a + (<usize>i << 2), innerStep, b, k, n);
    }
  }
  for (; i + 4 <= m; i += 4) {
    four(c + <usize>i * row, s + <usize>i * startStep, startStep, a + <usize>i * rowStep, rowStep, innerStep, b, k, n);
  }
  for (; i < m; i++) one(c + <usize>i * row, s + <usize>i * startStep, a + <usize>i * rowStep, innerStep, b, k, n);
}

function four(
  c: usize, s: usize, startStep: usize,
  a: usize, rowStep: usize, innerStep: usize,
  b: usize, k: i32, n: i32,
): void {
  const row = <usize>n << 2;
  const wide = <usize>(n & ~7) << 2;
  const twice = innerStep << 1;
  let j: usize = 0;
  for (; j < wide; j += 32) {
    let from = s + j;
    let x0 = v128.load(from), y0 = v128.load(from, 16);
    from += startStep;
    let x1 = v128.load(from), y1 = v128.load(from, 16);
    from += startStep;
    let x2 = v128.load(from), y2 = v128.load(from, 16);
    from += startStep;
    let x3 = v128.load(from), y3 = v128.load(from, 16);
    let bp = b + j;
    let p0 = a, p1 = a + rowStep, p2 = p1 + rowStep, p3 = p2 + rowStep;
    let p = k;
    for (; p > 1; p -= 2) {
      let u = v128.load(bp), v = v128.load(bp, 16);
      let f = v128.load32_splat(p0);
      x0 = fma(f, u, x0), y0 = fma(f, v, y0);
      f = v128.load32_splat(p1);
      x1 = fma(f, u, x1), y1 = fma(f, v, y1);
      f = v128.load32_splat(p2);
      x2 = fma(f, u, x2), y2 = fma(f, v, y2);
      f = v128.load32_splat(p3);
      x3 = fma(f, u, x3), y3 = fma(f, v, y3);
      bp += row;
      u = v128.load(bp), v = v128.load(bp, 16);
      f = v128.load32_splat(p0 + innerStep);
      x0 = fma(f, u, x0), y0 = fma(f, v, y0);
      f = v128.load32_splat(p1 + innerStep);
      x1 = fma(f, u, x1), y1 = fma(f, v, y1);
      f = v128.load32_splat(p2 + innerStep);
      x2 = fma(f, u, x2), y2 = fma(f, v, y2);
      f = v128.load32_splat(p3 + innerStep);
      x3 = fma(f, u, x3), y3 = fma(f, v, y3);
      bp += row, p0 += twice, p1 += twice, p2 += twice, p3 += twice;
    }
    if (p > 0) {
      const u = v128.load(bp), v = v128.load(bp, 16);
      let f = v128.load32_splat(p0);
      x0 = fma(f, u, x0), y0 = fma(f, v, y0);
      f = v128.load32_splat(p1);
      x1 = fma(f, u, x1), y1 = fma(f, v, y1);
      f = v128.load32_splat(p2);
      x2 = fma(f, u, x2), y2 = fma(f, v, y2);
      f = v128.load32_splat(p3);
      x3 = fma(f, u, x3), y3 = fma(f, v, y3);
    }
    storeWide(c + j, row, x0, y0, x1, y1, x2, y2, x3, y3);
  }
  for (; j < row; j += 16) {
    let from = s + j;
    let x0 = v128.load(from);
    from += startStep;
    let x1 = v128.load(from);
    from += startStep;
    let x2 = v128.load(from);
    from += startStep;
    let x3 = v128.load(from);
    let bp = b + j;
    let p0 = a, p1 = a + rowStep, p2 = p1 + rowStep, p3 = p2 + rowStep;
    for (let p = 0; p < k; p++) {
      const u = v128.load(bp);
      x0 = fma(v128.load32_splat(p0), u, x0);
      x1 = fma(v128.load32_splat(p1), u, x1);
      x2 = fma(v128.load32_splat(p2), u, x2);
      x3 = fma(v128.load32_splat(p3), u, x3);
      bp += row, p0 += innerStep, p1 += innerStep, p2 += innerStep, p3 += innerStep;
    }
    storeFour(c + j, row, <i32>((row - j) >> 2), x0, x1, x2, x3);
  }
}

/** {@link four} for a transpose, where the elements of four rows are adjacent: one load instead of four. */
function fourBeside(
  c: usize, s: usize, startStep: usize,
  a: usize, innerStep: usize,
  b: usize, k: i32, n: i32,
): void {
  const row = <usize>n << 2;
  const wide = <usize>(n & ~7) << 2;
  let j: usize = 0;
  for (; j < wide; j += 32) {
    let at = s + j;
    let x0 = v128.load(at), y0 = v128.load(at, 16);
    at += startStep;
    let x1 = v128.load(at), y1 = v128.load(at, 16);
    at += startStep;
    let x2 = v128.load(at), y2 = v128.load(at, 16);
    at += startStep;
    let x3 = v128.load(at), y3 = v128.load(at, 16);
    let bp = b + j, ap = a;
    for (let p = 0; p < k; p++) {
      const u = v128.load(bp), v = v128.load(bp, 16), all = v128.load(ap);
      let f = spread(all, 0);
      x0 = fma(f, u, x0), y0 = fma(f, v, y0);
      f = spread(all, 1);
      x1 = fma(f, u, x1), y1 = fma(f, v, y1);
      f = spread(all, 2);
      x2 = fma(f, u, x2), y2 = fma(f, v, y2);
      f = spread(all, 3);
      x3 = fma(f, u, x3), y3 = fma(f, v, y3);
      bp += row, ap += innerStep;
    }
    storeWide(c + j, row, x0, y0, x1, y1, x2, y2, x3, y3);
  }
  for (; j < row; j += 16) {
    let at = s + j;
    let x0 = v128.load(at);
    at += startStep;
    let x1 = v128.load(at);
    at += startStep;
    let x2 = v128.load(at);
    at += startStep;
    let x3 = v128.load(at);
    let bp = b + j, ap = a;
    for (let p = 0; p < k; p++) {
      const u = v128.load(bp), all = v128.load(ap);
      x0 = fma(spread(all, 0), u, x0), x1 = fma(spread(all, 1), u, x1);
      x2 = fma(spread(all, 2), u, x2), x3 = fma(spread(all, 3), u, x3);
      bp += row, ap += innerStep;
    }
    storeFour(c + j, row, <i32>((row - j) >> 2), x0, x1, x2, x3);
  }
}

/** Stores a tile of four rows and eight columns. */
@inline
function storeWide(
  to: usize, row: usize,
  x0: v128, y0: v128, x1: v128, y1: v128, x2: v128, y2: v128, x3: v128, y3: v128,
): void {
  v128.store(to, x0), v128.store(to, y0, 16);
  to += row;
  v128.store(to, x1), v128.store(to, y1, 16);
  to += row;
  v128.store(to, x2), v128.store(to, y2, 16);
  to += row;
  v128.store(to, x3), v128.store(to, y3, 16);
}

/** Stores the first `left` lanes (all if 4 or more) of a tile of four rows. */
@inline
function storeFour(to: usize, row: usize, left: i32, x0: v128, x1: v128, x2: v128, x3: v128): void {
  if (left >= 4) {
    v128.store(to, x0), v128.store(to + row, x1);
    v128.store(to + 2 * row, x2), v128.store(to + 3 * row, x3);
  } else {
    storePart(to, x0, left), storePart(to + row, x1, left);
    storePart(to + 2 * row, x2, left), storePart(to + 3 * row, x3, left);
  }
}

function one(c: usize, s: usize, a: usize, innerStep: usize, b: usize, k: i32, n: i32): void {
  const row = <usize>n << 2;
  let j: usize = 0;
  // 36 columns at a time if that leaves no remainder: the published models are 36 wide.
  if (row % 144 == 0) {
    for (; j < row; j += 144) nine(c + j, s + j, a, innerStep, b + j, k, row);
    return;
  }
  for (; j + 128 <= row; j += 128) {
    const from = s + j;
    let x0 = v128.load(from), x1 = v128.load(from, 16), x2 = v128.load(from, 32), x3 = v128.load(from, 48);
    let x4 = v128.load(from, 64), x5 = v128.load(from, 80), x6 = v128.load(from, 96), x7 = v128.load(from, 112);
    let bp = b + j, ap = a;
    for (let p = 0; p < k; p++) {
      const f = v128.load32_splat(ap);
      x0 = fma(f, v128.load(bp), x0), x1 = fma(f, v128.load(bp, 16), x1);
      x2 = fma(f, v128.load(bp, 32), x2), x3 = fma(f, v128.load(bp, 48), x3);
      x4 = fma(f, v128.load(bp, 64), x4), x5 = fma(f, v128.load(bp, 80), x5);
      x6 = fma(f, v128.load(bp, 96), x6), x7 = fma(f, v128.load(bp, 112), x7);
      bp += row, ap += innerStep;
    }
    const to = c + j;
    v128.store(to, x0), v128.store(to, x1, 16), v128.store(to, x2, 32), v128.store(to, x3, 48);
    v128.store(to, x4, 64), v128.store(to, x5, 80), v128.store(to, x6, 96), v128.store(to, x7, 112);
  }
  for (; j + 64 <= row; j += 64) {
    const from = s + j;
    let x0 = v128.load(from), x1 = v128.load(from, 16), x2 = v128.load(from, 32), x3 = v128.load(from, 48);
    let bp = b + j, ap = a;
    for (let p = 0; p < k; p++) {
      const f = v128.load32_splat(ap);
      x0 = fma(f, v128.load(bp), x0), x1 = fma(f, v128.load(bp, 16), x1);
      x2 = fma(f, v128.load(bp, 32), x2), x3 = fma(f, v128.load(bp, 48), x3);
      bp += row, ap += innerStep;
    }
    const to = c + j;
    v128.store(to, x0), v128.store(to, x1, 16), v128.store(to, x2, 32), v128.store(to, x3, 48);
  }
  for (; j + 32 <= row; j += 32) {
    let x0 = v128.load(s + j), x1 = v128.load(s + j, 16);
    let bp = b + j, ap = a;
    for (let p = 0; p < k; p++) {
      const f = v128.load32_splat(ap);
      x0 = fma(f, v128.load(bp), x0), x1 = fma(f, v128.load(bp, 16), x1);
      bp += row, ap += innerStep;
    }
    v128.store(c + j, x0), v128.store(c + j, x1, 16);
  }
  for (; j < row; j += 16) {
    let x = v128.load(s + j);
    let bp = b + j, ap = a;
    for (let p = 0; p < k; p++) {
      x = fma(v128.load32_splat(ap), v128.load(bp), x);
      bp += row, ap += innerStep;
    }
    const left = <i32>((row - j) >> 2);
    if (left >= 4) v128.store(c + j, x);
    else storePart(c + j, x, left);
  }
}

function nine(c: usize, s: usize, a: usize, innerStep: usize, b: usize, k: i32, row: usize): void {
  let x0 = v128.load(s), x1 = v128.load(s, 16), x2 = v128.load(s, 32);
  let x3 = v128.load(s, 48), x4 = v128.load(s, 64), x5 = v128.load(s, 80);
  let x6 = v128.load(s, 96), x7 = v128.load(s, 112), x8 = v128.load(s, 128);
  for (let p = 0; p < k; p++) {
    const f = v128.load32_splat(a);
    x0 = fma(f, v128.load(b), x0), x1 = fma(f, v128.load(b, 16), x1), x2 = fma(f, v128.load(b, 32), x2);
    x3 = fma(f, v128.load(b, 48), x3), x4 = fma(f, v128.load(b, 64), x4), x5 = fma(f, v128.load(b, 80), x5);
    x6 = fma(f, v128.load(b, 96), x6), x7 = fma(f, v128.load(b, 112), x7), x8 = fma(f, v128.load(b, 128), x8);
    b += row, a += innerStep;
  }
  v128.store(c, x0), v128.store(c, x1, 16), v128.store(c, x2, 32);
  v128.store(c, x3, 48), v128.store(c, x4, 64), v128.store(c, x5, 80);
  v128.store(c, x6, 96), v128.store(c, x7, 112), v128.store(c, x8, 128);
}
