import { endRecord, openRecord, readArray, startRecord, writeArray } from "../../codec/record.ts";
import { type Optimiser, requireLength, usable } from "./optimiser.ts";

/** Options of {@linkcode Adagrad}. */
export interface AdagradOptions {
  /** η. @default {0.05} */
  readonly learningRate?: number;
  /** ε inside the root, which keeps a first step from G = 0 finite. @default {1e-8} */
  readonly epsilon?: number;
  /** Initial G; above 0 it damps the first steps of rare weights. @default {0} */
  readonly initialAccumulator?: number;
  /**
   * Half-life of what is added to G, in steps of the weight or row, so that an old one follows a change as fast as a
   * young one. The initial G of a row fades with it, that of a dense weight does not. @default {Infinity}
   */
  readonly halvedAfter?: number;
}

/** Options of {@linkcode RowAdagrad}. */
export interface RowAdagradOptions extends AdagradOptions {
  /**
   * Exponent a in [0.5, 1]. At 0.5 (Adagrad), steps shrink as 1/√n. At 1 they shrink as 1/n, like a posterior mean with
   * prior precision `initialAccumulator` to which each use adds information g². @default {0.5}
   */
  readonly exponent?: number;
}

/**
 * Adagrad (Duchi, Hazan and Singer, JMLR'11) for dense weights: `G += g²`, `w −= η g/√(G+ε)`, weight by weight. What
 * was added to G may fade; its initial value does not, so that a weight of little influence never drifts. 4 bytes per
 * weight.
 *
 * @example
 * ```ts
 * import { Adagrad } from "@meander/meander/nn";
 * import assert from "node:assert/strict";
 * const weights = Float32Array.of(1);
 * new Adagrad(1, { learningRate: 0.25 }).step(weights, Float32Array.of(-2));
 * assert.ok(Math.abs(weights[0]! - 1.25) < 1e-6);
 * ```
 */
export class Adagrad implements Optimiser {
  learningRate: number;
  readonly #epsilon: number;
  readonly #initial: number;
  readonly #faded: number;
  readonly #accumulators: Float32Array;

  /** Creates the state for `size` weights. @throws {RangeError} if `halvedAfter` is not above 0 */
  constructor(size: number, options: AdagradOptions = {}) {
    this.learningRate = options.learningRate ?? 0.05;
    this.#epsilon = options.epsilon ?? 1e-8;
    this.#initial = options.initialAccumulator ?? 0;
    this.#faded = 1 - keptOf(options);
    this.#accumulators = new Float32Array(size).fill(this.#initial);
  }

  step(values: Float32Array, gradients: Float32Array): boolean {
    const accumulators = this.#accumulators, initial = this.#initial, faded = this.#faded;
    requireLength(accumulators.length, values, gradients);
    if (!usable(gradients)) return false;
    for (let i = 0; i < values.length; i++) {
      const g = gradients[i]!;
      if (g === 0) continue;
      const before = accumulators[i]!;
      const sum = accumulators[i] = before - faded * (before - initial) + g * g;
      values[i]! -= this.learningRate * g / Math.sqrt(sum + this.#epsilon);
    }
    return true;
  }

  /** Copies the state of weights from another optimiser. @param places index of each in `from`; −1 = a fresh start */
  carry(from: Adagrad, places: Int32Array): void {
    for (const [i, place] of places.entries()) {
      if (place >= 0) this.#accumulators[i] = from.#accumulators[place]!;
    }
  }

  encode(): Uint8Array {
    const writer = startRecord("adagrad", 1);
    writeArray(writer, this.#accumulators);
    return writer.toBytes();
  }

  decode(bytes: Uint8Array): void {
    const reader = openRecord(bytes, "adagrad", 1);
    const accumulators = readArray(reader, new Float32Array(this.#accumulators.length));
    endRecord(reader, "adagrad");
    this.#accumulators.set(accumulators);
  }
}

/** Rows of weights, row-major, with one accumulator each. */
export interface AdagradRows {
  /** [rows, width]. */
  readonly values: Float32Array;
  readonly accumulators: Float32Array;
}

/**
 * Row-wise Adagrad: one accumulator per row, `G += mean(g²)`, `w −= η g/(G+ε)^a` with a = ½. The caller owns the rows.
 * The step size of a row does not depend on how often other rows are touched, which is what rare ids need.
 */
export class RowAdagrad {
  /** η; may be changed between steps. */
  learningRate: number;
  /** Length of a row. */
  readonly width: number;
  /** Initial accumulator of a new row. */
  readonly initialAccumulator: number;
  readonly #epsilon: number;
  readonly #exponent: number;
  readonly #kept: number;

  /**
   * Creates an optimiser for rows of `width` weights.
   *
   * @throws {RangeError} if the exponent is outside [0.5, 1], or `halvedAfter` is not above 0
   */
  constructor(width: number, options: RowAdagradOptions = {}) {
    this.#exponent = options.exponent ?? 0.5;
    if (!(this.#exponent >= 0.5 && this.#exponent <= 1)) {
      throw new RangeError(
        `Cannot use an exponent outside [0.5, 1]: current value is ${options.exponent}`,
      );
    }
    this.#kept = keptOf(options);
    this.width = width;
    this.learningRate = options.learningRate ?? 0.05;
    this.initialAccumulator = options.initialAccumulator ?? 0;
    this.#epsilon = options.epsilon ?? 1e-8;
  }

  /**
   * Takes one step of one row.
   *
   * @param rows changed in place
   * @param row index of the row
   * @param gradient [width], the sum over all uses of the row in this step
   * @param information Σ mean(g²) over the uses, which exponent 1 adds to G instead of the mean square of the sum
   * @returns whether the row changed; a zero gradient changes nothing
   */
  step(rows: AdagradRows, row: number, gradient: Float32Array, information?: number): boolean {
    const width = this.width, values = rows.values;
    let squares = 0;
    for (let i = 0; i < width; i++) squares += gradient[i]! * gradient[i]!;
    if (squares === 0) return false;
    const more = this.#exponent === 1 ? information ?? squares / width : squares / width;
    const sum = rows.accumulators[row] = this.#kept * rows.accumulators[row]! + more;
    const root = Math.sqrt(sum + this.#epsilon);
    const rate = this.learningRate / (this.#exponent === 0.5 ? root : root ** (2 * this.#exponent));
    for (let i = 0, at = row * width; i < width; i++, at++) values[at]! -= rate * gradient[i]!;
    return true;
  }
}

/** The share of G that remains after a step. */
function keptOf({ halvedAfter = Infinity }: AdagradOptions): number {
  if (!(halvedAfter > 0)) {
    throw new RangeError(`Cannot use halvedAfter of 0 or less: current value is ${halvedAfter}`);
  }
  return 2 ** (-1 / halvedAfter);
}
