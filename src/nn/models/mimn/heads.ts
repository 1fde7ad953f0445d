/**
 * The heads of MIMN's memory: what the controller's state says about reading and writing, forward and
 * backward.
 *
 * ```text
 * θ = clip([c ; stopgrad(shares)]·Wp + bp, ±20)  →  kr [D], βr, kw [D], βw, erase [D], add [D]
 * keys and add through tanh, erase through σ, β = 2(1 + softplus(θ))
 * ```
 *
 * @module
 */

import { sigmoid, softplus } from "../../losses/logistic.ts";
import type { Parameters, Shape } from "../../kernels/parameters.ts";
import { fillRows } from "../../kernels/gemm.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { Scratch } from "../../kernels/scratch.ts";

// Hc controller width, m slots, D slot width, P = 4D+2 numbers of the heads

/** Outputs are clipped to ±LIMIT; what is clipped carries no gradient. */
export const LIMIT = 20;

/** Blocks `Wp` [Hc+m, 4D+2] and `bp`. */
export function headShapes(controller: number, slots: number, width: number): Record<string, Shape> {
  return { Wp: [controller + slots, 4 * width + 2], bp: [4 * width + 2] };
}

/** Heads over the blocks of {@linkcode headShapes}. What `forward` wrote into a row, `backward` reads. */
export class Heads {
  /** Numbers of a row: read key, βr, write key, βw, erase, add. */
  readonly size: number;
  /** Where erase begins in a row; add is behind it. */
  readonly contentAt: number;
  readonly #kernels: Kernels;
  readonly #width: number;
  readonly #inputs: number;
  readonly #controller: number;
  readonly #parameters: Parameters;
  readonly #w: number;
  readonly #b: number;
  readonly #x: Scratch;
  readonly #theta: Scratch;
  readonly #values: Scratch;
  readonly #dtheta: Scratch;

  /** Binds the blocks `Wp` and `bp`; the number of slots is that of the block `slotKeys`. */
  constructor(parameters: Parameters) {
    this.#kernels = parameters.kernels;
    const scratch = () => new Scratch(parameters.kernels);
    this.#x = scratch();
    this.#theta = scratch();
    this.#values = scratch();
    this.#dtheta = scratch();
    const [inputs = 0, size = 0] = parameters.shapes.get("Wp") ?? [];
    this.size = size;
    this.#width = (size - 2) / 4;
    this.contentAt = 2 * this.#width + 2;
    this.#inputs = inputs;
    this.#controller = inputs - (parameters.shapes.get("slotKeys")?.[0] ?? 0);
    this.#parameters = parameters;
    this.#w = parameters.offset("Wp");
    this.#b = parameters.offset("bp");
  }

  /** Makes rows. */
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

  /** Computes one row. */
  forward(row: number): void {
    const P = this.size, D = this.#width, at = row * P;
    const parameters = this.#parameters.values;
    const theta = this.#theta.current, values = this.#values.current;
    fillRows(theta, at, parameters, this.#b, 1, P);
    this.#kernels.addXW(
      theta,
      at,
      this.#x.current,
      row * this.#inputs,
      parameters,
      this.#w,
      1,
      this.#inputs,
      P,
    );
    for (let o = at; o < at + P; o++) theta[o] = Math.max(-LIMIT, Math.min(LIMIT, theta[o]!));
    const erase = at + this.contentAt;
    this.#kernels.tanh(values.subarray(at, at + P), theta.subarray(at, at + P));
    this.#kernels.sigmoid(values.subarray(erase, erase + D), theta.subarray(erase, erase + D));
    for (const beta of [at + D, at + 2 * D + 1]) values[beta] = 2 * (1 + softplus(theta[beta]!));
  }

  /** Makes room for the gradients of the rows of `begin`. */
  beginBackward(): void {
    this.#dtheta.take(this.#theta.current.length);
  }

  /** One row back: from dvalues [4D+2] adds to dcontroller [Hc] at `at`. */
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
    // The shares behind the controller's state in a row get no gradient.
    this.#kernels.addYWt(
      dcontroller,
      at,
      dtheta,
      o,
      this.#parameters.values,
      this.#w,
      1,
      this.#controller,
      P,
    );
  }

  /** After the last row: adds ∂/∂Wp and ∂/∂bp. */
  finish(rows: number, gradients: Float32Array): void {
    const dtheta = this.#dtheta.current;
    this.#kernels.addXtY(gradients, this.#w, this.#x.current, 0, dtheta, 0, rows, this.#inputs, this.size);
    this.#kernels.addRowSum(gradients, this.#b, dtheta, 0, rows, this.size);
  }
}
