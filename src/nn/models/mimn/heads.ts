/**
 * The heads of MIMN's memory, which turn the controller's state into reads and writes, forward and backward.
 *
 * ```text
 * θ = clip([c ; stopgrad(shares)]·Wp + bp, ±20)  →  kr [D], βr, kw [D], βw, erase [D], add [D]
 * keys and add through tanh, erase through σ, β = 2(1 + softplus(θ))
 * ```
 */

import { sigmoid, softplus } from "../../losses/logistic.ts";
import type { Shape } from "../../kernels/parameters.ts";
import { fillRows } from "../../kernels/gemm.ts";
import { Layer } from "../../layers/layer.ts";

// Hc controller width, m slots, D slot width, P = 4D+2 numbers of the heads

/** Outputs are clipped to ±LIMIT; clipped ones carry no gradient. */
export const LIMIT = 20;

/** Blocks `Wp` [Hc+m, 4D+2] and `bp`. */
export function headShapes(controller: number, slots: number, width: number): Record<string, Shape> {
  return { Wp: [controller + slots, 4 * width + 2], bp: [4 * width + 2] };
}

/** Heads over the blocks of {@linkcode headShapes}. `backward` reads what `forward` stored for a row. */
export class Heads extends Layer {
  /** Numbers of a row: read key, βr, write key, βw, erase, add. */
  readonly size: number = this.sizesOf("Wp")[1];
  readonly #width = (this.size - 2) / 4;
  /** Where erase begins in a row; add follows it. */
  readonly contentAt: number = 2 * this.#width + 2;
  readonly #inputs = this.sizesOf("Wp")[0];
  /** Width of the controller's state; in an input row, the shares of the slots follow it. */
  readonly #controller = this.#inputs - this.sizesOf("slotKeys")[0];
  readonly #w = this.parameters.offset("Wp");
  readonly #b = this.parameters.offset("bp");
  readonly #x = this.scratch();
  readonly #theta = this.scratch();
  readonly #values = this.scratch();
  readonly #dtheta = this.scratch();

  begin(rows: number): void {
    this.#x.take(rows * this.#inputs);
    this.#theta.take(rows * this.size);
    this.#values.take(rows * this.size);
  }

  /** Rows [rows, Hc+m] of the controller's state and the usage shares, to be filled before `forward`. */
  get input(): Float32Array {
    return this.#x.current;
  }

  /** The heads [rows, 4D+2] after `forward`. */
  get values(): Float32Array {
    return this.#values.current;
  }

  forward(row: number): void {
    const P = this.size, D = this.#width, at = row * P;
    const parameters = this.parameters.values;
    const theta = this.#theta.current, values = this.#values.current;
    fillRows(theta, at, parameters, this.#b, 1, P);
    const x = this.#x.current, n = this.#inputs;
    this.kernels.addXW(theta, at, x, row * n, parameters, this.#w, 1, n, P);
    for (let o = at; o < at + P; o++) theta[o] = Math.max(-LIMIT, Math.min(LIMIT, theta[o]!));
    const erase = at + this.contentAt;
    this.kernels.tanh(values.subarray(at, at + P), theta.subarray(at, at + P));
    this.kernels.sigmoid(values.subarray(erase, erase + D), theta.subarray(erase, erase + D));
    for (const beta of [at + D, at + 2 * D + 1]) values[beta] = 2 * (1 + softplus(theta[beta]!));
  }

  /** Allocates the gradients of the rows of `begin`. */
  beginBackward(): void {
    this.#dtheta.take(this.#theta.current.length);
  }

  /** Backward of one row: given dvalues [4D+2], adds to dcontroller [Hc] at `at`. */
  backward(row: number, dvalues: Float32Array, dcontroller: Float32Array, at: number): void {
    const P = this.size, D = this.#width, o = row * P;
    const theta = this.#theta.current, values = this.#values.current, dtheta = this.#dtheta.current;
    for (let j = 0; j < P; j++) {
      const x = theta[o + j]!, y = values[o + j]!;
      let slope = 1 - y * y;
      if (j === D || j === 2 * D + 1) slope = 2 * sigmoid(x);
      else if (j >= this.contentAt && j < this.contentAt + D) slope = y * (1 - y);
      dtheta[o + j] = Math.abs(x) < LIMIT ? slope * dvalues[j]! : 0;
    }
    // The shares, which follow the controller's state in a row, get no gradient.
    this.kernels.addYWt(dcontroller, at, dtheta, o, this.parameters.values, this.#w, 1, this.#controller, P);
  }

  /** After the last row: adds ∂/∂Wp and ∂/∂bp. */
  finish(rows: number, gradients: Float32Array): void {
    const dtheta = this.#dtheta.current;
    this.kernels.addXtY(gradients, this.#w, this.#x.current, 0, dtheta, 0, rows, this.#inputs, this.size);
    this.kernels.addRowSum(gradients, this.#b, dtheta, 0, rows, this.size);
  }
}
