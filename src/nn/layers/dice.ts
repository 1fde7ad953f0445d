/**
 * Dice, the data-adaptive activation of DIN (Zhou et al. 2018, eq. 6), with running statistics: in a stream
 * a prediction must not depend on who else is in the batch.
 *
 * @module
 */

import { sigmoid } from "../losses/logistic.ts";

const EPSILON = 1e-8;

/** Options of {@linkcode Dice}. */
export interface DiceOptions {
  /** How much one batch moves the statistics, in (0, 1]. @default {0.01} */
  readonly rate?: number;
}

/**
 * f(s) = P·s + (1−P)·α·s with P = σ((s−μ)/√(v+1e-8)), per unit. μ and v are running statistics and constants
 * in the gradient.
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { Dice } from "./dice.ts";
 *
 * const dice = new Dice(1);
 * dice.mean.set([0.5]);
 * dice.variance.set([4]);
 * const f = new Float32Array(3);
 * dice.forward(f, new Float32Array([-1, 0, 2]), new Float32Array([0.25]));
 * assert.deepEqual([...f].map((x) => x.toFixed(6)), ["-0.490616", "0.000000", "1.518768"]);
 * ```
 */
export class Dice {
  /** Running mean μ of each unit [n]; starts at 0. */
  readonly mean: Float64Array;
  /** Running variance v of each unit [n]; starts at 1. */
  readonly variance: Float64Array;
  readonly #rate: number;

  /** Makes statistics for n units. */
  constructor(n: number, options: DiceOptions = {}) {
    this.mean = new Float64Array(n);
    this.variance = new Float64Array(n).fill(1);
    this.#rate = options.rate ?? 0.01;
  }

  /** Writes f(s) for rows s [m,n] and slopes α [n]. */
  forward(f: Float32Array, s: Float32Array, alpha: Float32Array): void {
    const n = this.mean.length;
    for (let o = 0; o < s.length; o++) {
      const j = o % n;
      const x = s[o]!;
      const p = sigmoid((x - this.mean[j]!) / Math.sqrt(this.variance[j]! + EPSILON));
      f[o] = (p + (1 - p) * alpha[j]!) * x;
    }
  }

  /** Turns df [m,n] into ∂/∂s in place and adds to dα [n]. */
  backward(df: Float32Array, s: Float32Array, alpha: Float32Array, dalpha: Float32Array): void {
    const n = this.mean.length;
    for (let o = 0; o < s.length; o++) {
      const j = o % n;
      const x = s[o]!;
      const g = df[o]!;
      const scale = 1 / Math.sqrt(this.variance[j]! + EPSILON);
      const p = sigmoid((x - this.mean[j]!) * scale);
      dalpha[j]! += g * (1 - p) * x;
      df[o] = g * (p + (1 - p) * alpha[j]! + x * (1 - alpha[j]!) * p * (1 - p) * scale);
    }
  }

  /** Moves the statistics towards those of the rows s [m,n]; after the forward pass, in training only. */
  update(s: Float32Array): void {
    const n = this.mean.length;
    const m = s.length / n;
    for (let j = 0; j < n && m > 0; j++) {
      let sum = 0;
      for (let o = j; o < s.length; o += n) sum += s[o]!;
      const mean = sum / m;
      let squares = 0;
      for (let o = j; o < s.length; o += n) squares += (s[o]! - mean) ** 2;
      this.mean[j]! += this.#rate * (mean - this.mean[j]!);
      this.variance[j]! += this.#rate * (squares / m - this.variance[j]!);
    }
  }
}
