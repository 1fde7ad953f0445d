/**
 * The items of a list's behaviours, each of them once, with what each has in common with the current candidate; a click
 * is often followed by a cart and a purchase of the same item.
 */

import type { Pairs } from "./pair_statistics.ts";
import { BACK, COUNT, FORTH, OTHER_SQUARE, PRODUCT, SQUARE, WEIGHT } from "./pair_table.ts";

/** Pseudo-counts of agreement, and of a prediction. */
const AGREEMENT_PRIOR = 5;
const PREDICTION_PRIOR = 10;
/** Brings sums of strengths to the scale of the logarithm of a count. */
const GRADE = 3;

/** Scratch for one list at a time. */
export class PastItems {
  /** Hashes of the distinct items, in the order of their newest behaviours; the first `count` are valid. */
  readonly hashes: Uint32Array;
  /** Number of distinct items. */
  count = 0;
  /** By item: hashes of its categories. */
  readonly #categories: Uint32Array[] = [];
  /** Number of behaviours, and the place of the item of each. */
  #size = 0;
  readonly #placeOf: Uint8Array;
  /** By item, for the current candidate: the terms of the sums of {@linkcode Pairs}. */
  readonly #together: Float64Array;
  readonly #after: Float64Array;
  readonly #agreement: Float64Array;
  readonly #products: Float64Array;
  readonly #squares: Float64Array;
  readonly #cosines: Float64Array;

  /** Starts without behaviours. @param most Most behaviours of a list */
  constructor(most: number) {
    const numbers = () => new Float64Array(most);
    this.hashes = new Uint32Array(most);
    this.#placeOf = new Uint8Array(most);
    this.#together = numbers();
    this.#after = numbers();
    this.#agreement = numbers();
    this.#products = numbers();
    this.#squares = numbers();
    this.#cosines = numbers();
  }

  /** Begins a list. */
  clear(): void {
    this.count = 0;
    this.#size = 0;
  }

  /** Adds the next older behaviour. @param categories Hashes of the categories of its item */
  add(hash: number, categories: Uint32Array): void {
    const { hashes } = this;
    let k = 0;
    while (k < this.count && hashes[k] !== hash) k++;
    if (k === this.count) {
      hashes[k] = hash;
      this.#categories[k] = categories;
      this.count++;
    }
    this.#placeOf[this.#size++] = k;
  }

  /** Sets the terms of an item that was never counted with the candidate, or is the candidate. */
  setNone(k: number): void {
    this.#together[k] =
      this.#after[k] =
      this.#agreement[k] =
      this.#products[k] =
        0;
    this.#squares[k] = 1;
  }

  /**
   * Sets the terms of an item from the numbers of its pair with the candidate.
   *
   * @param at Where the pair's numbers begin
   * @param isFirst Whether the candidate is the first one of the pair
   */
  read(k: number, numbers: Float32Array, at: number, isFirst: boolean): void {
    const product = numbers[at + PRODUCT]!;
    const followed = numbers[at + (isFirst ? BACK : FORTH)]!;
    this.#together[k] = Math.log1p(numbers[at + WEIGHT]!);
    this.#after[k] = followed > 0 ? Math.log1p(followed) : 0;
    this.#agreement[k] = GRADE * product / (numbers[at + COUNT]! + AGREEMENT_PRIOR);
    this.#products[k] = product;
    this.#squares[k] = numbers[at + (isFirst ? OTHER_SQUARE : SQUARE)]! + PREDICTION_PRIOR;
  }

  /** Compares the categories of each item with the candidate's: cosines of sets. */
  compare(own: Uint32Array): void {
    for (let k = 0; k < this.count; k++) {
      const theirs = this.#categories[k]!;
      let common = 0;
      for (let a = 0; a < theirs.length; a++) {
        for (let b = 0; b < own.length; b++) if (theirs[a] === own[b]) common++;
      }
      this.#cosines[k] = common > 0 ? common / Math.sqrt(theirs.length * own.length) : 0;
    }
  }

  /** Sums the terms over the behaviours, newest first. @param own Hash of the candidate */
  sum(own: number, pairs: Pairs): void {
    const { strengths } = pairs;
    let [same, together, liked, after, agreement, predicted, categories] = [0, 0, 0, 0, 0, 0, 0];
    for (let x = 0; x < this.#size; x++) {
      const k = this.#placeOf[x]!;
      const strength = strengths[x]!;
      const log = this.#together[k]!;
      if (this.hashes[k] === own) same++;
      together += log;
      liked += strength * log;
      after += this.#after[k]!;
      agreement += this.#agreement[k]!;
      predicted += GRADE * strength * this.#products[k]! / this.#squares[k]!;
      categories += this.#cosines[k]!;
    }
    pairs.same = same;
    pairs.together = together;
    pairs.liked = liked;
    pairs.after = after;
    pairs.agreement = agreement;
    pairs.predicted = predicted;
    pairs.categories = categories;
  }
}
