/** The best candidates of a list. */

import type { Catalogue } from "../items/catalogue.ts";
import { nthLargest } from "../vectors/nth_largest.ts";

/** Finds the candidates with the largest scores. */
export class BestPlaces {
  readonly #catalogue: Catalogue;
  /** Scratch: scores of candidates. */
  #sorted = new Float64Array(64);

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /**
   * Places of the candidates with the largest scores, largest first; ties are ordered by id.
   *
   * @param items Index of each candidate's item
   * @param limit Most places to return
   */
  of(items: readonly number[], scores: Float64Array, limit: number): number[] {
    const count = items.length;
    if (this.#sorted.length < count) this.#sorted = new Float64Array(2 * count);
    let border = -Infinity;
    if (count > limit) {
      for (let c = 0; c < count; c++) this.#sorted[c] = scores[c]!;
      border = nthLargest(this.#sorted, limit, count);
    }
    const order: number[] = [];
    for (let c = 0; c < count; c++) if (scores[c]! >= border) order.push(c);
    return order.sort((a, b) => scores[b]! - scores[a]! || this.#catalogue.compare(items[a]!, items[b]!))
      .slice(0, limit);
  }
}
