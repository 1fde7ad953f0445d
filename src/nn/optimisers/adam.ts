import { endRecord, openRecord, readArray, startRecord, writeArray } from "../../codec/record.ts";
import { type Optimiser, requireLength, usable } from "./optimiser.ts";

/** Options of {@linkcode Adam}. */
export interface AdamOptions {
  /** η. @default {0.001} */
  readonly learningRate?: number;
  /** Decay of the mean of gradients, in [0, 1). @default {0.9} */
  readonly beta1?: number;
  /** Decay of the mean of squares, in [0, 1). @default {0.999} */
  readonly beta2?: number;
  /** ε outside the root. @default {1e-8} */
  readonly epsilon?: number;
}

/**
 * Adam with bias correction (Kingma and Ba, ICLR'15), for dense weights. 8 bytes per weight.
 *
 *     m = β₁m + (1−β₁)g    v = β₂v + (1−β₂)g²    w −= η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)
 *
 * Not for embedding rows: their moments would decay only when the row is touched.
 *
 * @example
 * ```ts
 * import { Adam } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * const adam = new Adam(1, { learningRate: 0.1 });
 * const weights = Float32Array.of(1);
 * adam.step(weights, Float32Array.of(0.5));
 * assert.ok(Math.abs(weights[0]! - 0.9) < 1e-6); // The first step is η against the sign.
 * assert.equal(adam.step(weights, Float32Array.of(NaN)), false);
 * ```
 */
export class Adam implements Optimiser {
  learningRate: number;
  readonly #beta1: number;
  readonly #beta2: number;
  readonly #epsilon: number;
  readonly #mean: Float32Array;
  readonly #square: Float32Array;
  #steps = 0;

  /** Creates the state for `size` weights. */
  constructor(size: number, options: AdamOptions = {}) {
    this.learningRate = options.learningRate ?? 0.001;
    this.#beta1 = options.beta1 ?? 0.9;
    this.#beta2 = options.beta2 ?? 0.999;
    this.#epsilon = options.epsilon ?? 1e-8;
    this.#mean = new Float32Array(size);
    this.#square = new Float32Array(size);
  }

  step(values: Float32Array, gradients: Float32Array): boolean {
    requireLength(this.#mean.length, values, gradients);
    if (!usable(gradients)) return false;
    this.#steps++;
    const mean = this.#mean, square = this.#square;
    const beta1 = this.#beta1, beta2 = this.#beta2, epsilon = this.#epsilon;
    const rate = this.learningRate / (1 - beta1 ** this.#steps);
    const unbias = 1 / (1 - beta2 ** this.#steps);
    for (let i = 0; i < values.length; i++) {
      const g = gradients[i]!;
      const m = mean[i] = beta1 * mean[i]! + (1 - beta1) * g;
      const v = square[i] = beta2 * square[i]! + (1 - beta2) * g * g;
      values[i]! -= rate * m / (Math.sqrt(v * unbias) + epsilon);
    }
    return true;
  }

  /** Copies the state of weights from another optimiser. @param places index of each in `from`; −1 = a fresh start */
  carry(from: Adam, places: Int32Array): void {
    this.#steps = from.#steps;
    for (const [i, place] of places.entries()) {
      if (place < 0) continue;
      this.#mean[i] = from.#mean[place]!;
      this.#square[i] = from.#square[place]!;
    }
  }

  encode(): Uint8Array {
    const writer = startRecord("adam", 1).uint(this.#steps);
    writeArray(writer, this.#mean);
    writeArray(writer, this.#square);
    return writer.toBytes();
  }

  decode(bytes: Uint8Array): void {
    const reader = openRecord(bytes, "adam", 1);
    const steps = reader.uint();
    const mean = readArray(reader, new Float32Array(this.#mean.length));
    const square = readArray(reader, new Float32Array(this.#square.length));
    endRecord(reader, "adam");
    this.#steps = steps;
    this.#mean.set(mean);
    this.#square.set(square);
  }
}
