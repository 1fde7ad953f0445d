/**
 * How much more a user turns to what an item is than all users do, by traits such as categories.
 *
 * With c of the m behaviours of a user that have traits at all, and the share s of a trait among the positives of
 * popular items, the lift of an item is the mean over its traits of
 *
 * ```text
 *   ln((c + 1) / (m s + 1))
 * ```
 *
 * An item with n traits counts 1/n in each. Nothing is learnt or stored: the behaviours are those of the request, all of
 * them alike, since a taste lasts longer than a page. O(behaviours + popular items) per request.
 *
 * @module
 */

import type { Catalogue } from "../../items/catalogue.ts";
import type { ItemLists } from "./item_lists.ts";
import { ItemScores } from "./item_scores.ts";

/** The earlier behaviours of a user, by item: the first `size` of them. */
interface Behaviours {
  readonly size: number;
  readonly items: ArrayLike<number>;
}

/** Numbers the traits of items. */
export interface Traits {
  /** Numbers of the traits of an item, the same throughout a request. */
  of(item: number): readonly number[];
  /** Begins another request. */
  begin?(): void;
}

/** Values of fields that have numbers at most, but for those of one request. */
const MAX_NUMBERED = 1 << 16;

/** Compares the traits of a user's behaviours with those of popular items. */
export class TraitLifts {
  readonly #lists: ItemLists;
  readonly #traits: Traits;
  /** By number of a trait: the user's behaviours; the positives of popular items; what the logarithm is of. */
  readonly #own = new ItemScores();
  readonly #popular = new ItemScores();
  readonly #ratios = new ItemScores();

  constructor(lists: ItemLists, traits: Traits) {
    this.#lists = lists;
    this.#traits = traits;
  }

  /** Prepares for a request with these behaviours. @returns Whether an item may have a lift other than 0 */
  ask({ size, items }: Behaviours): boolean {
    const [own, popular, ratios] = [this.#own, this.#popular, this.#ratios];
    for (const scores of [own, popular, ratios]) scores.clear();
    this.#traits.begin?.();
    let behaviours = 0;
    for (let x = 0; x < size; x++) behaviours += this.#add(own, items[x]!, 1);
    if (behaviours === 0) return false;
    const { popularity } = this.#lists;
    let positives = 0;
    for (const item of this.#lists.popular()) positives += this.#add(popular, item, popularity.count(item));
    const scale = positives > 0 ? behaviours / positives : 0;
    const ratio = (trait: number) => (own.get(trait) + 1) / (scale * popular.get(trait) + 1);
    for (const trait of own.items()) ratios.add(trait, ratio(trait));
    for (const trait of popular.items()) if (own.get(trait) === 0) ratios.add(trait, ratio(trait));
    return true;
  }

  /** The lift of an item. */
  of(item: number): number {
    const traits = this.#traits.of(item);
    let product = 1;
    for (let k = 0; k < traits.length; k++) product *= this.#ratios.get(traits[k]!) || 1;
    return Math.log(product) / (traits.length || 1);
  }

  /** Adds an amount to the traits of an item. @returns It; 0 if the item has no traits */
  #add(to: ItemScores, item: number, amount: number): number {
    const traits = this.#traits.of(item);
    for (let k = 0; k < traits.length; k++) to.add(traits[k]!, amount / traits.length);
    return traits.length === 0 ? 0 : amount;
  }
}

/** Numbers the values of the fields of items, in this process: which one has which number changes no lift. */
export class FieldTraits implements Traits {
  readonly #catalogue: Catalogue;
  readonly #numbers = new Map<string, number>();
  /** By item: its fields and their numbers. A list of fields is replaced, never changed. */
  readonly #known: { readonly fields: readonly (string | null)[]; readonly traits: readonly number[] }[] = [];

  constructor(catalogue: Catalogue) {
    this.#catalogue = catalogue;
  }

  /** Forgets all numbers where too many values have one: those of items that have changed would stay for ever. */
  begin(): void {
    if (this.#numbers.size <= MAX_NUMBERED) return;
    this.#numbers.clear();
    this.#known.length = 0;
  }

  of(item: number): readonly number[] {
    const { fields } = this.#catalogue.at(item);
    const known = this.#known, numbers = this.#numbers;
    if (known[item]?.fields === fields) return known[item]!.traits;
    const traits = fields.flatMap((value, field) => {
      if (value === null) return [];
      const name = `${field}\0${value}`;
      if (!numbers.has(name)) numbers.set(name, numbers.size);
      return [numbers.get(name)!];
    });
    // Filled without holes: a sparse array would be a hash map.
    while (known.length < item) known.push({ fields: [], traits: [] });
    known[item] = { fields, traits };
    return traits;
  }
}
