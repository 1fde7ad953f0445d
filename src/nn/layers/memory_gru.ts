/**
 * The GRU of `layers/gru.ts` in its form "gru", one row at a time: in a memory network the input of a row, or the
 * state that it starts from, depends on the rows before it.
 *
 * ```text
 * u = σ(xWu + hUu + bu)    r = σ(xWr + hUr + br)    c = tanh(xWc + r∘(hUc) + bc)    h' = (1−u)∘h + u∘c
 * ```
 */

import type { Parameters } from "../kernels/parameters.ts";
import { type GruBlocks, gruBlocks } from "./gru.ts";
import { Layer } from "./layer.ts";

const NONE = new Float32Array(0);

// H hidden, n inputs; gates in the order u, r, c

/** A GRU over the blocks of `gruShapes`. `backward` reads what `forward` stored for a row. */
export class RowGru extends Layer {
  /** Hidden width H. */
  readonly hidden: number;
  readonly #blocks: GruBlocks;
  readonly #w: number;
  readonly #xw = this.scratch();
  readonly #dxw = this.scratch();
  readonly #before = this.scratch();
  /** A state and the one after it. */
  readonly #pair: Float32Array;
  readonly #gates = this.scratch();
  readonly #products = this.scratch();
  readonly #back = this.scratch();

  constructor(parameters: Parameters, prefix: string) {
    super(parameters);
    this.#blocks = gruBlocks(parameters, prefix, "gru");
    this.hidden = this.#blocks.H;
    this.#pair = this.kernels.floats(2 * this.hidden);
    this.#w = parameters.offset(`${prefix}.W`);
  }

  /** Prepares rows with zero input. */
  begin(rows: number): void {
    const H = this.hidden;
    this.#xw.zeros(rows * 3 * H);
    this.#before.take(rows * H);
    this.#gates.take(rows * 3 * H);
    this.#products.take(rows * H);
  }

  /** Adds x·W to the inputs of `rows` rows from `row`: x [rows, n] from `at`, against n inputs from `first`. */
  addInput(row: number, rows: number, x: Float32Array, at: number, first: number, n: number): void {
    const width = 3 * this.hidden, w = this.#w + first * width;
    const { values } = this.parameters;
    this.kernels.addXW(this.#xw.current, row * width, x, at, values, w, rows, n, width);
  }

  /** Steps a row from the state at `from` of h [H] to the state at `to`, which may be the same place. */
  forward(row: number, h: Float32Array, from: number, to: number): void {
    const H = this.hidden;
    const z = row * 3 * H, p = row * H;
    const pair = this.#pair;
    for (let j = 0; j < H; j++) this.#before.current[p + j] = pair[j] = h[from + j]!;
    this.kernels.gruForward({
      ...this.#blocks,
      T: 1,
      K: 1,
      keep: true,
      attention: NONE,
      states: pair,
      xw: this.#xw.current.subarray(z, z + 3 * H),
      gates: this.#gates.current.subarray(z, z + 3 * H),
      products: this.#products.current.subarray(p, p + H),
    });
    for (let j = 0; j < H; j++) h[to + j] = pair[H + j]!;
  }

  /** Prepares the gradients of the rows of `begin`. */
  beginBackward(): void {
    this.#dxw.take(this.#xw.current.length);
    this.#back.take(this.#xw.current.length);
  }

  /** Backward of a row: ∂/∂h' at `at` of dh [H] becomes ∂/∂h. */
  backward(row: number, dh: Float32Array, at: number): void {
    const H = this.hidden;
    const [dxw, back, gates] = [this.#dxw.current, this.#back.current, this.#gates.current];
    const [before, products] = [this.#before.current, this.#products.current];
    const z = row * 3 * H, p = row * H;
    for (let j = 0; j < H; j++) {
      const u = gates[z + j]!, r = gates[z + H + j]!, c = gates[z + 2 * H + j]!, g = dh[at + j]!;
      const zc = g * u * (1 - c * c);
      const zr = zc * products[p + j]! * r * (1 - r);
      const zu = g * (c - before[p + j]!) * u * (1 - u);
      dxw[z + j] = back[z + j] = zu;
      dxw[z + H + j] = back[z + H + j] = zr;
      dxw[z + 2 * H + j] = zc;
      back[z + 2 * H + j] = zc * r;
      dh[at + j] = g * (1 - u);
    }
    this.kernels.addYWt(dh, at, back, z, this.parameters.values, this.#blocks.u, 1, H, 3 * H);
  }

  /** After the last row: adds ∂/∂U and ∂/∂b of `rows` rows. */
  finish(rows: number, gradients: Float32Array): void {
    const H = this.hidden;
    this.kernels.addXtY(
      gradients,
      this.#blocks.u,
      this.#before.current,
      0,
      this.#back.current,
      0,
      rows,
      H,
      3 * H,
    );
    this.kernels.addRowSum(gradients, this.#blocks.b, this.#dxw.current, 0, rows, 3 * H);
  }

  /** Backward of {@linkcode RowGru.addInput} to W, for the first `rows` rows. */
  addWeightGradient(
    rows: number,
    x: Float32Array,
    first: number,
    n: number,
    gradients: Float32Array,
  ): void {
    const width = 3 * this.hidden;
    this.kernels.addXtY(gradients, this.#w + first * width, x, 0, this.#dxw.current, 0, rows, n, width);
  }

  /** Backward of {@linkcode RowGru.addInput} to x: adds to dx [rows, n]. */
  addInputGradient(row: number, rows: number, dx: Float32Array, first: number, n: number): void {
    const width = 3 * this.hidden, w = this.#w + first * width;
    const { values } = this.parameters;
    this.kernels.addYWt(dx, 0, this.#dxw.current, row * width, values, w, rows, n, width);
  }
}
