/**
 * The candidates of a list: gathers their vectors and the wide part of their logits, and scatters gradients.
 *
 * Symbols are those of `assembler.ts`; K candidates.
 */

import type { InputGradients } from "../../nn/models/core/model.ts";
import type { FeatureTables } from "../feature_tables.ts";
import { giveAt, giveWeight, type TrainableTable, weightOf } from "../field_table.ts";
import { MAX_POSITION } from "../fields.ts";
import type { Rows } from "../../samples/rows.ts";
import type { CandidateShape, LookUps } from "./look_ups.ts";
import { RowLog } from "./row_log.ts";
import { CLIP, type Standardisation } from "../standardisation.ts";
import type { CrossKind, JoinedKey, Transitions } from "../transitions.ts";

export interface Crosses {
  /** E_user [d]; zeros when users have no rows. */
  readonly user: Float32Array;
  /** Cross features of the newest behaviours; `null` = none. */
  readonly transitions: Transitions | null;
  /** Prefixes of the keys of pairs. */
  readonly prefixes: readonly string[];
}

/** The parts of an impression that all its candidates share. */
export interface ListPart extends Crosses {
  readonly logit: number;
  /** Vectors of the context fields, concatenated. */
  readonly context: Float32Array;
  /** Weights of the numeric features. */
  readonly linear: Float32Array;
  readonly standardisation: Standardisation;
}

/** The gradients that scattering candidates reads, and those of their shared parts, which it adds to. */
export interface ListGradients {
  /** The model's gradients. That of the wide part is added to ∂/∂q. */
  readonly input: InputGradients;
  /** Gradient of E_user from the products with candidates [d]. */
  readonly user: Float32Array;
  readonly context: Float32Array;
  readonly linear: Float32Array;
}

/** Gathers and scatters candidates, in arrays that the next list overwrites. */
export class CandidateList {
  /** Item vectors [K, d]; like the next two, longer if there were longer lists. */
  q: Float32Array = new Float32Array(0);
  /** x_c [K, C]. */
  xc: Float32Array = new Float32Array(0);
  /** The wide part of the logits [K]. */
  wide: Float32Array = new Float32Array(0);
  readonly #shape: CandidateShape;
  readonly #read: RowLog;
  /** Rows of cross features by category, in the order of the categories' first candidates. */
  readonly #crossRead = new RowLog();
  #lookUps: LookUps | undefined;

  /** An empty list. @param read records the rows that are read, for scattering */
  constructor(shape: CandidateShape, read: RowLog) {
    this.#shape = shape;
    this.#read = read;
  }

