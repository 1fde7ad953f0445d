/**
 * PReLU, forward and backward. (The logistic function and softplus live in `losses/logistic.ts`.)
 *
 * @module
 */

/** PReLU: f[m,n] = s where s > 0, else α[n]·s; α begins at `ao` of `alpha`. */
export function prelu(
  f: Float32Array,
  s: Float32Array,
  alpha: Float32Array,
  ao: number,
  m: number,
  n: number,
): void {
  for (let i = 0, o = 0; i < m; i++) {
    for (let j = 0; j < n; j++, o++) {
      const x = s[o]!;
      f[o] = x > 0 ? x : alpha[ao + j]! * x;
    }
  }
}

/** Backward of {@linkcode prelu}, in place: df[m,n] becomes ∂/∂s; dα[n] += Σ df·s where s ≤ 0. */
export function preluBackward(
  df: Float32Array,
  s: Float32Array,
  alpha: Float32Array,
  gradients: Float32Array,
  ao: number,
  m: number,
  n: number,
): void {
  for (let i = 0, o = 0; i < m; i++) {
    for (let j = 0; j < n; j++, o++) {
      const x = s[o]!;
      if (x > 0) continue;
      const g = df[o]!;
      gradients[ao + j]! += g * x;
      df[o] = g * alpha[ao + j]!;
    }
  }
}
