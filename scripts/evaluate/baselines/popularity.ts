/**
 * What everybody takes: behaviours of the kind that is judged, halved every so often.
 *
 * @module
 */

import { type Baseline, type BaselineQuery, type Behaviour, best } from "./baseline.ts";

/** Items that are looked through for a list: more than any user has. */
const LISTED = 2000;
/** After so many behaviours those items are found anew: in between only what is counted can come in. */
const SORT_EVERY = 2000;

/** Popularity with a half-life. */
export class Popularity implements Baseline {
  readonly name: string;
  readonly #halfLifeMs: number;
  /** By item: log₂ Σ 2^(t/h). */
  readonly #scores: number[] = [];
  /** The best items, in the order of their first sight, and whether an item is one. */
  #listed: number[] = [];
  readonly #isListed: boolean[] = [];
  #since = 0;

  /** Nothing counted. @param halfLifeMs Infinity: nothing is forgotten */
  constructor(name: string, halfLifeMs: number) {
    this.name = name;
    this.#halfLifeMs = halfLifeMs;
  }

  /** See {@linkcode Baseline}. */
  recommend(query: BaselineQuery): readonly number[] {
    // Scores are logarithms, which may be below 0; what is best is the same.
    const scores = this.#scores;
    const least = this.#listed.reduce((low, item) => Math.min(low, scores[item]!), Infinity) - 1;
    return best(this.#listed.map((item) => [item, scores[item]! - least] as const), query);
  }

  /** See {@linkcode Baseline}. */
  learn({ item, time, isTarget }: Behaviour): void {
    if (!isTarget) return;
    const score = this.#scores[item] ?? -Infinity;
    const more = this.#halfLifeMs === Infinity ? 0 : time / this.#halfLifeMs;
    const [low, high] = score < more ? [score, more] : [more, score];
    this.#scores[item] = high + Math.log2(1 + 2 ** (low - high));
    if (!this.#isListed[item]) {
      this.#listed.push(item);
      this.#isListed[item] = true;
    }
    if (++this.#since < SORT_EVERY || this.#listed.length <= LISTED) return;
    this.#since = 0;
    this.#listed.sort((a, b) => this.#scores[b]! - this.#scores[a]! || a - b);
    for (const other of this.#listed.splice(LISTED)) this.#isListed[other] = false;
  }
}
