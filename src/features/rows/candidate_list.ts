/**
 * The candidates of an impression: gathers their vectors and the wide part of their logits, and gives gradients back,
 * each key looked up in its turn. Of tables that are still, `known_candidates.ts` gathers the same with fewer look-ups.
 *
 * Symbols are those of `assembler.ts`; K candidates.
 *
 * @module
 */

import type { InputGradients } from "../../nn/models/core/model.ts";
import type { FeatureTables } from "../feature_tables.ts";
import {
  addField,
  giveAt,
  giveField,
  giveWeight,
  type TrainableTable,
  valueAt,
  weightOf,
} from "../field_table.ts";
import { MAX_POSITION, SMALL_WIDTH } from "../fields.ts";
import type { InstanceRow } from "../instance.ts";
import { PairRows } from "./pair_rows.ts";
import { RowLog } from "./row_log.ts";
import { type Standardisation, standardise } from "../standardisation.ts";
import type { Transitions } from "../transitions.ts";
import { cleared } from "./workspace.ts";

/** Sizes of what is gathered of a candidate, and what it is crossed with. */
export interface CandidateShape {
  /** Width k of an id's embedding. */
  readonly k: number;
  /** Width C of x_c. */
  readonly contextWidth: number;
  /** Number of numeric features. */
  readonly numerics: number;
  /** Indices of the item fields that are crossed with the user. */
  readonly crossed: readonly number[];
  /** Whether users have rows and pairs of their own. */
  readonly ids: boolean;
}

/** What candidates are crossed with. */
export interface Crosses {
  /** E_user [d]; zeros when users have no rows. */
  readonly user: Float32Array;
  /** Cross features of the newest behaviours; `null` = none. */
  readonly transitions: Transitions | null;
  /** What its pairs begin with. */
  readonly prefixes: readonly string[];
}

/** What of an impression is the same for all its candidates. */
export interface ListPart extends Crosses {
  /** Of the logit. */
  readonly logit: number;
  /** Vectors of the context fields, one behind the other. */
  readonly context: Float32Array;
  /** Weights of the numeric features. */
  readonly linear: Float32Array;
  readonly standardisation: Standardisation;
}

/** Gradients that scattering candidates reads, and those of what they have in common, which it adds to. */
export interface ListGradients {
  /** What the model gave. ∂/∂q gets what the wide part has of it, too. */
  readonly input: InputGradients;
  /** Of E_user, as far as candidates are multiplied with it [d]. */
  readonly user: Float32Array;
  readonly context: Float32Array;
  readonly linear: Float32Array;
}

/** Where candidates are gathered: one behind the other. */
export interface CandidateArrays {
  /** Item vectors [K, d]. */
  readonly q: Float32Array;
  /** x_c [K, C]. */
  readonly xc: Float32Array;
  /** The wide part of their logits [K]. */
  readonly wide: Float32Array;
}

/** Gathers and scatters candidates, in arrays that the next list overwrites. */
export class CandidateList implements CandidateArrays {
  #q = new Float32Array(0);
  #xc = new Float32Array(0);
  #wide = new Float32Array(0);
  readonly #shape: CandidateShape;
  readonly #read: RowLog;
  /** Rows of cross features by category, in the order of the categories' first candidates. */
  readonly #crossRead = new RowLog();
  readonly #pairs: PairRows;
  /** Logit of the cross features by category, of the list in hand. */
  readonly #crossedLogits = new Map<string, number>();
  // In arrays: a number that a closure adds to would be an object each time.
  readonly #sum = new Float64Array(1);
  readonly #crossedSum = new Float64Array(1);

  /** An empty list. @param read notes the rows that are read, and gives them back for scattering */
  constructor(shape: CandidateShape, read: RowLog) {
    this.#shape = shape;
    this.#read = read;
    this.#pairs = new PairRows(shape.crossed, read);
  }

  /** Longer than [K, d] if there were longer lists, as the next two. */
  get q(): Float32Array {
    return this.#q;
  }

  /** See {@linkcode CandidateArrays}. */
  get xc(): Float32Array {
    return this.#xc;
  }

  /** See {@linkcode CandidateArrays}. */
  get wide(): Float32Array {
    return this.#wide;
  }

  /** Makes room for K candidates, all zeros. */
  clear(K: number): void {
    const { k, contextWidth } = this.#shape;
    this.#q = cleared(this.#q, K * 2 * k);
    this.#xc = cleared(this.#xc, K * contextWidth);
    this.#wide = cleared(this.#wide, K);
  }

