/** Scores by the neighbours of the newest behaviours, in one pass for all sources of pairs. */

import type { Catalogue } from "../../items/catalogue.ts";
import { ItemScores } from "../items/item_scores.ts";
import { FAR, NEAR, type Neighbours, POPULARITY_EXPONENT, TOGETHER } from "./neighbours.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";

/** Columns of {@linkcode PairScores.scores}: sums over the weights of the same names. */
export const PAIR_COLUMNS = { far: 0, near: 1, together: 2 } as const;

/** Decay per behaviour for far and near neighbours and those together, and number of behaviours that count. */
const FAR_STEP = 0.85;
const NEAR_STEP = 0.9;
const BOTH_STEP = 0.98;
const ASKED = 20;
/** Minimum weight of an old behaviour. */
const FLOOR = 0.05;
/** With this many pairs per known item, scores are scanned item by item instead of pair by pair. */
const DENSE = 0.5;

export class PairScores {
  /** By item, in {@linkcode PAIR_COLUMNS}. */
  readonly scores: ItemScores = new ItemScores(Object.keys(PAIR_COLUMNS).length);
  readonly #neighbours: Neighbours;
  readonly #catalogue: Catalogue;

  constructor(neighbours: Neighbours, catalogue: Catalogue) {
    this.#neighbours = neighbours;
    this.#catalogue = catalogue;
  }

  /** Scores the neighbours of the behaviours before a request. */
  ask({ context, time }: CandidateRequest): void {
    const neighbours = this.#neighbours;
    const { rows, pace: { farMs, nearMs } } = neighbours;
    const { keys, weights } = rows;
    const pairs = this.scores;
    pairs.clear();
    const { columns } = pairs;
    const bound = this.#catalogue.size;
    const asked = Math.min(ASKED, context.size);
    let all = 0;
    for (let x = 0; x < asked; x++) all += rows.size(context.items[x]!);
    const isDense = all > DENSE * bound;
    if (isDense) pairs.reserve(bound);
    // In units of the request's time, so that scores do not depend on how long ago the stream began.
    const unit = neighbours.unit(time), root = Math.sqrt(unit);
    let farStep = 1;
    let nearStep = 1;
    let bothStep = 1;
    for (let x = 0; x < asked; x++) {
      const item = context.items[x]!;
      const gap = Math.max(0, time - context.times[x]!);
      // An item without a count, which only preceded others or was dropped for space, counts as one behaviour.
      const norm = 1 / (root * Math.sqrt(neighbours.count(item) || unit));
      const a = norm * farStep * (FLOOR + (1 - FLOOR) * 2 ** (-gap / farMs));
      const b = norm * nearStep * (FLOOR + (1 - FLOOR) * 2 ** (-gap / nearMs));
      const c = context.liked[x] === 1 ? norm * bothStep : 0;
      farStep *= FAR_STEP;
      nearStep *= NEAR_STEP;
      bothStep *= BOTH_STEP;
      const size = rows.collect(item);
      const { slots } = rows;
      if (!isDense) pairs.touchAll(keys, slots, { count: size, bound });
      const { values } = pairs;
      for (let k = 0; k < size; k++) {
        const at = slots[k]!;
        const to = Math.imul(keys[at]! - 1, columns);
        values[to] = values[to]! + a * weights[at + 1 + FAR]!;
        values[to + 1] = values[to + 1]! + b * weights[at + 1 + NEAR]!;
        values[to + 2] = values[to + 2]! + c * weights[at + 1 + TOGETHER]!;
      }
    }
    if (isDense) pairs.touchScored(bound);
    const rise = unit ** POPULARITY_EXPONENT;
    pairs.scaleAll((item) => rise * neighbours.discount(item));
  }
}
