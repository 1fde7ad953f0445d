/**
 * Adam as Keras applies it to an embedding table: *every* row has its moments decayed and is moved at every
 * step, also when no id of the mini-batch names it. The result is that of the plain loop over the table, the
 * cost is that of the rows seen lately.
 *
 * A row that never had a gradient has zero moments and stands still. A row that had one keeps moving, by
 * less and less: each step without a gradient scales m/√v by 0.9/√0.999, so after {@linkcode QUIET_STEPS} of
 * them it moves by less than 10⁻²⁰, which no float32 weight above 10⁻¹³ can show. From there on it sleeps,
 * and its next gradient first decays its moments by all the steps it slept through.
 *
 * @module
 */

/** Steps without a gradient after which a row's movement has died away. */
export const QUIET_STEPS = 400;

const BETA1 = 0.9;
const BETA2 = 0.999;
/** Added to the root of the uncorrected second moment: Keras' form, not the paper's. */
const EPSILON = 1e-7;

/** Options of {@linkcode KerasAdam}. */
export interface KerasAdamOptions {
  /** Weights of a row; a dense block is a table of one row. */
  readonly width: number;
  /** @default {1e-3} */
  readonly learningRate?: number;
}

/**
 * The optimiser of one table [rows, width].
 *
 * ```ts
 * import assert from "node:assert/strict";
 * import { KerasAdam } from "./keras_adam.ts";
 *
 * const table = new Float32Array([1, 1, 1, 1]);
 * const adam = new KerasAdam(table, { width: 2 });
 * adam.gradients[adam.touch(1)] = 5;
 * adam.step();
 * assert.deepEqual([...table].map((w) => Number(w.toFixed(4))), [1, 1, 0.999, 1]);
 * ```
 */
export class KerasAdam {
  /** Gradients of the step to come [rows, width]; write only into rows that {@linkcode KerasAdam.touch} gave. */
  readonly gradients: Float32Array;
  readonly #values: Float32Array;
  readonly #width: number;
  readonly #learningRate: number;
  readonly #m: Float32Array;
  readonly #v: Float32Array;
  /** Step of a row's newest gradient; 0 = it never had one. */
  readonly #seen: Int32Array;
  readonly #isAwake: Uint8Array;
  readonly #awake: Int32Array;
  #awakeRows = 0;
  #steps = 0;

  /** Makes the state for a table; its values are written by each step. */
  constructor(values: Float32Array, { width, learningRate = 1e-3 }: KerasAdamOptions) {
    const rows = values.length / width;
    this.gradients = new Float32Array(values.length);
    this.#values = values;
    this.#width = width;
    this.#learningRate = learningRate;
    this.#m = new Float32Array(values.length);
    this.#v = new Float32Array(values.length);
    this.#seen = new Int32Array(rows);
    this.#isAwake = new Uint8Array(rows);
    this.#awake = new Int32Array(rows);
  }

  /** Announces a gradient of a row; returns where to add it in {@linkcode KerasAdam.gradients}. */
  touch(row: number): number {
    const offset = row * this.#width;
    if (this.#isAwake[row] === 0) this.#wake(row, offset);
    this.#seen[row] = this.#steps + 1;
    return offset;
  }

  /** Moves every row that is awake and clears the gradients. */
  step(): void {
    const t = ++this.#steps;
    const rate = this.#learningRate * Math.sqrt(1 - BETA2 ** t) / (1 - BETA1 ** t);
    const [values, gradients, ms, vs, width] = [this.#values, this.gradients, this.#m, this.#v, this.#width];
    let kept = 0;
    for (let i = 0; i < this.#awakeRows; i++) {
      const row = this.#awake[i]!;
      for (let o = row * width, end = o + width; o < end; o++) {
        const g = gradients[o]!;
        const m = ms[o] = BETA1 * ms[o]! + (1 - BETA1) * g;
        const v = vs[o] = BETA2 * vs[o]! + (1 - BETA2) * g * g;
        values[o]! -= rate * m / (Math.sqrt(v) + EPSILON);
        gradients[o] = 0;
      }
      if (t - this.#seen[row]! < QUIET_STEPS) this.#awake[kept++] = row;
      else this.#isAwake[row] = 0;
    }
    this.#awakeRows = kept;
  }

  #wake(row: number, offset: number): void {
    this.#isAwake[row] = 1;
    this.#awake[this.#awakeRows++] = row;
    const seen = this.#seen[row]!;
    if (seen === 0) return;
    const slept = this.#steps - (seen + QUIET_STEPS);
    for (let o = offset; o < offset + this.#width; o++) {
      this.#m[o]! *= BETA1 ** slept;
      this.#v[o]! *= BETA2 ** slept;
    }
  }
}
