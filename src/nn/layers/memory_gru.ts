/**
 * The paper's GRU, as `layers/gru.ts` has it in its form "gru", one row at a time: in a memory network a
 * row's input, or the state that it goes on from, depends on the rows before it.
 *
 * ```text
 * u = σ(xWu + hUu + bu)    r = σ(xWr + hUr + br)    c = tanh(xWc + r∘(hUc) + bc)    h' = (1−u)∘h + u∘c
 * ```
 *
 * @module
 */

import type { Parameters } from "../kernels/parameters.ts";
import { GATES } from "./gru.ts";
import type { Kernels } from "../kernels/kernels.ts";
import { Scratch } from "../kernels/scratch.ts";

const NONE = new Float32Array(0);

// H hidden, n inputs; gates in the order u, r, c

/** A GRU over blocks as `gruShapes` makes them. What `forward` wrote into a row, `backward` reads. */
export class RowGru {
  /** Hidden width H. */
  readonly hidden: number;
  readonly #kernels: Kernels;
  readonly #parameters: Parameters;
  readonly #w: number;
  readonly #u: number;
  readonly #b: number;
  readonly #xw: Scratch;
  readonly #dxw: Scratch;
  readonly #before: Scratch;
  /** A state and the one after it. */
  readonly #pair: Float32Array;
  readonly #gates: Scratch;
  readonly #products: Scratch;
  readonly #back: Scratch;

  /** Binds the blocks under `prefix`. */
  constructor(parameters: Parameters, prefix: string) {
    this.#kernels = parameters.kernels;
    const scratch = () => new Scratch(parameters.kernels);
    this.#xw = scratch();
    this.#dxw = scratch();
    this.#before = scratch();
    this.#gates = scratch();
    this.#products = scratch();
    this.#back = scratch();
    const [width = 0] = parameters.shapes.get(`${prefix}.b`) ?? [];
    this.hidden = width / 3;
    this.#pair = parameters.kernels.floats(2 * this.hidden);
    this.#parameters = parameters;
    this.#w = parameters.offset(`${prefix}.W`);
    this.#u = parameters.offset(`${prefix}.U`);
    this.#b = parameters.offset(`${prefix}.b`);
  }

  /** Makes rows whose inputs are 0. */
  begin(rows: number): void {
    const H = this.hidden;
    this.#xw.zeros(rows * 3 * H);
    this.#before.take(rows * H);
    this.#gates.take(rows * 3 * H);
    this.#products.take(rows * H);
  }

  /** Adds x·W to the inputs of `rows` rows from `row`: x [rows, n] from `at`, against n inputs from `first`. */
  addInput(row: number, rows: number, x: Float32Array, at: number, first: number, n: number): void {
    const width = 3 * this.hidden;
    const xw = this.#xw.current;
    this.#kernels.addXW(
      xw,
      row * width,
      x,
      at,
      this.#parameters.values,
      this.#w + first * width,
      rows,
      n,
      width,
    );
  }

  /** One step of a row: from the state at `from` of h [H] to the state at `to`, which may be the same. */
  forward(row: number, h: Float32Array, from: number, to: number): void {
    const H = this.hidden;
    const z = row * 3 * H, p = row * H;
    const pair = this.#pair;
    for (let j = 0; j < H; j++) this.#before.current[p + j] = pair[j] = h[from + j]!;
    this.#kernels.gruForward({
      ...{ T: 1, K: 1, H, keep: true, gate: GATES.gru, attention: NONE, states: pair },
      ...{ values: this.#parameters.values, u: this.#u, b: this.#b },
      xw: this.#xw.current.subarray(z, z + 3 * H),
      gates: this.#gates.current.subarray(z, z + 3 * H),
      products: this.#products.current.subarray(p, p + H),
    });
    for (let j = 0; j < H; j++) h[to + j] = pair[H + j]!;
  }

  /** Makes room for the gradients of the rows of `begin`. */
  beginBackward(): void {
    this.#dxw.take(this.#xw.current.length);
    this.#back.take(this.#xw.current.length);
  }

  /** One row back: ∂/∂h' at `at` of dh [H] becomes ∂/∂h. */
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
    this.#kernels.addYWt(dh, at, back, z, this.#parameters.values, this.#u, 1, H, 3 * H);
  }

  /** After the last row: adds ∂/∂U and ∂/∂b of `rows` rows. */
  finish(rows: number, gradients: Float32Array): void {
    const H = this.hidden;
    this.#kernels.addXtY(gradients, this.#u, this.#before.current, 0, this.#back.current, 0, rows, H, 3 * H);
    this.#kernels.addRowSum(gradients, this.#b, this.#dxw.current, 0, rows, 3 * H);
  }

  /** Backward of {@linkcode RowGru.addInput} to W, from row 0 on. */
  addWeightGradient(
    rows: number,
    x: Float32Array,
    first: number,
    n: number,
    gradients: Float32Array,
  ): void {
    const width = 3 * this.hidden;
    this.#kernels.addXtY(gradients, this.#w + first * width, x, 0, this.#dxw.current, 0, rows, n, width);
  }

  /** Backward of {@linkcode RowGru.addInput} to x: adds to dx [rows, n] from its beginning. */
  addInputGradient(row: number, rows: number, dx: Float32Array, first: number, n: number): void {
    const width = 3 * this.hidden;
    const at = row * width;
    this.#kernels.addYWt(
      dx,
      0,
      this.#dxw.current,
      at,
      this.#parameters.values,
      this.#w + first * width,
      rows,
      n,
      width,
    );
  }
}
