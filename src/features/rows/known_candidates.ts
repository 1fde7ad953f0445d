/**
 * Gathers candidates from still tables: what these say of one is remembered from one list to the next, for a catalogue's
 * items come again many times before the tables change.
 *
 * @module
 */

import { UNKNOWN_ROW } from "../../embeddings/rows.ts";
import { type CandidateArrays, type CandidateShape, type ListPart, positionKey } from "./candidate_list.ts";
import type { FeatureTables } from "../feature_tables.ts";
import { type FieldTable, valueAt, weightOf } from "../field_table.ts";
import { SMALL_WIDTH } from "../fields.ts";
import type { InstanceRow } from "../instance.ts";
import { categorySuffix, fieldSuffix } from "../pairs.ts";
import { CLIP } from "../standardisation.ts";
import { type CrossKind, type JoinedKey, JoinedKeys, type WeightOf } from "../transitions.ts";

/** Candidates that are remembered at most: then all are forgotten. */
const MAX_KNOWN = 8192;

const NO_WEIGHTS = new Float64Array(0);

/** A category, or a value of a crossed field, with what is the same for all candidates of a list that have it. */
class Trait {
  /** The category, or the value. */
  readonly name: string;
  /** What the keys of its pairs end in. */
  readonly suffix: string;
  /** The list that the rest is of. */
  list = 0;
  /** Logit of the cross features of a category. */
  crossed = 0;
  /** Weights of its pairs, one a prefix, and room for more. */
  pairs = NO_WEIGHTS;

  /** A trait that was in no list yet. */
  constructor(name: string, suffix: string) {
    this.name = name;
    this.suffix = suffix;
  }
}

/** What is known of a candidate. Its lists are those that it was filled from: others may say something else. */
interface KnownCandidate {
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
  categoryWeights: Float64Array;
  readonly fieldWeights: Float64Array;
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
  readonly #pairs = new JoinedKeys();
  readonly #shape: CandidateShape;
  readonly #tables: FeatureTables;
  readonly #known = new Map<string, KnownCandidate>();
  readonly #kinds = new Map<string, Trait>();
  readonly #values = new Map<string, Trait>();
  #asOf = 1;
  /** Since when rows are what they are. */
  #rowsAsOf = 1;
  /** Lists that were gathered. */
  #lists = 0;

  /** Of tables that are all still. */
  constructor(shape: CandidateShape, tables: FeatureTables) {
    this.#shape = shape;
    this.#tables = tables;
  }

  /** Says that the tables have changed. @param moved whether a key that had a row may have another one, or none */
  forget(moved: boolean): void {
    this.#asOf++;
    if (moved) this.#rowsAsOf = this.#asOf;
  }

  /** Forgets values of users' fields that keys are remembered of. */
  forgetUsers(): void {
    this.#pairs.clear();
  }

