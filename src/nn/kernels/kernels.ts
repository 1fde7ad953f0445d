/**
 * The arithmetic of the layers behind one interface: plain TypeScript ({@linkcode PLAIN}, the readable reference) and
 * SIMD WebAssembly ({@linkcode SimdKernels}). The formulas are next to the plain functions.
 *
 * A matrix is a flat row-major array and the offset of its first element. Each element of a product is one
 * chain of sums that does not depend on the number of rows, so on every implementation rows computed together or
 * one by one have the same bits. Implementations differ from each other in rounding.
 */

import type { GruBackSteps, GruSteps } from "./gru_steps.ts";

// m rows, k inputs, n outputs

/** An implementation of the layers' arithmetic. */
export interface Kernels {
  /** The name of the implementation. Digests of results are comparable within one name. */
  readonly name: KernelName;
  /** Allocates zeros where this implementation works without copying. Other arrays are accepted, too. */
  floats(length: number): Float32Array;
  /** Y[m,n] += X[m,k] · W[k,n]. */
  addXW: Product;
  /** dX[m,k] += dY[m,n] · W[k,n]ᵀ. */
  addYWt: Product;
  /** dW[k,n] += X[m,k]ᵀ · dY[m,n]. */
  addXtY: Product;
  /**
   * Y[m,n] = X[m,k] · W[k,n] + b[n] in each row, as if Y were filled with b before `addXW`. With `step` n, b is [m,n].
   */
  affine(
    y: Float32Array,
    yo: number,
    b: Float32Array,
    bo: number,
    x: Float32Array,
    xo: number,
    w: Float32Array,
    wo: number,
    m: number,
    k: number,
    n: number,
    step?: number,
  ): void;
  /** Makes all elements 0. */
  clear(array: Float32Array): Float32Array;
  /** db[n] += the sum of the m rows of dY[m,n]. */
  addRowSum(
    db: Float32Array,
    dbo: number,
    dy: Float32Array,
    dyo: number,
    m: number,
    n: number,
  ): void;
  /** Adds scale·x[n] to each of the m rows of Y[m,n]. */
  addRows(y: Float32Array, x: Float32Array, scale: number, m: number, n: number): void;
  /** f[m,n] = s where s > 0, else α[n]·s. */
  prelu(f: Float32Array, s: Float32Array, alpha: Float32Array, ao: number, m: number, n: number): void;
  /** df[m,n] becomes ∂/∂s; dα[n] += Σ df·s where s ≤ 0. */
  preluBackward(
    df: Float32Array,
    s: Float32Array,
    alpha: Float32Array,
    dalpha: Float32Array,
    ao: number,
    m: number,
    n: number,
  ): void;
  /** y = σ(x), element by element over the length of y. */
  sigmoid(y: Float32Array, x: Float32Array): void;
  /** y = tanh(x). */
  tanh(y: Float32Array, x: Float32Array): void;
  /** ds ∘= f(1−f) for f = σ(s), over the length of ds. */
  sigmoidBackward(ds: Float32Array, f: Float32Array): void;
  /** Y[m,n] = A[m,n] + diag(q[m])·B[m,n]. */
  mixRows(
    y: Float32Array,
    a: Float32Array,
    b: Float32Array,
    bo: number,
    q: Float32Array,
    qo: number,
    m: number,
    n: number,
  ): void;
  /** Backward of `mixRows` to B and q: dB += diag(q)·dY, dq[m] += the row sums of dY∘B. */
  mixRowsBackward(
    db: Float32Array,
    dq: Float32Array,
    dy: Float32Array,
    b: Float32Array,
    bo: number,
    q: Float32Array,
    qo: number,
    m: number,
    n: number,
  ): void;
  /** Folds the steps of a GRU. */
  gruForward(steps: GruSteps): void;
  /** Backward through the steps that `gruForward` kept. */
  gruBackward(steps: GruBackSteps): void;
}

/** A product of two matrices, added to a third. */
export type Product = (
  c: Float32Array,
  co: number,
  a: Float32Array,
  ao: number,
  b: Float32Array,
  bo: number,
  m: number,
  k: number,
  n: number,
) => void;

/** The implementations: `relaxed-simd` is `simd` with products and sums rounded once. */
export const KERNEL_NAMES = ["plain", "simd", "relaxed-simd"] as const;

/** A name of {@linkcode KERNEL_NAMES}. */
export type KernelName = (typeof KERNEL_NAMES)[number];
