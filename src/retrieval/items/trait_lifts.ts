/**
 * How much more a user favours the traits of an item, such as its categories, than all users do.
 *
 * Of a user's m behaviours on items with traits, c have a given trait; s is its share among the positives of popular
 * items. The lift of an item is the mean over its traits of
 *
 * ```text
 *   ln((c + 1) / (m s + 1))
 * ```
 *
 * An item with n traits counts 1/n in each. Nothing is learnt or stored: the behaviours are those of the request, all
 * weighted alike, since a taste lasts longer than a page. O(behaviours + popular items) per request.
 */

import type { ItemLists } from "./item_lists.ts";
import { ItemScores } from "./item_scores.ts";

/** The earlier behaviours of a user, by item: the first `size` of them. */
interface Behaviours {
  readonly size: number;
  readonly items: ArrayLike<number>;
}

/** Values of an item, such as its categories. Items with equal ones share the list, which is replaced, never changed. */
export type Values = readonly (string | null)[];

/** The traits that a list of values makes. */
interface TraitList {
  readonly values: Values;
  /** Their numbers in this process: which one has which number changes no lift. */
  readonly traits: readonly number[];
  /** The lift of an item with them, as of a request. */
  lift: number;
  request: number;
}

/** Columns of a trait's numbers: the user's behaviours; the positives of popular items; their smoothed ratio. */
const OWN = 0, POPULAR = 1, RATIO = 2, COLUMNS = 3;

/** Most traits, and lists of traits, kept from one request to the next. */
const MAX_NUMBERED = 1 << 16;

const NO_TRAITS: TraitList = { values: [], traits: [], lift: 0, request: -1 };

/** Compares the traits of a user's behaviours with those of popular items. */
export class TraitLifts {
  readonly #lists: ItemLists;
  readonly #valuesOf: (item: number) => Values;
  readonly #nameOf: (value: string, place: number) => string;
  /** Numbers of traits by name; lists by values, and by item. */
  readonly #numbers = new Map<string, number>();
  readonly #byValues = new Map<Values, TraitList>();
  readonly #byItem: TraitList[] = [];
  /** By number of a trait. */
  readonly #counts = new ItemScores(COLUMNS);
  #request = 0;

  /**
   * Compares traits that are values of items.
   *
   * @param nameOf Names a trait: by value, or by value and place
   */
  constructor(
    lists: ItemLists,
    valuesOf: (item: number) => Values,
    nameOf: (value: string, place: number) => string,
  ) {
    this.#lists = lists;
    this.#valuesOf = valuesOf;
    this.#nameOf = nameOf;
  }

  /** Prepares for a request with these behaviours. @returns Whether an item may have a lift other than 0 */
  ask({ size, items }: Behaviours): boolean {
    const counts = this.#counts;
    counts.clear();
    this.#request++;
    // Otherwise those of items that have changed would pile up.
    if (Math.max(this.#numbers.size, this.#byValues.size) > MAX_NUMBERED) this.#forget();
    const behaviours = this.#count(items, size, OWN);
    if (behaviours === 0) return false;
    const popular = this.#lists.popular();
    const positives = this.#count(popular, popular.length, POPULAR);
    const scale = positives > 0 ? behaviours / positives : 0;
    const { values } = counts;
    for (const trait of counts.items()) {
      const at = COLUMNS * trait;
      values[at + RATIO] = (values[at + OWN]! + 1) / (scale * values[at + POPULAR]! + 1);
    }
    return true;
  }

  /** The lift of an item. */
  of(item: number): number {
    const list = this.#listOf(item);
    if (list.request === this.#request) return list.lift;
    const { traits } = list;
    let product = 1;
    for (let k = 0; k < traits.length; k++) product *= this.#counts.get(traits[k]!, RATIO) || 1;
    list.request = this.#request;
    return list.lift = Math.log(product) / (traits.length || 1);
  }

  /** Counts items in a column of their traits: as 1 each, or by their positives. @returns The sum of those with traits */
  #count(items: ArrayLike<number>, size: number, column: number): number {
    const counts = this.#counts, { popularity } = this.#lists;
    let all = 0;
    for (let n = 0; n < size; n++) {
      const { traits } = this.#listOf(items[n]!);
      const amount = column === OWN ? 1 : popularity.count(items[n]!);
      if (traits.length === 0 || amount === 0) continue;
      all += amount;
      const each = amount / traits.length;
      for (let k = 0; k < traits.length; k++) {
        const at = counts.touch(traits[k]!) + column;
        const { values } = counts;
        values[at] = values[at]! + each;
      }
    }
    return all;
  }

  #listOf(item: number): TraitList {
    const values = this.#valuesOf(item);
    const known = this.#byItem[item];
    if (known?.values === values) return known;
    const list = this.#byValues.get(values) ?? this.#make(values);
    // Filled without holes: a sparse array would be a hash map.
    while (this.#byItem.length < item) this.#byItem.push(NO_TRAITS);
    return this.#byItem[item] = list;
  }

  #make(values: Values): TraitList {
    const traits = values.flatMap((value, place) => value === null ? [] : [this.#numberOf(value, place)]);
    const list = { values, traits, lift: 0, request: -1 };
    this.#byValues.set(values, list);
    return list;
  }

  #numberOf(value: string, place: number): number {
    const name = this.#nameOf(value, place);
    const number = this.#numbers.get(name) ?? this.#numbers.size;
    this.#numbers.set(name, number);
    return number;
  }

  #forget(): void {
    this.#numbers.clear();
    this.#byValues.clear();
    this.#byItem.length = 0;
  }
}

/** The name of a value that means the same at any place. */
export function sameAnywhere(value: string): string {
  return value;
}

/** The name of a value that means something else at another place. */
export function placed(value: string, place: number): string {
  return `${place}\0${value}`;
}
