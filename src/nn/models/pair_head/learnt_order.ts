/**
 * A pair head with what it was learnt from, as a version carries it.
 *
 * @module
 */

import { Parameters } from "../../kernels/parameters.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { PairHead } from "./pair_head.ts";
import { PairInputs, type PairScales } from "./pair_inputs.ts";
import { type PairNames, sameNames, type ScoreList } from "./pair_list.ts";

/** Most behaviours of a list, H. */
export const MAX_BEHAVIOURS = 16;

/** An order that was learnt. */
export interface LearntOrder {
  /** Names of the values that it reads. */
  readonly names: PairNames;
  /** How they are mapped. */
  readonly scales: PairScales;
  /** The weights, in the layout of {@linkcode createPairHead}. */
  readonly weights: Float32Array;
}

/** A head for lists with values of these names. */
export function createPairHead(names: PairNames, random: () => number, kernels: Kernels): PairHead {
  const sizes = { pairs: new PairInputs(names).names.length, blend: names.candidates.length };
  return new PairHead({ behaviours: MAX_BEHAVIOURS, ...sizes }, random, kernels);
}

/** Orders lists as was learnt. */
export class PairOrder {
  readonly #kernels: Kernels;
  #order: LearntOrder | null = null;
  #head: PairHead | null = null;
  #inputs: PairInputs | null = null;

  /** Knows no order yet. */
  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /**
   * Makes ready for another order, or for none.
   *
   * @returns What takes it
   * @throws SyntaxError when its sizes are not those of its names
   */
  prepare(order: LearntOrder | null): () => void {
    if (order === null) return () => this.#order = null;
    const isKnown = this.#order !== null && sameNames(this.#order.names, order.names);
    const inputs = isKnown ? this.#inputs! : new PairInputs(order.names, this.#kernels);
    const head = isKnown ? this.#head! : createPairHead(order.names, () => 0.5, this.#kernels);
    const { weights, scales } = order;
    const got = [weights.length, scales.pairs.mean.length, scales.candidates.mean.length];
    const wanted = [head.parameters.values.length, inputs.names.length, order.names.candidates.length];
    if (got.join() !== wanted.join()) {
      throw new SyntaxError(`Cannot take an order: its weights and scales are ${got}, wanted are ${wanted}`);
    }
    return () => {
      head.parameters.values.set(weights);
      [this.#order, this.#head, this.#inputs] = [order, head, inputs];
    };
  }

  /** What scores lists of values with these names; `null` where nothing was learnt about them. */
  of(names: PairNames): ScoreList | null {
    const order = this.#order;
    if (order === null || !sameNames(order.names, names)) return null;
    return (list) => this.#head!.score(this.#inputs!.of(list, order.scales));
  }
}

/**
 * Copies weights of one head into another: rows of inputs by their names, all else as it is. Inputs that the other head
 * does not have keep what it has for them.
 */
export function copyByName(from: LearntOrder, names: PairNames, to: Parameters): void {
  const before = new Parameters(Object.fromEntries(
    createPairHead(from.names, () => 0.5, to.kernels).parameters.shapes,
  ));
  before.values.set(from.weights);
  const inputs = (of: PairNames) => new PairInputs(of).names;
  const rowsOf = (of: PairNames): Readonly<Record<string, readonly string[]>> => ({
    W1: inputs(of),
    W3: [
      ...of.candidates,
      ...Array.from(
        { length: before.shapes.get("W3")![0]! - from.names.candidates.length },
        (_, u) => `sum ${u}`,
      ),
    ],
  });
  const [old, own] = [rowsOf(from.names), rowsOf(names)];
  for (const name of to.shapes.keys()) {
    const [block, other] = [to.block(name), before.block(name)];
    const rows = own[name];
    if (rows === undefined) {
      block.set(other);
      continue;
    }
    const width = block.length / rows.length;
    for (const [row, input] of rows.entries()) {
      const place = old[name]!.indexOf(input);
      if (place >= 0) block.set(other.subarray(place * width, (place + 1) * width), row * width);
    }
  }
}
