/** Which items may be recommended for a request: each item is judged once. */

import type { Catalogue, CatalogueItem } from "../../items/catalogue.ts";

const YES = 1;
const NO = 2;

/** The verdicts on items for one request at a time. */
export class Verdicts {
  readonly #catalogue: Catalogue;
  /** By item: `YES`, `NO`, or 0 = not judged. */
  #verdicts = new Uint8Array(64);
  #judged: number[] = [];
  #allowed: (item: CatalogueItem) => boolean = () => true;

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /** Begins a request. @param excluded items that may not be recommended, whatever `allowed` says */
  reset(allowed: (item: CatalogueItem) => boolean, excluded: ArrayLike<number>): void {
    for (const item of this.#judged) this.#verdicts[item] = 0;
    this.#judged = [];
    this.#allowed = allowed;
    const { size } = this.#catalogue;
    if (size > this.#verdicts.length) this.#verdicts = new Uint8Array(2 * size);
    for (let k = 0; k < excluded.length; k++) this.#judge(excluded[k]!, NO);
  }

  /** Whether an item may be recommended. */
  readonly may = (index: number): boolean => {
    const verdict = this.#verdicts[index]!;
    if (verdict !== 0) return verdict === YES;
    return this.#judge(index, this.#allowed(this.#catalogue.at(index)) ? YES : NO) === YES;
  };

  #judge(index: number, verdict: number): number {
    this.#verdicts[index] = verdict;
    this.#judged.push(index);
    return verdict;
  }
}
