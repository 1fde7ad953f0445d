/**
 * Four floats at a time: fused products, parts of a vector at the end of a row, and the exponential.
 *
 * This folder is AssemblyScript, compiled by `deno task kernels` into ../binary.ts. All pointers are bytes.
 */

/** a·b + c: rounded once if the build uses relaxed SIMD and the machine fuses, otherwise twice. */
@inline
export function fma(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Copies one lane to all four. */
@inline
export function spread(v: v128, lane: i32): v128 {
  if (lane == 0) return v128.shuffle<f32>(v, v, 0, 0, 0, 0);
  if (lane == 1) return v128.shuffle<f32>(v, v, 1, 1, 1, 1);
  if (lane == 2) return v128.shuffle<f32>(v, v, 2, 2, 2, 2);
  return v128.shuffle<f32>(v, v, 3, 3, 3, 3);
}

/** Stores the first `count` lanes, 1 to 3. */
@inline
export function storePart(at: usize, v: v128, count: i32): void {
  if (count & 2) {
    v128.store64_lane(at, v, 0);
    if (count & 1) v128.store32_lane(at, v, 2, 8);
  } else {
    v128.store32_lane(at, v, 0);
  }
}

/** All bits set in the first `count` lanes, 0 to 3. */
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

/** Constants are read from memory: a constant vector costs V8 four instructions wherever it is used. */
const TABLE = memory.data<f32>([
  126, -126, 12582912, 0.001326472731, 0.009671512991, 0.05550733581, 0.2402224243, 0.6931470037, 1, -1.44269504088896341, 2.88539008177792681, -2,
]);

@inline
function constant(index: usize): v128 {
  return v128.load32_splat(TABLE + (index << 2));
}

/**
 * 2^x for x clamped to ±126: x = n + f by adding and subtracting 1.5·2²³, whose low bits then hold n; 2^f by a
 * polynomial that is exact at 0, with a relative error below 2e-7; n is added to the exponent. NaN stays NaN.
 */
@inline
function exp2(x: v128): v128 {
  const clamped = f32x4.pmax(f32x4.pmin(x, constant(0)), constant(1));
  const shifted = f32x4.add(clamped, constant(2));
  const f = f32x4.sub(clamped, f32x4.sub(shifted, constant(2)));
  let y = fma(constant(3), f, constant(4));
  y = fma(y, f, constant(5));
  y = fma(y, f, constant(6));
  y = fma(y, f, constant(7));
  y = fma(y, f, constant(8));
  return i32x4.add(y, i32x4.shl(shifted, 23));
}

/** 1/(1 + e^−x). */
@inline
export function sigmoid(x: v128): v128 {
  const unit = constant(8);
  return f32x4.div(unit, f32x4.add(unit, exp2(f32x4.mul(x, constant(9)))));
}

/** 1 − 2/(1 + e^2x). */
@inline
export function tanh(x: v128): v128 {
  const unit = constant(8);
  return f32x4.add(unit, f32x4.div(constant(11), f32x4.add(unit, exp2(f32x4.mul(x, constant(10))))));
}
