/** The largest of a stream of scores. A score that is not above the current border costs one comparison. */

import { nthLargest } from "./nth_largest.ts";

/** The `limit` largest scores with their places; of those that tie at the border, the earliest. */
export class Nearest {
  readonly limit: number;
  readonly #scores: Float64Array;
  readonly #places: Uint32Array;
  readonly #sorted: Float64Array;
  #size = 0;
  /** The smallest score kept by the last cut. */
  #border = -Infinity;

  constructor(limit: number) {
    this.limit = limit;
    this.#scores = new Float64Array(4 * limit);
    this.#places = new Uint32Array(4 * limit);
    this.#sorted = new Float64Array(4 * limit);
  }

  /** Number of scores that are kept. */
  get size(): number {
    return this.#size;
  }

  /** A score that is not above this is not among the largest. */
  get border(): number {
    return this.#border;
  }

  /** The k-th place that is kept, in no particular order. */
  placeAt(k: number): number {
    return this.#places[k]!;
  }

  scoreAt(k: number): number {
    return this.#scores[k]!;
  }

  clear(): void {
    this.#size = 0;
    this.#border = -Infinity;
  }

  /** Adds a score, which must be above the border. */
  add(place: number, score: number): void {
    this.#scores[this.#size] = score;
    this.#places[this.#size++] = place;
    if (this.#size === this.#scores.length) this.cut();
  }

  /** Keeps the `limit` largest, and raises the border to the smallest of them. */
  cut(): void {
    const [scores, places, limit] = [this.#scores, this.#places, this.limit];
    if (this.#size < limit) return;
    for (let k = 0; k < this.#size; k++) this.#sorted[k] = scores[k]!;
    const border = this.#border = nthLargest(this.#sorted, limit, this.#size);
    let ties = limit;
    for (let k = 0; k < this.#size; k++) if (scores[k]! > border) ties--;
    let kept = 0;
    for (let k = 0; k < this.#size; k++) {
      if (!(scores[k]! > border || scores[k] === border && ties-- > 0)) continue;
      scores[kept] = scores[k]!;
      places[kept++] = places[k]!;
    }
    this.#size = kept;
  }
}
