/** Popular items: judged behaviours, counted with a half-life. */

import { type Baseline, type BaselineQuery, type Behaviour, best } from "./baseline.ts";

/** Items considered for a list: more than any user has. */
const LISTED = 2000;
/** Behaviours after which those items are selected anew; in between, items enter only when they are counted. */
const SORT_EVERY = 2000;

/** Popularity with a half-life. */
export class Popularity implements Baseline {
  readonly name: string;
  readonly #halfLifeMs: number;
  /** By item: log₂ Σ 2^(t/h). */
  readonly #scores: number[] = [];
  /** The items considered, and whether an item is one. */
  #listed: number[] = [];
  readonly #isListed: boolean[] = [];
  #since = 0;

  /** Starts without counts. @param halfLifeMs Infinity: no decay */
  constructor(name: string, halfLifeMs: number) {
    this.name = name;
    this.#halfLifeMs = halfLifeMs;
  }

  recommend(query: BaselineQuery): readonly number[] {
    // Scores are logarithms, which may be below 0; the shift keeps their order.
    const scores = this.#scores;
    const least = this.#listed.reduce((low, item) => Math.min(low, scores[item]!), Infinity) - 1;
    return best(this.#listed.map((item) => [item, scores[item]! - least] as const), query);
  }

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