  /** Gathers candidates into arrays that were cleared for them. */
  gather(rows: readonly InstanceRow[], list: ListPart, tables: FeatureTables): void {
    const read = this.#read;
    const { k, contextWidth, numerics } = this.#shape;
    const { logit, context, transitions, prefixes, user, linear, standardisation } = list;
    const { item, category, first } = tables;
    const d = 2 * k;
    const q = this.#q, xc = this.#xc;
    const pairs = prefixes.length > 0 ? tables.own("pair") : undefined;
    const z = this.#sum;
    this.#crossedLogits.clear();
    this.#crossRead.clear();
    this.#pairs.start(prefixes);
    for (let c = 0; c < rows.length; c++) {
      const row = rows[c]!;
      const at = c * contextWidth;
      const { categories } = row;
      item.addRow(read.read(item, row.item), 1, q, c * d);
      read.addMean(category, categories, 1, q, c * d + k);
      z[0] = logit + row.offset + valueAt(first.item, read.read(first.item, row.item));
      for (const name of categories) {
        z[0] += valueAt(first.category, read.read(first.category, name)) / categories.length;
      }
      for (const name of categories) z[0] += this.#crossed(name, transitions, tables) / categories.length;
      for (const { key, value } of transitions?.own(row.item) ?? []) {
        z[0] += value * weightOf(tables.own("age"), key);
      }
      if (pairs !== undefined) {
        z[0] = this.#pairs.addTo(z[0]!, row, pairs);
      }
      if (row.position >= 0) z[0] += weightOf(first.position, positionKey(row.position));
      for (let n = 0; n < numerics; n++) {
        const x = standardise(row.numerics[n]!, n, standardisation);
        xc[at + n] = x;
        z[0] += linear[n]! * x;
      }
      xc.set(context, at + numerics);
      const fieldsAt = at + numerics + context.length;
      for (let f = 0; f < tables.itemFields.length; f++) {
        z[0] += addField(tables.itemFields[f]!, row.fields[f], xc, fieldsAt + SMALL_WIDTH * f);
      }
      for (let j = 0; j < d; j++) z[0] += user[j]! * q[c * d + j]!;
      this.#wide[c] = z[0];
    }
  }

  /**
   * Gives the gradients of the candidates that were gathered last to the tables.
   *
   * @returns ∂/∂logit of all together.
   */
  scatter(
    rows: readonly InstanceRow[],
    { user, transitions, prefixes }: Crosses,
    tables: FeatureTables<TrainableTable>,
    { input: gradients, ...into }: ListGradients,
  ): number {
    const read = this.#read;
    const { k, contextWidth, numerics } = this.#shape;
    const { item, category, first } = tables;
    const d = 2 * k;
    const q = this.#q, xc = this.#xc;
    const total = new Float32Array(1);
    const byCategory = new Map<string, number>();
    for (let c = 0; c < rows.length; c++) {
      const row = rows[c]!;
      const at = c * contextWidth;
      const g = gradients.z[c]!;
      total[0] = total[0]! + g;
      // wide holds ⟨E_user, q⟩: each side's gradient is the other side.
      for (let j = 0; j < d; j++) {
        into.user[j] = into.user[j]! + g * q[c * d + j]!;
        gradients.q[c * d + j] = gradients.q[c * d + j]! + g * user[j]!;
      }
      const { categories } = row;
      item.accumulate(read.next(item, row.item), 1, gradients.q, c * d);
      read.giveMean(category, categories, 1, gradients.q, c * d + k);
      giveAt(first.item, read.next(first.item, row.item), g);
      for (const name of categories) {
        giveAt(first.category, read.next(first.category, name), g / categories.length);
      }
      for (const name of categories) {
        byCategory.set(name, (byCategory.get(name) ?? 0) + g / categories.length);
      }
      for (const { key, value } of transitions?.own(row.item) ?? []) {
        giveWeight(tables.own("age"), key, g * value);
      }
      if (prefixes.length > 0) {
        this.#pairs.give(g, row, tables.own("pair"));
      }
      if (row.position >= 0) giveWeight(first.position, positionKey(row.position), g);
      for (let n = 0; n < numerics; n++) into.linear[n] = into.linear[n]! + g * xc[at + n]!;
      const contextAt = at + numerics;
      const width = into.context.length;
      for (let j = 0; j < width; j++) {
        into.context[j] = into.context[j]! + gradients.xc[contextAt + j]!;
      }
      const fieldsAt = contextAt + width;
      for (let f = 0; f < tables.itemFields.length; f++) {
        giveField(tables.itemFields[f]!, row.fields[f], gradients.xc, fieldsAt + SMALL_WIDTH * f, g);
      }
    }
    this.#crossRead.rewind();
    for (const [name, g] of byCategory) {
      transitions?.forEach([name], (key, value, kind) => {
        const weights = tables.own(kind);
        giveAt(weights, this.#crossRead.next(weights, key.text), g * value);
      });
    }
    return total[0]!;
  }

  /** The cross features' part of the logit is the same for all candidates of a category: computed once. */
  #crossed(category: string, transitions: Transitions | null, tables: FeatureTables): number {
    if (transitions === null) return 0;
    const known = this.#crossedLogits.get(category);
    if (known !== undefined) return known;
    const z = this.#crossedSum;
    z[0] = 0;
    transitions.forEach([category], (key, value, kind) => {
      const weights = tables.own(kind);
      z[0]! += value * valueAt(weights, this.#crossRead.readJoined(weights, key));
    });
    this.#crossedLogits.set(category, z[0]);
    return z[0];
  }
}

/** The key of a position's first-order weight. */
export function positionKey(position: number): string {
  return String(Math.min(position, MAX_POSITION));
}
