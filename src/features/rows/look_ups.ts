/**
 * Looks up the vectors and weights of candidates, each key once per list.
 *
 * If tables are still, the results are cached from one list to the next, as an item is listed many times before the
 * tables change. Tables that learn are queried again for each list, in a fixed order, and the rows are recorded for
 * scattering gradients.
 */

import { UNKNOWN_ROW } from "../../embeddings/rows.ts";
import type { FeatureTables } from "../feature_tables.ts";
import { type FieldTable, valueAt } from "../field_table.ts";
import { widthOf } from "../item_field.ts";
import { categorySuffix, fieldSuffix } from "../pairs.ts";
import type { ItemFeatures } from "../../samples/rows.ts";
import { type CrossKind, type JoinedKey, JoinedKeys } from "../transitions.ts";
import type { RowLog } from "./row_log.ts";

/** Most items, categories and values in the cache, together; beyond it, all are dropped. */
const MAX_REMEMBERED = 8192;

const NO_WEIGHTS = new Float64Array(0);

/** Sizes of the parts of a candidate, and the fields that are crossed. */
export interface CandidateShape {
  /** Width k of an id's embedding. */
  readonly k: number;
  /** Width C of x_c. */
  readonly contextWidth: number;
  readonly numerics: number;
  /** Indices of the item fields that are crossed with the user. */
  readonly crossed: readonly number[];
  /** Whether users have rows and pairs of their own. */
  readonly ids: boolean;
}

/** A category or a value of a crossed field, with weights that are shared by all candidates of a list that have it. */
class Trait {
  /** The category, or the value. */
  readonly name: string;
  /** Suffix of the keys of its pairs. */
  readonly suffix: string;
  /** Number of the list that the following fields belong to. */
  list = 0;
  /** Logit of a category's cross features. */
  crossed = 0;
  /** Weights of its pairs by prefix, perhaps with unused room; NaN = not looked up. */
  pairs: Float64Array = NO_WEIGHTS;
  /** Rows of those weights. */
  rows = new Uint32Array(0);

  /** A trait of no list yet. */
  constructor(name: string, suffix: string) {
    this.name = name;
    this.suffix = suffix;
  }

  /** Begins a list. @param prefixes number of prefixes */
  start(list: number, prefixes: number): void {
    this.list = list;
    this.crossed = 0;
    if (this.pairs.length < prefixes) {
      this.pairs = new Float64Array(prefixes);
      this.rows = new Uint32Array(prefixes);
    }
    this.pairs.fill(NaN);
  }
}

/** The vectors and weights of a candidate. */
export interface CandidateParts {
  /** [E_item ; mean E_category] [d]. */
  readonly q: Float32Array;
  /** Vectors of the item fields, concatenated. */
  readonly fieldVectors: Float32Array;
  /** First-order weight of the item. */
  readonly weight: number;
  /** First-order weights of the categories, divided by their number. */
  readonly categoryWeights: Float64Array;
  /** First-order weights of the item fields; 0 for one that is missing. */
  readonly fieldWeights: Float64Array;
  /** Its categories, then the values of the crossed fields that it has. */
  readonly traits: readonly Trait[];
}

interface FilledParts extends CandidateParts {
  /** The state of the tables (`LookUps.#asOf`) from which it was filled. */
  asOf: number;
  weight: number;
  categoryWeights: Float64Array;
  readonly traits: Trait[];
}

/** Looks up candidates and crosses in the tables of one schema. */
export class LookUps {
  /** Keys of cross features, cached with their rows. */
  readonly joined: JoinedKeys = new JoinedKeys();
  readonly tables: FeatureTables;
  readonly #shape: CandidateShape;
  /** Whether all tables are still, see `FieldTable.isStill`. */
  readonly isStill: boolean;
  readonly #read: RowLog;
  /** Keys of pairs with the user's fields. */
  readonly #pairKeys = new JoinedKeys();
  /** Starts of such keys by prefix, for the current list; `null` = not worth caching. */
  #pairStarts: readonly (JoinedKey | null)[] = [];
  /** By item for still tables, by place in the list for others. */
  readonly #byItem = new Map<ItemFeatures, FilledParts>();
  readonly #byPlace: FilledParts[] = [];
  readonly #categories = new Map<string, Trait>();
  readonly #values = new Map<string, Trait>();
  #asOf = 1;
  #list = 0;
  #prefixes: readonly string[] = [];

  /** Look-ups with an empty cache. @param read records the rows of candidates and pairs */
  constructor(shape: CandidateShape, tables: FeatureTables, isStill: boolean, read: RowLog) {
    this.#shape = shape;
    this.tables = tables;
    this.isStill = isStill;
    this.#read = read;
  }

  /** Drops what was cached of still tables, which have changed. */
  forget(): void {
    this.#asOf++;
  }

  /** Drops values of users' fields. */
  forgetUsers(): void {
    this.#pairKeys.clear();
    this.#prefixes = [];
    this.#pairStarts = [];
  }

  /** Begins a list. @param prefixes of the keys of its pairs */
  start(prefixes: readonly string[]): void {
    this.#list++;
    if (this.#byItem.size + this.#categories.size + this.#values.size > MAX_REMEMBERED) {
      for (const remembered of [this.#byItem, this.#categories, this.#values]) remembered.clear();
    }
    this.#prefixes = prefixes;
    // Pairs of a user id recur only with that user: only those of user fields are worth caching.
    this.#pairStarts = prefixes.map((prefix, p) => {
      return p === 0 && this.#shape.ids ? null : this.#pairKeys.start(prefix);
    });
  }

