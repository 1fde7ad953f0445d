/** The interface of attention scores, and the step from scores to weights, forward and backward. */

import type { Kernels } from "../kernels/kernels.ts";
import { PLAIN } from "../kernels/plain.ts";

/**
 * How scores s become weights a: `softmax` over the steps; `sigmoid` of each score alone; `maxnorm`
 * exp(s − max s), whose largest weight is 1; `linear` a = s.
 */
export type AttentionNorm = "softmax" | "sigmoid" | "maxnorm" | "linear";

export interface ScoreInput {
  /** Steps T. */
  readonly T: number;
  /** Candidates K. */
  readonly K: number;
  /** Behaviours or states [T, width]. */
  readonly h: Float32Array;
  /** Candidates [K, width]. */
  readonly q: Float32Array;
}

export interface ScoreGradients {
  /** ∂/∂h [T, width]. */
  readonly h: Float32Array;
  /** ∂/∂q [K, width]. */
  readonly q: Float32Array;
  /** ∂/∂parameters, flat. */
  readonly parameters: Float32Array;
}

/** Writes the weights a [K,T] of the scores s [K,T], one row per candidate. */
export function normalise(
  a: Float32Array,
  s: Float32Array,
  T: number,
  norm: AttentionNorm,
  kernels: Kernels = PLAIN,
): void {
  if (norm === "linear") return a.set(s);
  if (norm === "sigmoid") return kernels.sigmoid(a, s);
  for (let from = 0; from < s.length; from += T) {
    let max = -Infinity;
    for (let o = from; o < from + T; o++) max = Math.max(max, s[o]!);
    let sum = 0;
    for (let o = from; o < from + T; o++) {
      const weight = Math.exp(s[o]! - max);
      a[o] = weight;
      sum += weight;
    }
    if (norm === "maxnorm") continue;
    for (let o = from; o < from + T; o++) a[o]! /= sum;
  }
}

/** Backward of {@linkcode normalise}, in place: da [K,T] becomes ∂/∂s. The maximum of `maxnorm` carries a gradient, too. */
export function normaliseBackward(
  da: Float32Array,
  a: Float32Array,
  s: Float32Array,
  T: number,
  norm: AttentionNorm,
): void {
  if (norm === "linear") return;
  if (norm === "sigmoid") {
    for (let o = 0; o < a.length; o++) da[o]! *= a[o]! * (1 - a[o]!);
    return;
  }
  for (let from = 0; from < s.length; from += T) {
    let inner = 0;
    let top = from;
    for (let o = from; o < from + T; o++) {
      inner += a[o]! * da[o]!;
      if (s[o]! > s[top]!) top = o;
    }
    for (let o = from; o < from + T; o++) da[o] = a[o]! * (norm === "softmax" ? da[o]! - inner : da[o]!);
    if (norm === "maxnorm") da[top]! -= inner;
  }
}
