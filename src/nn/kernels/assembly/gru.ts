/**
 * The GRU and its attentional forms that scale the write gate, over all steps at once, forward and backward.
 * The formulas are in ../gru.ts; g = alpha·a + (beta0 + beta1·a)·u, and the reset is after the product.
 *
 * T steps, K lanes, H hidden; gates in the order u, r, c.
 */

import { gemm } from "./gemm";
import { addRowSum } from "./rows";
import { fma, laneMask, sigmoid, storePart, sum, tanh } from "./vector";

/** Attention of lane k at step t, 1 where there is none. */
@inline
function weight(attention: usize, t: i32, k: i32, T: i32): f32 {
  return attention == 0 ? 1 : load<f32>(attention + (<usize>(k * T + t) << 2));
}

/**
 * Folds T steps. `states` begins with the start [K,H]. With `keep`, every step is stored after it [T+1,K,H], with
 * its gates [T,K,3H] and products [T,K,H]; without, two slots of states alternate, and one of gates and products
 * is reused. `input` [3H] is working memory.
 */
export function gruForward(
  T: i32, K: i32, H: i32, keep: bool,
  xw: usize, u: usize, bias: usize, attention: usize,
  states: usize, gates: usize, products: usize, input: usize,
  alpha: f32, beta0: f32, beta1: f32,
): void {
  const row = <usize>H << 2;
  const slice = <usize>K * row;
  for (let t = 0; t < T; t++) {
    const from = states + <usize>(keep ? t : t & 1) * slice;
    const to = states + <usize>(keep ? t + 1 : (t + 1) & 1) * slice;
    const at = keep ? <usize>t * slice : 0;
    const x = xw + <usize>t * 3 * row;
    const z = gates + 3 * at;
    begin(input, x, bias, row);
    gemm(z, input, 0, from, row, 4, u, K, H, 3 * H);
    for (let k = 0; k < K; k++) {
      const a = weight(attention, t, k, T);
      const lane = <usize>k * row;
      cell(
        x + 2 * row, bias + 2 * row, from + lane, to + lane, z + 3 * lane, products + at + lane, row,
        alpha * a, beta0 + beta1 * a,
      );
    }
  }
}

/** The gates' sums before h·U, for all lanes: x·W + b for u and r; 0 for c, whose product r scales first. */
@inline
function begin(input: usize, x: usize, bias: usize, row: usize): void {
  const products = input + 2 * row, end = input + 3 * row;
  let at = input;
  for (; at < products; at += 16, x += 16, bias += 16) {
    v128.store(at, f32x4.add(v128.load(x), v128.load(bias)));
  }
  for (at = products; at < end; at += 16) v128.store(at, f32x4.splat(0));
}

/** One lane's step: the gates' sums from `z` on become u, r, c; `products` receives h·Uc. */
@inline
function cell(
  x: usize, bias: usize, from: usize, to: usize, z: usize, products: usize, row: usize,
  alpha: f32, beta: f32,
): void {
  const both = z + 2 * row;
  let at = z;
  for (; at + 16 <= both; at += 16) v128.store(at, sigmoid(v128.load(at)));
  if (at < both) storePart(at, sigmoid(v128.load(at)), <i32>((both - at) >> 2));
  const unit = f32x4.splat(1), va = f32x4.splat(alpha), vb = f32x4.splat(beta);
  const r = z + row, c = z + 2 * row;
  for (let j: usize = 0; j < row; j += 16) {
    const product = v128.load(c + j);
    const input = f32x4.add(v128.load(x + j), v128.load(bias + j));
    const candidate = tanh(fma(v128.load(r + j), product, input));
    const g = fma(vb, v128.load(z + j), va);
    const h = fma(g, candidate, f32x4.mul(f32x4.sub(unit, g), v128.load(from + j)));
    const left = <i32>((row - j) >> 2);
    if (left >= 4) {
      v128.store(products + j, product);
      v128.store(c + j, candidate);
      v128.store(to + j, h);
    } else {
      storePart(products + j, product, left);
      storePart(c + j, candidate, left);
      storePart(to + j, h, left);
    }
  }
}

export function transpose(y: usize, x: usize, m: i32, n: i32): void {
  const column = <usize>m << 2;
  for (let i = 0; i < m; i++, y += 4) {
    let to = y;
    for (let j = 0; j < n; j++, x += 4, to += column) store<f32>(to, load<f32>(x));
  }
}

/**
 * Backward through the kept steps. `dstate` [K,H] is ∂/∂(final states) and becomes ∂/∂start; `dstates`
 * [T,K,H], or 0 for none, are gradients from outside the GRU. Writes dxw [T,3H] and dattention [K,T], adds to dU
 * and db; `back` [T,K,3H] and `ut` [3H,H] are working memory.
 */
