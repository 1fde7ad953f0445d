/**
 * What still tables say of candidates, remembered from one list to the next: a catalogue's items come again many times
 * before the tables change.
 *
 * @module
 */

import { UNKNOWN_ROW } from "../embeddings/rows.ts";
import { type FieldTable, valueAt, weightOf } from "./field_table.ts";
import { SMALL_WIDTH } from "./fields.ts";
import { categorySuffix, fieldSuffix } from "./pairs.ts";
import { type JoinedKey, JoinedKeys } from "./transitions.ts";

/** Candidates that are remembered at most: then all are forgotten. */
const MAX_KNOWN = 8192;

/** The tables that candidates are looked up in, all of them still. */
export interface CandidateTables {
  readonly item: FieldTable;
  readonly category: FieldTable;
  /** Of each item field, with its first-order weights. */
  readonly itemFields: readonly { readonly vectors: FieldTable; readonly first: FieldTable }[];
  /** First-order weights. */
  readonly first: { readonly item: FieldTable; readonly category: FieldTable };
}

/** A category, or a value of a crossed field, with what is the same for all candidates of a list that have it. */
export class Trait {
  /** The category, or the value. */
  readonly name: string;
  /** What the keys of its pairs end in. */
  readonly suffix: string;
  /** The list that the rest is of. */
  list = 0;
  /** Logit of the cross features of a category. */
  crossed = 0;
  /** Weights of its pairs, one a prefix. */
  readonly pairs: number[] = [];

  /** A trait that was in no list yet. */
  constructor(name: string, suffix: string) {
    this.name = name;
    this.suffix = suffix;
  }
}

/** What is known of a candidate. Its lists are those that it was filled from: others may say something else. */
export interface KnownCandidate {
  categories: readonly string[];
  fields: readonly (string | null)[];
  /** Of which state of the tables it is. */
  asOf: number;
  /** [E_item ; mean E_category] [d]. */
  readonly q: Float32Array;
  /** Vectors of the item fields, one behind the other. */
  readonly fieldVectors: Float32Array;
  /** First-order weight of the item. */
  weight: number;
  /** Those of the categories, over their number; of the item fields, 0 where one is missing. */
  readonly categoryWeights: number[];
  readonly fieldWeights: number[];
  /** Its categories. */
  readonly kinds: Trait[];
  /** Values of the crossed fields that it has. */
  readonly values: Trait[];
}

/** The candidates of one schema, and weights of joined keys. */
export class KnownCandidates {
  /** Keys of cross features, remembered with their weights. */
  readonly joined: JoinedKeys = new JoinedKeys();
  /** The same of pairs with the user's fields. */
  readonly pairs: JoinedKeys = new JoinedKeys();
  readonly #k: number;
  /** Indices of the item fields that are crossed with the user. */
  readonly #crossed: readonly number[];
  readonly #tables: CandidateTables;
  readonly #known = new Map<string, KnownCandidate>();
  readonly #kinds = new Map<string, Trait>();
  readonly #values = new Map<string, Trait>();
  #asOf = 1;
  /** Since when rows are what they are. */
  #rowsAsOf = 1;

  /** @param k width of an id's vector @param crossed indices of the item fields that are crossed with the user */
  constructor(k: number, crossed: readonly number[], tables: CandidateTables) {
    this.#k = k;
    this.#crossed = crossed;
    this.#tables = tables;
  }

  /** Says that the tables have changed. @param moved whether a key that had a row may have another one, or none */
  forget(moved: boolean): void {
    this.#asOf++;
    if (moved) this.#rowsAsOf = this.#asOf;
  }

  /** What is known of a candidate, valid until the next change. */
  of(item: string, categories: readonly string[], fields: readonly (string | null)[]): KnownCandidate {
    const known = this.#known.get(item) ?? this.#make(item);
    if (known.asOf !== this.#asOf || known.categories !== categories || known.fields !== fields) {
      known.categories = categories;
      known.fields = fields;
      known.asOf = this.#asOf;
      this.#fill(known, item);
    }
    return known;
  }

  /** The weight of a joined key. @param weights the table that it is in, always the same for the key */
  weightOf(key: JoinedKey, weights: FieldTable): number {
    if (key.weighedAt !== this.#asOf) {
      if (key.row <= UNKNOWN_ROW || key.foundAt < this.#rowsAsOf) {
        key.row = weights.rowOf(key.text);
        key.foundAt = this.#asOf;
      }
      key.weight = valueAt(weights, key.row);
      key.weighedAt = this.#asOf;
    }
    return key.weight;
  }

  #make(item: string): KnownCandidate {
    if (this.#known.size >= MAX_KNOWN) {
      for (const known of [this.#known, this.#kinds, this.#values]) known.clear();
    }
    const known = {
      categories: [],
      fields: [],
      asOf: 0,
      q: new Float32Array(2 * this.#k),
      fieldVectors: new Float32Array(SMALL_WIDTH * this.#tables.itemFields.length),
      weight: 0,
      categoryWeights: [],
      fieldWeights: [],
      kinds: [],
      values: [],
    };
    this.#known.set(item, known);
    return known;
  }

  #fill(known: KnownCandidate, name: string): void {
    const { item, category, itemFields, first } = this.#tables;
    const { categories, fields, q, fieldVectors, categoryWeights, fieldWeights, kinds, values } = known;
    const n = categories.length;
    q.fill(0);
    fieldVectors.fill(0);
    item.addRow(item.rowOf(name), 1, q, 0);
    known.weight = weightOf(first.item, name);
    categoryWeights.length = kinds.length = n;
    for (let i = 0; i < n; i++) {
      const key = categories[i]!;
      category.addRow(category.rowOf(key), 1 / n, q, this.#k);
      categoryWeights[i] = weightOf(first.category, key) / n;
      kinds[i] = traitOf(this.#kinds, key, categorySuffix(key));
    }
    for (let f = 0; f < itemFields.length; f++) {
      const { vectors, first } = itemFields[f]!;
      const value = fields[f] ?? null;
      fieldWeights[f] = value === null ? 0 : weightOf(first, value);
      if (value !== null) vectors.addRow(vectors.rowOf(value), 1, fieldVectors, SMALL_WIDTH * f);
    }
    values.length = 0;
    for (const index of this.#crossed) {
      const value = fields[index] ?? null;
      if (value === null) continue;
      const suffix = fieldSuffix(index, value);
      values.push(traitOf(this.#values, suffix, suffix));
    }
  }
}

function traitOf(traits: Map<string, Trait>, name: string, suffix: string): Trait {
  const known = traits.get(name);
  if (known !== undefined) return known;
  const trait = new Trait(name, suffix);
  traits.set(name, trait);
  return trait;
}
