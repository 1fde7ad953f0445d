/** Row-wise operations between the matrix products. */

import { fma, laneMask, sigmoid as sigmoid4, storePart, sum, tanh as tanh4 } from "./vector";

/** y = 0, for n numbers. */
export function clear(y: usize, n: i32): void {
  memory.fill(y, 0, <usize>n << 2);
}

/** db[n] += the sum of the m rows of dY [m,n]. */
export function addRowSum(db: usize, dy: usize, m: i32, n: i32): void {
  const row = <usize>n << 2;
  for (let j: usize = 0; j < row; j += 16) {
    let x = v128.load(db + j);
    let at = dy + j;
    for (let i = 0; i < m; i++, at += row) x = f32x4.add(x, v128.load(at));
    const left = <i32>((row - j) >> 2);
    if (left >= 4) v128.store(db + j, x);
    else storePart(db + j, x, left);
  }
}

/** f = s where s > 0, else α·s, for rows [m,n] and α [n]. */
export function prelu(f: usize, s: usize, alpha: usize, m: i32, n: i32): void {
  const row = <usize>n << 2;
  const whole = row & ~15;
  for (let i = 0; i < m; i++, f += row, s += row) {
    let j: usize = 0;
    for (; j < whole; j += 16) v128.store(f + j, rectified(s + j, alpha + j));
    if (j < row) storePart(f + j, rectified(s + j, alpha + j), n & 3);
  }
}

@inline
function rectified(s: usize, alpha: usize): v128 {
  const x = v128.load(s);
  return v128.bitselect(x, f32x4.mul(v128.load(alpha), x), f32x4.gt(x, f32x4.splat(0)));
}

/** df [m,n] becomes ∂/∂s; dα[n] += Σ df·s where s ≤ 0. */
export function preluBackward(df: usize, s: usize, alpha: usize, dalpha: usize, m: i32, n: i32): void {
  const row = <usize>n << 2;
  const zero = f32x4.splat(0);
  for (let j: usize = 0; j < row; j += 16) {
    const left = <i32>((row - j) >> 2);
    const slope = v128.load(alpha + j);
    let total = v128.load(dalpha + j);
    let to = df + j, from = s + j;
    for (let i = 0; i < m; i++, to += row, from += row) {
      const x = v128.load(from), g = v128.load(to);
      const positive = f32x4.gt(x, zero);
      total = f32x4.add(total, v128.andnot(f32x4.mul(g, x), positive));
      const ds = v128.bitselect(g, f32x4.mul(g, slope), positive);
      if (left >= 4) v128.store(to, ds);
      else storePart(to, ds, left);
    }
    if (left >= 4) v128.store(dalpha + j, total);
    else storePart(dalpha + j, total, left);
  }
}

/** y = σ(x), for n numbers. */
export function sigmoid(y: usize, x: usize, n: i32): void {
  const end = y + (<usize>n << 2);
  for (; y + 16 <= end; y += 16, x += 16) v128.store(y, sigmoid4(v128.load(x)));
  if (y < end) storePart(y, sigmoid4(v128.load(x)), n & 3);
}

/** y = tanh(x), for n numbers. */
export function tanh(y: usize, x: usize, n: i32): void {
  const end = y + (<usize>n << 2);
  for (; y + 16 <= end; y += 16, x += 16) v128.store(y, tanh4(v128.load(x)));
  if (y < end) storePart(y, tanh4(v128.load(x)), n & 3);
}

/** ds ∘= f(1−f), for n numbers f = σ(s). */
export function sigmoidBackward(ds: usize, f: usize, n: i32): void {
  const end = ds + (<usize>n << 2);
  const unit = f32x4.splat(1);
  for (; ds < end; ds += 16, f += 16) {
    const y = v128.load(f);
    const g = f32x4.mul(v128.load(ds), f32x4.mul(y, f32x4.sub(unit, y)));
    if (ds + 16 <= end) v128.store(ds, g);
    else storePart(ds, g, n & 3);
  }
}

/** Adds scale·x [n] to each of the m rows of Y [m,n]. */
export function addRows(y: usize, x: usize, scale: f32, m: i32, n: i32): void {
  const row = <usize>n << 2;
  const f = f32x4.splat(scale);
  for (let i = 0; i < m; i++, y += row) {
    for (let j: usize = 0; j < row; j += 16) {
      const z = fma(f, v128.load(x + j), v128.load(y + j));
      const left = <i32>((row - j) >> 2);
      if (left >= 4) v128.store(y + j, z);
      else storePart(y + j, z, left);
    }
  }
}

/** Y[m,n] = A + diag(q)·B. */
export function mixRows(y: usize, a: usize, b: usize, q: usize, m: i32, n: i32): void {
  const row = <usize>n << 2;
  for (let i = 0; i < m; i++, q += 4, y += row, a += row, b += row) {
    const f = v128.load32_splat(q);
    for (let j: usize = 0; j < row; j += 16) {
      const z = fma(f, v128.load(b + j), v128.load(a + j));
      const left = <i32>((row - j) >> 2);
      if (left >= 4) v128.store(y + j, z);
      else storePart(y + j, z, left);
    }
  }
}

/** Backward of `mixRows` to B and q: dB += diag(q)·dY, dq[i] += ⟨dY_i, B_i⟩. */
export function mixRowsBackward(db: usize, dq: usize, dy: usize, b: usize, q: usize, m: i32, n: i32): void {
  const row = <usize>n << 2;
  const mask = laneMask(n & 3);
  for (let i = 0; i < m; i++, q += 4, dq += 4, dy += row, b += row, db += row) {
    const f = v128.load32_splat(q);
    let inner = f32x4.splat(0);
    for (let j: usize = 0; j < row; j += 16) {
      const left = <i32>((row - j) >> 2);
      let g = v128.load(dy + j), w = v128.load(b + j);
      const z = fma(f, g, v128.load(db + j));
      if (left >= 4) {
        v128.store(db + j, z);
      } else {
        storePart(db + j, z, left);
        g = v128.and(g, mask), w = v128.and(w, mask);
      }
      inner = fma(g, w, inner);
    }
    store<f32>(dq, load<f32>(dq) + sum(inner));
  }
}
