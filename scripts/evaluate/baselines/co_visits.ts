/** Tables of pairs: items that occur near an item, and items that follow it; either may be the item itself. */

import { type Baseline, type BaselineQuery, type Behaviour, best } from "./baseline.ts";

/** Newest behaviours that form pairs with the next one, and that a list is made from. */
const WINDOW = 10;
/** Decay of a behaviour's weight per step back. */
const STEP = 0.85;
/** Most neighbours of an item; beyond that, only the best half is kept. */
const NEIGHBOURS = 1000;

/** Counts by pair. */
class Pairs {
  readonly #rows: (Map<number, number> | undefined)[] = [];

  row(item: number): ReadonlyMap<number, number> | undefined {
    return this.#rows[item];
  }

  add(item: number, other: number, amount: number): void {
    let row = this.#rows[item];
    if (row === undefined) this.#rows[item] = row = new Map();
    row.set(other, (row.get(other) ?? 0) + amount);
    if (row.size <= NEIGHBOURS) return;
    const kept = [...row].sort(([a, x], [b, y]) => y - x || a - b).slice(0, NEIGHBOURS / 2);
    this.#rows[item] = new Map(kept);
  }
}

/** Σ_x 0.85^x · c(x, j) / √(n_x · n_j) over the newest 10 behaviours; c counts pairs within 10, in either order. */
export class CoVisits implements Baseline {
  readonly name = "co-visits";
  readonly #pairs = new Pairs();
  /** By item: its behaviours. */
  readonly #counts: number[] = [];

  recommend(query: BaselineQuery): readonly number[] {
    const scores = new Map<number, number>();
    for (const [x, item] of query.before.slice(0, WINDOW).entries()) {
      const weight = STEP ** x / Math.sqrt(this.#counts[item] ?? 1);
      for (const [other, count] of this.#pairs.row(item) ?? []) {
        scores.set(other, (scores.get(other) ?? 0) + weight * count / Math.sqrt(this.#counts[other]!));
      }
    }
    return best(scores, query);
  }

  learn({ item, before }: Behaviour): void {
    this.#counts[item] = (this.#counts[item] ?? 0) + 1;
    for (const other of before.slice(0, WINDOW)) {
      this.#pairs.add(item, other, 1);
      if (other !== item) this.#pairs.add(other, item, 1);
    }
  }
}

/** Items that followed the newest one; x steps later counts 1/x ("sequential rules" of Ludewig and Jannach, 2018). */
export class Followers implements Baseline {
  readonly name = "what follows";
  readonly #pairs = new Pairs();

  recommend(query: BaselineQuery): readonly number[] {
    const [newest] = query.before;
    return newest === undefined ? [] : best(this.#pairs.row(newest) ?? [], query);
  }

  learn({ item, before }: Behaviour): void {
    for (const [x, other] of before.slice(0, WINDOW).entries()) {
      this.#pairs.add(other, item, 1 / (x + 1));
    }
  }
}
