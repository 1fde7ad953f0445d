/** A pair head with the names and scales of its inputs, as a version carries it. */

import { Parameters } from "../../kernels/parameters.ts";
import type { Kernels } from "../../kernels/kernels.ts";
import { PairHead } from "./pair_head.ts";
import { PairInputs, type PairScales } from "./pair_inputs.ts";
import { type PairNames, sameNames, type ScoreList } from "./pair_list.ts";

/** Most behaviours of a list, H. */
export const MAX_BEHAVIOURS = 16;

/** A learnt order. */
export interface LearntOrder {
  /** Names of the values that it reads. */
  readonly names: PairNames;
  /** How they are mapped. */
  readonly scales: PairScales;
  /** The weights, in the layout of {@linkcode createPairHead}. */
  readonly weights: Float32Array;
}

/** Creates a head for lists with values of these names. */
export function createPairHead(names: PairNames, random: () => number, kernels: Kernels): PairHead {
  const sizes = { pairs: new PairInputs(names).names.length, blend: names.candidates.length };
  return new PairHead({ ...sizes, behaviours: MAX_BEHAVIOURS }, random, kernels);
}

export class PairOrder {
  readonly #kernels: Kernels;
  #order: LearntOrder | null = null;
  #head: PairHead | null = null;
  #inputs: PairInputs | null = null;

  /** Starts without an order. */
  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /**
   * Prepares to take another order, or none.
   *
   * @returns A function that takes it
   * @throws SyntaxError when its sizes do not match its names
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
      throw new SyntaxError(`Cannot take an order: its weights and scales have sizes ${got}, not ${wanted}`);
    }
    return () => {
      head.parameters.values.set(weights);
      [this.#order, this.#head, this.#inputs] = [order, head, inputs];
    };
  }

  /** Returns the scoring of lists with values of these names; `null` when no order was learnt for them. */
  of(names: PairNames): ScoreList | null {
    const order = this.#order;
    if (order === null || !sameNames(order.names, names)) return null;
    return (list) => this.#head!.score(this.#inputs!.of(list, order.scales));
  }
}

/**
 * Copies the weights of one head into another: input rows by name, everything else as is. Rows of inputs that `from`
 * does not have keep their weights.
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