  /**
   * Gathers vectors, x_c and the wide part of the logit of each candidate:
   *
   * ```text
   *   z = logit + offset + w_item + Σ_c (w_c + crosses_c / |c|) + ages + Σ_prefix Σ_trait w_pair
   *       + w_position + ⟨linear, x⟩ + Σ_f w_f + ⟨E_user, q⟩       c categories, f fields
   * ```
   */
  gather(rows: Rows, list: ListPart, lookUps: LookUps): void {
    const { logit, context, transitions, prefixes, user, linear, standardisation } = list;
    const { isStill } = lookUps;
    const { k, contextWidth: C, numerics: N } = this.#shape;
    const { position: positions } = lookUps.tables.first;
    const { mean, inverseDeviation } = standardisation;
    const K = rows.length, d = 2 * k, X = context.length;
    this.#makeRoom(K);
    const numerics = rows.width === N ? rows.numerics : otherNumerics(rows, N);
    const { q, xc, wide } = this;
    this.#lookUps = lookUps;
    this.#crossRead.clear();
    lookUps.start(prefixes);
    const cross = (key: JoinedKey, kind: CrossKind) => lookUps.weightOf(key, kind, this.#crossRead);
    const own = (key: JoinedKey, kind: CrossKind) => lookUps.weightOf(key, kind);
    for (let c = 0; c < K; c++) {
      const item = rows.items[c]!, position = rows.position(c);
      const { q: vector, weight, categoryWeights, fieldVectors, fieldWeights, traits } = lookUps.of(c, item);
      // The first traits are the categories; the others only have pairs.
      const categories = categoryWeights.length;
      for (let i = 0, to = c * d; i < d; i++) q[to + i] = vector[i]!;
      let z = logit + rows.offset(c) + weight;
      for (let i = 0; i < categories; i++) z += categoryWeights[i]!;
      for (let i = 0; i < traits.length; i++) {
        const trait = traits[i]!;
        const isNew = lookUps.startOnce(trait);
        if (i >= categories) continue;
        if (isNew && transitions !== null) trait.crossed = transitions.sum(trait.name, cross);
        z += trait.crossed / categories;
      }
      // Times 1: without it, the sum that the call returns would be boxed each time.
      if (transitions?.has(item.id)) z = transitions.addOwn(z, item.id, own) * 1;
      for (let p = 0; p < prefixes.length; p++) {
        for (let i = 0; i < traits.length; i++) {
          const weight = traits[i]!.pairs[p]!; // NaN = not looked up
          z += isStill && weight === weight ? weight : lookUps.pair(traits[i]!, p);
        }
      }
      if (position >= 0) z += weightOf(positions, positionKey(position));
      let at = c * C;
      for (let n = 0; n < N; n++) {
        const standard = (numerics[c * N + n]! - mean[n]!) * inverseDeviation[n]!;
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

  /**
   * Adds the gradients of the candidates that were gathered last to the tables, and to those of their shared parts.
   *
   * @returns Σ ∂/∂logit over the candidates.
   */
  scatter(
    rows: Rows,
    { user, transitions, prefixes }: Crosses,
    tables: FeatureTables<TrainableTable>,
    gradients: ListGradients,
  ): number {
    const total = this.#giveShared(rows.length, user, gradients);
    const { q, xc, z } = gradients.input;
    const { item, category, first } = tables;
    const { k, contextWidth, numerics } = this.#shape;
    const read = this.#read;
    const lookUps = this.#lookUps!;
    const byCategory = new Map<string, number>();
    for (let c = 0; c < rows.length; c++) {
      const { id, categories, fields } = rows.items[c]!;
      const position = rows.position(c);
      const g = z[c]!;
      item.accumulate(read.next(item, id), 1, q, 2 * k * c);
      read.giveMean(category, categories, 1, q, 2 * k * c + k);
      giveAt(first.item, read.next(first.item, id), g);
      for (const name of categories) {
        giveAt(first.category, read.next(first.category, name), g / categories.length);
        byCategory.set(name, (byCategory.get(name) ?? 0) + g / categories.length);
      }
      for (const { key, value } of transitions?.own(id) ?? []) giveWeight(tables.own("age"), key, g * value);
      for (const prefix of prefixes) {
        const weights = tables.own("pair");
        for (const { suffix } of lookUps.at(c).traits) {
          giveAt(weights, read.nextJoined(weights, prefix, suffix), g);
        }
      }
      if (position >= 0) giveWeight(first.position, positionKey(position), g);
      const fieldsAt = c * contextWidth + numerics + gradients.context.length;
      for (let f = 0; f < tables.itemFields.length; f++) {
        const { field, tables: own, at } = tables.itemFields[f]!;
        const text = fields[f] ?? null;
        if (text !== null) field.give(text, own, xc, fieldsAt + at, g);
      }
    }
    this.#crossRead.rewind();
    for (const [name, g] of byCategory) {
      transitions?.forEach([name], (key, value, kind) => {
        const weights = tables.own(kind);
        giveAt(weights, this.#crossRead.next(weights, key.text), g * value);
      });
    }
    return total;
  }

  /** Adds the gradients of the parts that candidates share, and that of the wide part to ∂/∂q. @returns Σ ∂/∂logit */
  #giveShared(K: number, user: Float32Array, { input, ...into }: ListGradients): number {
    const { k, contextWidth, numerics } = this.#shape;
    const { q, xc } = this;
    const d = 2 * k, X = into.context.length;
    const total = new Float32Array(1);
    for (let c = 0; c < K; c++) {
      const g = input.z[c]!;
      total[0] = total[0]! + g;
      // wide holds ⟨E_user, q⟩: each side's gradient is the other side.
      for (let j = 0, at = c * d; j < d; j++, at++) {
        into.user[j] = into.user[j]! + g * q[at]!;
        input.q[at] = input.q[at]! + g * user[j]!;
      }
      const at = c * contextWidth;
      for (let n = 0; n < numerics; n++) into.linear[n] = into.linear[n]! + g * xc[at + n]!;
      for (let j = 0; j < X; j++) into.context[j] = into.context[j]! + input.xc[at + numerics + j]!;
    }
    return total[0]!;
  }

  #makeRoom(K: number): void {
    const { k, contextWidth } = this.#shape;
    if (this.wide.length >= K) return;
    this.q = new Float32Array(2 * K * 2 * k);
    this.xc = new Float32Array(2 * K * contextWidth);
    this.wide = new Float32Array(2 * K);
  }
}

/** Numeric features of rows made under another schema: those that exist, padded with NaN. */
function otherNumerics(rows: Rows, count: number): Float32Array {
  const numerics = new Float32Array(rows.length * count).fill(NaN);
  for (let row = 0; row < rows.length; row++) {
    numerics.set(rows.numericsOf(row).subarray(0, count), row * count);
  }
  return numerics;
}

/** The key of a position's first-order weight. */
function positionKey(position: number): string {
  return String(Math.min(position, MAX_POSITION));
}