export function gruBackward(
  T: i32, K: i32, H: i32,
  u: usize, attention: usize,
  states: usize, gates: usize, products: usize,
  dstate: usize, dstates: usize, dxw: usize, dattention: usize,
  back: usize, ut: usize, du: usize, db: usize,
  alpha: f32, beta0: f32, beta1: f32,
): void {
  const row = <usize>H << 2;
  const slice = <usize>K * row;
  transpose(ut, u, H, 3 * H);
  memory.fill(dxw, 0, <usize>T * 3 * row);
  for (let t = T - 1; t >= 0; t--) {
    const at = <usize>t * slice;
    if (dstates != 0) addAll(dstate, dstates + at, slice);
    for (let k = 0; k < K; k++) {
      const a = weight(attention, t, k, T);
      const lane = <usize>k * row;
      const da = cellBackward(
        states + at + lane, gates + 3 * (at + lane), products + at + lane,
        dstate + lane, back + 3 * (at + lane), dxw + <usize>t * 3 * row, H,
        alpha * a, beta0 + beta1 * a, alpha, beta1,
      );
      store<f32>(dattention + (<usize>(k * T + t) << 2), da);
    }
    gemm(dstate, dstate, row, back + 3 * at, 3 * row, 4, ut, K, 3 * H, H);
  }
  gemm(du, du, 3 * row, states, 4, row, back, H, T * K, 3 * H);
  addRowSum(db, dxw, T, 3 * H);
}

function addAll(y: usize, x: usize, bytes: usize): void {
  const end = y + bytes;
  for (; y + 16 <= end; y += 16, x += 16) v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
  if (y < end) storePart(y, f32x4.add(v128.load(y), v128.load(x)), <i32>((end - y) >> 2));
}

/** One lane's step back: ∂/∂h' in `dstate` becomes the direct part of ∂/∂h; returns ∂/∂a. */
@inline
function cellBackward(
  states: usize, gates: usize, products: usize,
  dstate: usize, back: usize, dxw: usize, H: i32,
  alpha: f32, beta: f32, alpha1: f32, beta1: f32,
): f32 {
  const row = <usize>H << 2;
  const unit = f32x4.splat(1), va = f32x4.splat(alpha), vb = f32x4.splat(beta);
  const va1 = f32x4.splat(alpha1), vb1 = f32x4.splat(beta1);
  const mask = laneMask(H & 3);
  let da = f32x4.splat(0);
  for (let j: usize = 0; j < row; j += 16) {
    const u = v128.load(gates + j), r = v128.load(gates + row + j), c = v128.load(gates + 2 * row + j);
    const g = fma(vb, u, va);
    const dh = v128.load(dstate + j);
    const dg = f32x4.mul(dh, f32x4.sub(c, v128.load(states + j)));
    const zc = f32x4.mul(f32x4.mul(dh, g), f32x4.sub(unit, f32x4.mul(c, c)));
    const zu = f32x4.mul(f32x4.mul(dg, vb), f32x4.mul(u, f32x4.sub(unit, u)));
    const zr = f32x4.mul(f32x4.mul(zc, v128.load(products + j)), f32x4.mul(r, f32x4.sub(unit, r)));
    const zcr = f32x4.mul(zc, r);
    const direct = f32x4.mul(dh, f32x4.sub(unit, g));
    const share = f32x4.mul(dg, fma(vb1, u, va1));
    const xu = f32x4.add(v128.load(dxw + j), zu);
    const xr = f32x4.add(v128.load(dxw + row + j), zr);
    const xc = f32x4.add(v128.load(dxw + 2 * row + j), zc);
    const left = <i32>((row - j) >> 2);
    if (left >= 4) {
      da = f32x4.add(da, share);
      v128.store(dstate + j, direct);
      v128.store(back + j, zu), v128.store(back + row + j, zr), v128.store(back + 2 * row + j, zcr);
      v128.store(dxw + j, xu), v128.store(dxw + row + j, xr), v128.store(dxw + 2 * row + j, xc);
    } else {
      da = f32x4.add(da, v128.and(share, mask));
      storePart(dstate + j, direct, left);
      storePart(back + j, zu, left), storePart(back + row + j, zr, left);
      storePart(back + 2 * row + j, zcr, left);
      storePart(dxw + j, xu, left), storePart(dxw + row + j, xr, left);
      storePart(dxw + 2 * row + j, xc, left);
    }
  }
  return sum(da);
}