  /** Gathers candidates, bit for bit as `CandidateList.gather` does: what they have in common, or had in an earlier list, is looked up once. */
  gather(rows: readonly InstanceRow[], list: ListPart, { q, xc, wide }: CandidateArrays): void {
    const { logit, context, transitions, prefixes, user, linear, standardisation } = list;
    const { k, contextWidth: C, numerics: N } = this.#shape;
    const { position: places } = this.#tables.first;
    const d = 2 * k, X = context.length;
    const { mean, inverseDeviation } = standardisation;
    const number = ++this.#lists;
    const weigh = (key: JoinedKey, kind: CrossKind) => this.#weightOf(key, this.#tables.own(kind));
    const look = this.#looker(number, list, weigh);
    for (let c = 0; c < rows.length; c++) {
      const { item, categories, fields, numerics, offset, position } = rows[c]!;
      const known = this.#of(item, categories, fields);
      const { kinds, values, categoryWeights, fieldWeights, fieldVectors } = known;
      const vector = known.q;
      for (let i = 0, to = c * d; i < d; i++) q[to + i] = vector[i]!;
      let z = logit + offset + known.weight;
      for (let i = 0; i < kinds.length; i++) z += categoryWeights[i]!;
      for (let i = 0; i < kinds.length; i++) {
        const kind = kinds[i]!;
        if (kind.list !== number) look(kind, true);
        z += kind.crossed / kinds.length;
      }
      // Times 1: a sum that comes of a call as it is would be an object each time.
      if (transitions?.has(item)) z = transitions.addOwn(z, item, weigh) * 1;
      for (let i = 0; i < values.length; i++) if (values[i]!.list !== number) look(values[i]!, false);
      for (let p = 0; p < prefixes.length; p++) {
        for (let i = 0; i < kinds.length; i++) z += kinds[i]!.pairs[p]!;
        for (let i = 0; i < values.length; i++) z += values[i]!.pairs[p]!;
      }
      if (position >= 0) z += weightOf(places, positionKey(position));
      let at = c * C;
      for (let n = 0; n < N; n++) {
        const standard = (numerics[n]! - mean[n]!) * inverseDeviation[n]!;
        const x = Math.max(-CLIP, Math.min(CLIP, standard));
        xc[at++] = x;
        z += linear[n]! * x;
      }
      for (let i = 0; i < X; i++) xc[at++] = context[i]!;
      for (let i = 0; i < fieldVectors.length; i++) xc[at++] = fieldVectors[i]!;
      for (let f = 0; f < fieldWeights.length; f++) z += fieldWeights[f]!;
      for (let i = 0, from = c * d; i < d; i++) z += user[i]! * q[from + i]!;
      wide[c] = z;
    }
  }

  /** What finds out what is the same for all candidates of a list that have a trait. */
  #looker(
    number: number,
    { transitions, prefixes }: ListPart,
    weigh: WeightOf,
  ): (trait: Trait, isCategory: boolean) => void {
    const pairs = this.#pairs;
    // Pairs of users come again with their user alone: those of the fields are worth remembering.
    const starts = prefixes.map((prefix, p) => p === 0 && this.#shape.ids ? null : pairs.start(prefix));
    return (trait, isCategory) => {
      trait.list = number;
      trait.crossed = isCategory && transitions !== null ? transitions.sum(trait.name, weigh) : 0;
      if (trait.pairs.length < prefixes.length) trait.pairs = new Float64Array(prefixes.length);
      for (let p = 0; p < prefixes.length; p++) {
        const start = starts[p] ?? null;
        const weights = this.#tables.own("pair");
        trait.pairs[p] = start === null
          ? weightOf(weights, prefixes[p]! + trait.suffix)
          : this.#weightOf(pairs.join(start, trait.suffix), weights);
      }
    };
  }

  /** What is known of a candidate, valid until the next change. */
  #of(item: string, categories: readonly string[], fields: readonly (string | null)[]): KnownCandidate {
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
  #weightOf(key: JoinedKey, weights: FieldTable): number {
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
      q: new Float32Array(2 * this.#shape.k),
      fieldVectors: new Float32Array(SMALL_WIDTH * this.#tables.itemFields.length),
      weight: 0,
      categoryWeights: NO_WEIGHTS,
      fieldWeights: new Float64Array(this.#tables.itemFields.length),
      kinds: [],
      values: [],
    };
    this.#known.set(item, known);
    return known;
  }

  #fill(known: KnownCandidate, name: string): void {
    const { item, category, itemFields, first } = this.#tables;
    const { categories, fields, q, fieldVectors, fieldWeights, kinds, values } = known;
    const n = categories.length;
    if (known.categoryWeights.length !== n) known.categoryWeights = new Float64Array(n);
    const { categoryWeights } = known;
    q.fill(0);
    fieldVectors.fill(0);
    item.addRow(item.rowOf(name), 1, q, 0);
    known.weight = weightOf(first.item, name);
    kinds.length = n;
    for (let i = 0; i < n; i++) {
      const key = categories[i]!;
      category.addRow(category.rowOf(key), 1 / n, q, this.#shape.k);
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
    for (const index of this.#shape.crossed) {
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
