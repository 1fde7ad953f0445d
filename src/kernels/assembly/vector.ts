/**
 * Four floats at a time: fused products, parts of a vector at the end of a row, and the exponential.
 *
 * This folder is AssemblyScript, compiled by `deno task kernels` into ../binary.ts. All pointers are bytes.
 */

/** a·b + c: rounded once where the build may use relaxed SIMD and the machine can, else twice. */
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Stores the first `count` of 1 to 3 lanes. */
@inline
export function storePart(at: usize, v: v128, count: i32): void {
  if (count & 2) {
    v128.store64_lane(at, v, 0);
    if (count & 1) v128.store32_lane(at, v, 2, 8);
  } else {
    v128.store32_lane(at, v, 0);
  }
}

/** All bits in the first `count` of 0 to 3 lanes. */
@inline
export function laneMask(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
}

/** The sums of four vectors, (l0 + l2) + (l1 + l3) each. */
@inline
export function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(ab, cd, 0, 1, 4, 5), v128.shuffle<f32>(ab, cd, 2, 3, 6, 7));
}

/** (l0 + l2) + (l1 + l3). */
@inline
export function sum(v: v128): f32 {
  const pairs = f32x4.add(v, v128.shuffle<f32>(v, v, 2, 3, 2, 3));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/**
 * e^x for x clamped to [−87.3, 88.3]: x = n·ln 2 + r by adding and taking away 1.5·2²³, e^r by Cephes'
 * polynomial, 2^n into the exponent's bits. NaN stays NaN.
 */
@inline
export function exp(x: v128): v128 {
  const clamped = f32x4.pmax(f32x4.pmin(x, f32x4.splat(88.3)), f32x4.splat(-87.3));
  const shifted = fma(clamped, f32x4.splat(1.44269504088896341), f32x4.splat(12582912));
  const n = f32x4.sub(shifted, f32x4.splat(12582912));
  const high = fma(n, f32x4.splat(-0.693359375), clamped);
  const r = fma(n, f32x4.splat(2.12194440e-4), high);
  let y = fma(f32x4.splat(1.9875691500e-4), r, f32x4.splat(1.3981999507e-3));
  y = fma(y, r, f32x4.splat(8.3334519073e-3));
  y = fma(y, r, f32x4.splat(4.1665795894e-2));
  y = fma(y, r, f32x4.splat(1.6666665459e-1));
  y = fma(y, r, f32x4.splat(5.0000001201e-1));
  y = fma(y, f32x4.mul(r, r), f32x4.add(r, f32x4.splat(1)));
  const power = i32x4.shl(i32x4.add(shifted, i32x4.splat(127)), 23);
  return f32x4.mul(y, power);
}

/** 1/(1 + e^−x). */
@inline
export function sigmoid(x: v128): v128 {
  return f32x4.div(f32x4.splat(1), f32x4.add(f32x4.splat(1), exp(f32x4.neg(x))));
}

/** 1 − 2/(1 + e^2x). */
@inline
export function tanh(x: v128): v128 {
  return f32x4.sub(f32x4.splat(1), f32x4.div(f32x4.splat(2), f32x4.add(f32x4.splat(1), exp(f32x4.add(x, x)))));
}
