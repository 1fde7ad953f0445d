import { endRecord, openRecord, readArray, startRecord, writeArray } from "../../codec/record.ts";
import { type Optimiser, requireLength, usable } from "./optimiser.ts";

/** Options of {@linkcode Ftrl}. */
export interface FtrlOptions {
  /** α, the scale of the per-weight learning rate α/(β + √n). @default {0.1} */
  readonly learningRate?: number;
  /** β, which damps the first steps. @default {1} */
  readonly beta?: number;
  /** λ₁: a weight is exactly 0 while its evidence |z| is at most this. @default {0} */
  readonly lambda1?: number;
  /** λ₂. @default {0} */
  readonly lambda2?: number;
}

/**
 * FTRL-Proximal with per-weight rates (McMahan et al., KDD'13), for first-order weights. 8 bytes per weight.
 *
 *     s = (√(n+g²) − √n)/α    z += g − s·w    n += g²
 *     w = 0 if |z| ≤ λ₁, else −(z − sgn(z)λ₁) / ((β+√n)/α + λ₂)
 *
 * Weights are a function of the state alone, so they must start at 0, where an empty state puts them.
 *
 * @example
 * ```ts
 * import { Ftrl } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * const ftrl = new Ftrl(2, { lambda1: 0.3 });
 * const weights = new Float32Array(2);
 * ftrl.step(weights, Float32Array.of(-0.5, 0.1));
 * assert.ok(weights[0]! > 0);
 * assert.equal(weights[1], 0); // Too little evidence yet.
 * ```
 */
export class Ftrl implements Optimiser {
  learningRate: number;
  readonly #beta: number;
  readonly #lambda1: number;
  readonly #lambda2: number;
  /** z: the gradients, minus what the weights already express. */
  readonly #evidence: Float32Array;
  /** n: sums of squared gradients. */
  readonly #squares: Float32Array;

  /** Makes the state for `size` weights. */
  constructor(size: number, options: FtrlOptions = {}) {
    this.learningRate = options.learningRate ?? 0.1;
    this.#beta = options.beta ?? 1;
    this.#lambda1 = options.lambda1 ?? 0;
    this.#lambda2 = options.lambda2 ?? 0;
    this.#evidence = new Float32Array(size);
    this.#squares = new Float32Array(size);
  }

  step(values: Float32Array, gradients: Float32Array): boolean {
    const evidence = this.#evidence, squares = this.#squares;
    requireLength(evidence.length, values, gradients);
    if (!usable(gradients)) return false;
    const alpha = this.learningRate;
    for (let i = 0; i < values.length; i++) {
      const g = gradients[i]!;
      if (g === 0) continue;
      const n = squares[i]!;
      const root = Math.sqrt(n + g * g);
      const z = evidence[i] = evidence[i]! + g - (root - Math.sqrt(n)) / alpha * values[i]!;
      squares[i] = n + g * g;
      const beyond = Math.abs(z) - this.#lambda1;
      values[i] = beyond <= 0 ? 0 : -Math.sign(z) * beyond / ((this.#beta + root) / alpha + this.#lambda2);
    }
    return true;
  }

  encode(): Uint8Array {
    const writer = startRecord("ftrl", 1);
    writeArray(writer, this.#evidence);
    writeArray(writer, this.#squares);
    return writer.toBytes();
  }

  decode(bytes: Uint8Array): void {
    const reader = openRecord(bytes, "ftrl", 1);
    const evidence = readArray(reader, new Float32Array(this.#evidence.length));
    const squares = readArray(reader, new Float32Array(this.#squares.length));
    endRecord(reader, "ftrl");
    this.#evidence.set(evidence);
    this.#squares.set(squares);
  }
}