  /** The vectors and weights of a candidate, valid until the next list. @param place in the list */
  of(place: number, item: ItemFeatures): CandidateParts {
    if (!this.isStill) {
      const parts = this.#byPlace[place] ??= this.#make();
      this.#fill(parts, item);
      return parts;
    }
    let parts = this.#byItem.get(item);
    if (parts === undefined) this.#byItem.set(item, parts = this.#make());
    if (parts.asOf !== this.#asOf) this.#fill(parts, item);
    return parts;
  }

  /** What {@linkcode LookUps.of} returned for a place of the newest list, if tables are not still. */
  at(place: number): CandidateParts {
    return this.#byPlace[place]!;
  }

  /** Starts a trait, with no pair looked up, when it occurs first in the current list. @returns whether it does */
  startOnce(trait: Trait): boolean {
    if (trait.list === this.#list) return false;
    trait.start(this.#list, this.#prefixes.length);
    return true;
  }

  /** The weight of a cross feature. @param log records its row */
  weightOf(key: JoinedKey, kind: CrossKind, log?: RowLog): number {
    // Short enough to be inlined, so that the weight is not boxed.
    return this.isStill && key.weighedAt === this.#asOf
      ? key.weight
      : this.#weigh(key, this.tables.own(kind), log);
  }

  /**
   * The weight of the pair of a trait with the `p`th prefix. Records its row. Tables that are not still must be queried
   * for each candidate; for still ones, `trait.pairs` holds the weight from then on.
   */
  pair(trait: Trait, p: number): number {
    const weights = this.tables.own("pair");
    const start = this.#pairStarts[p] ?? null;
    if (start !== null && this.isStill) {
      const key = this.#pairKeys.join(start, trait.suffix);
      return trait.pairs[p] = key.weighedAt === this.#asOf ? key.weight : this.#weigh(key, weights);
    }
    const isFirst = Number.isNaN(trait.pairs[p]);
    let row = trait.rows[p]!;
    if (!isFirst && row > UNKNOWN_ROW && weights.again !== undefined) weights.again(row);
    else if (start === null) row = trait.rows[p] = weights.rowOf(this.#prefixes[p]! + trait.suffix);
    else row = trait.rows[p] = rowOf(this.#pairKeys.join(start, trait.suffix), weights);
    this.#read.note(row);
    return trait.pairs[p] = valueAt(weights, row);
  }

  #weigh(key: JoinedKey, weights: FieldTable, log?: RowLog): number {
    const row = rowOf(key, weights);
    log?.note(row);
    key.weighedAt = this.#asOf;
    return key.weight = valueAt(weights, row);
  }

  #make(): FilledParts {
    const { k } = this.#shape;
    const { itemFields } = this.tables;
    return {
      asOf: 0,
      q: new Float32Array(2 * k),
      fieldVectors: new Float32Array(widthOf(itemFields.map(({ field }) => field))),
      weight: 0,
      categoryWeights: NO_WEIGHTS,
      fieldWeights: new Float64Array(itemFields.length),
      traits: [],
    };
  }

  #fill(parts: FilledParts, { id, categories, fields }: ItemFeatures): void {
    const read = this.#read;
    const { item, category, itemFields, first } = this.tables;
    const { q, fieldVectors, fieldWeights, traits } = parts;
    const n = categories.length;
    parts.asOf = this.#asOf;
    if (parts.categoryWeights.length !== n) parts.categoryWeights = new Float64Array(n);
    const { categoryWeights } = parts;
    q.fill(0);
    fieldVectors.fill(0);
    item.addRow(read.read(item, id), 1, q, 0);
    read.addMean(category, categories, 1, q, this.#shape.k);
    parts.weight = valueAt(first.item, read.read(first.item, id));
    let size = 0;
    for (let i = 0; i < n; i++) {
      const key = categories[i]!;
      categoryWeights[i] = valueAt(first.category, read.read(first.category, key)) / n;
      traits[size++] = this.#categories.get(key) ?? traitIn(this.#categories, key, categorySuffix(key));
    }
    for (let f = 0; f < itemFields.length; f++) {
      const { field, tables, at } = itemFields[f]!;
      const text = fields[f] ?? null;
      fieldWeights[f] = text === null ? 0 : field.add(text, tables, fieldVectors, at);
    }
    for (const index of this.#shape.crossed) {
      const value = fields[index] ?? null;
      if (value === null) continue;
      const suffix = fieldSuffix(index, value);
      traits[size++] = this.#values.get(suffix) ?? traitIn(this.#values, suffix, suffix);
    }
    // Not emptied first: setting an array's length to 0 frees its memory.
    traits.length = size;
  }
}

function traitIn(traits: Map<string, Trait>, name: string, suffix: string): Trait {
  const trait = new Trait(name, suffix);
  traits.set(name, trait);
  return trait;
}

/** The row of a key, which caches it; a key must be used with one table only. */
function rowOf(key: JoinedKey, of: FieldTable): number {
  if (of.again !== undefined && key.row > UNKNOWN_ROW && key.foundAt === of.removals) of.again(key.row);
  else {
    key.row = of.rowOf(key.text);
    key.foundAt = of.removals ?? 0;
  }
  return key.row;
}
