/**
 * From ids to vectors: gathers the embedding rows of one list into a {@linkcode ModelInput} and the wide
 * part of the logit, and scatters gradients back. The scorer and the learner share it, so that both compute
 * the same function of the same features. Behaviours are in `behaviour_list.ts`, candidates in `candidate_list.ts` and
 * `look_ups.ts`; the user and the fields are here.
 *
 * With k the width of an id's embedding and d = 2k:
 *
 * - behaviour `e_t = strength_t · [E_item ; mean E_category]`, candidate `q = [E_item ; mean E_category]`;
 * - `x_u = [E_user ; user fields]`, `x_c = [standardised numerics ; context fields ; item fields]`;
 * - `wide = bias + prior + linear · numerics + Σ first-order weights + ⟨E_user, q⟩`.
 */

import type { ListFeatures, SampleHistory, SampleState } from "../../samples/sample.ts";
import type { InputGradients, ModelInput, ModelSizes } from "../../nn/models/core/model.ts";
import { Parameters } from "../../nn/kernels/parameters.ts";
import { BehaviourList } from "./behaviour_list.ts";
import { CandidateList, type Crosses } from "./candidate_list.ts";
import { type FeatureTables, findTables } from "../feature_tables.ts";
import {
  addField,
  type FieldTable,
  giveField,
  giveWeight,
  SMALL_WIDTH,
  type TrainableTable,
  weightOf,
} from "../field_table.ts";
import { itemField, widthOf } from "../item_field.ts";
import { type CandidateShape, LookUps } from "./look_ups.ts";
import { pairPrefixes } from "../pairs.ts";
import { RowLog } from "./row_log.ts";
import { FEATURE_OPTIONS, type FeatureSchema, numericNames } from "../schema.ts";
import type { Standardisation } from "../standardisation.ts";
import { Transitions } from "../transitions.ts";

/** A gathered list: views on workspaces that the next `gather` overwrites. */
export interface Assembled {
  readonly input: ModelInput;
  /** Added to the model's logits [K]. */
  readonly wide: Float32Array;
}

/** The dense weights of the wide part. */
export function createHead(schema: FeatureSchema): Parameters {
  return new Parameters({ bias: [1], linear: [numericNames(schema).length] });
}

/** The tables of a map by field, with their look-ups. */
interface NamedTables<Table extends FieldTable> {
  readonly tables: FeatureTables<Table>;
  readonly lookUps: LookUps;
}

/** Gathers and scatters for one schema. Not re-entrant: one call at a time, views are valid until the next. */
export class Assembler {
  readonly schema: FeatureSchema;
  /** Width k of an id's embedding. */
  readonly k: number;
  /** Width d = 2k of an item vector. */
  readonly d: number;
  /** Width U of x_u. */
  readonly userWidth: number;
  /** Width C of x_c. */
  readonly contextWidth: number;
  readonly #stateSize: number;
  readonly #shape: CandidateShape;
  readonly #read = new RowLog();
  readonly #behaviours: BehaviourList;
  readonly #candidates: CandidateList;
  readonly #xu: Float32Array;
  readonly #dUser: Float32Array;
  /** E_user, the first part of x_u. */
  readonly #user: Float32Array;
  /** By the map that was passed to `gather` or `scatter`. */
  readonly #named = new WeakMap<ReadonlyMap<string, FieldTable>, NamedTables<FieldTable>>();
  /** The crosses of the candidates that were gathered last. */
  #crosses: Crosses;

  /**
   * An assembler for item vectors of width 2k.
   *
   * @param stateSize Length of a lifelong model's state; states of another length are another model's, and ignored.
   */
  constructor(schema: FeatureSchema, k: number, stateSize = 0) {
    const { userFields, contextFields, itemFields, crosses } = schema;
    const numerics = numericNames(schema).length;
    this.schema = schema;
    this.k = k;
    this.d = 2 * k;
    this.userWidth = this.d + SMALL_WIDTH * userFields.length;
    this.contextWidth = numerics + SMALL_WIDTH * contextFields.length + widthOf(itemFields.map(itemField));
    this.#stateSize = stateSize;
    this.#shape = {
      k,
      contextWidth: this.contextWidth,
      numerics,
      crossed: itemFields.flatMap((name, f) => crosses.includes(name) ? [f] : []),
      ids: schema.userIds ?? FEATURE_OPTIONS.userIds.value,
    };
    this.#behaviours = new BehaviourList(k, this.#read);
    this.#candidates = new CandidateList(this.#shape, this.#read);
    this.#xu = new Float32Array(this.userWidth);
    this.#dUser = new Float32Array(this.userWidth);
    this.#user = this.#xu.subarray(0, this.d);
    this.#crosses = noCrosses(this.#user);
  }

  /**
   * Gathers one list. Calls `rowOf` of the tables once per key and place, in a fixed order; of still tables, once per
   * key until {@linkcode Assembler.forget} if the key is likely to recur.
   *
   * @throws RangeError when the arrays of the history differ in length
   */
  gather(
    list: ListFeatures,
    tables: ReadonlyMap<string, FieldTable>,
    head: Parameters,
    standardisation: Standardisation,
  ): Assembled {
    const { d } = this;
    const candidates = this.#candidates;
    checkHistory(list.history);
    const state = this.#stateOf(list);
    const from = state?.from ?? 0;
    const T = list.history.items.length - from;
    const K = list.rows.length;
    const { tables: named, lookUps } = this.#find(tables);
    const e = this.#behaviours.gather(list.history, from, named);

    this.#xu.fill(0);
    let logit = head.block("bias")[0]!;
    if (this.#shape.ids) {
      const { user } = named;
      user.addRow(user.rowOf(list.user), 1, this.#xu, 0);
      logit += weightOf(named.first.user, list.user);
    }
    for (let f = 0; f < named.userFields.length; f++) {
      logit += addField(named.userFields[f]!, list.userFields[f], this.#xu, d + SMALL_WIDTH * f);
    }
    const context = new Float32Array(SMALL_WIDTH * named.contextFields.length);
    for (let f = 0; f < named.contextFields.length; f++) {
      logit += addField(named.contextFields[f]!, list.contextFields[f], context, SMALL_WIDTH * f);
    }

    const crosses = this.#crosses = {
      user: this.#user,
      transitions: this.#transitions(list, lookUps),
      prefixes: this.#pairPrefixes(list),
    };
    const linear = head.block("linear");
    candidates.gather(list.rows, { ...crosses, logit, context, linear, standardisation }, lookUps);
    return {
      input: {
        T,
        K,
        e,
        q: candidates.q.subarray(0, K * d),
        xu: this.#xu,
        xc: candidates.xc.subarray(0, K * this.contextWidth),
        state: state?.values,
      },
      wide: candidates.wide.subarray(0, K),
    };
  }

  /** Drops what was cached of still tables, which have changed. */
  forget(tables: ReadonlyMap<string, FieldTable>): void {
    this.#named.get(tables)?.lookUps.forget();
  }

  /** Drops cached values of users' fields, and the list that was gathered last. */
  forgetUsers(tables: ReadonlyMap<string, FieldTable>): void {
    this.#named.get(tables)?.lookUps.forgetUsers();
    this.#crosses = noCrosses(this.#user);
    this.#behaviours.forget();
  }

  /**
   * Adds the gradients of the list that was gathered last to the tables and to the head's gradient array.
   *
   * @throws Error when another list has been gathered since.
   */
  scatter(
    list: ListFeatures,
    tables: ReadonlyMap<string, TrainableTable>,
    gradients: InputGradients,
    head: Parameters,
    headGradients: Float32Array,
  ): void {
    const { d } = this;
    const { tables: named } = this.#find(tables);
    this.#behaviours.scatter(list.history, this.#stateOf(list)?.from ?? 0, named, gradients.e);

    const dUser = this.#dUser;
    dUser.set(gradients.xu);
    const dContext = new Float32Array(SMALL_WIDTH * named.contextFields.length);
    const dLogit = this.#candidates.scatter(list.rows, this.#crosses, named, {
      input: gradients,
      user: dUser,
      context: dContext,
      linear: head.block("linear", headGradients),
    });
    const bias = head.block("bias", headGradients);
    bias[0] = bias[0]! + dLogit;
    if (this.#shape.ids) {
      const { user } = named;
      user.accumulate(user.rowOf(list.user), 1, dUser, 0);
      giveWeight(named.first.user, list.user, dLogit);
    }
    for (let f = 0; f < named.userFields.length; f++) {
      giveField(named.userFields[f]!, list.userFields[f], dUser, d + SMALL_WIDTH * f, dLogit);
    }
    for (let f = 0; f < named.contextFields.length; f++) {
      giveField(named.contextFields[f]!, list.contextFields[f], dContext, SMALL_WIDTH * f, dLogit);
    }
  }

  #find<Table extends FieldTable>(tables: ReadonlyMap<string, Table>): NamedTables<Table> {
    const before = this.#named.get(tables);
    if (before !== undefined) return before as NamedTables<Table>; // made of these tables
    const named = findTables(this.schema, tables);
    const isStill = [...tables.values()].every((table) => table.isStill === true);
    const found = { tables: named, lookUps: new LookUps(this.#shape, named, isStill, this.#read) };
    this.#named.set(tables, found);
    return found;
  }

  #stateOf({ state }: ListFeatures): SampleState | undefined {
    return state !== undefined && state.values.length === this.#stateSize ? state : undefined;
  }

  #pairPrefixes({ user, userFields }: ListFeatures): readonly string[] {
    return this.schema.pairs === true ? pairPrefixes(this.#shape.ids ? user : null, userFields) : [];
  }

  #transitions(list: ListFeatures, { joined }: LookUps): Transitions | null {
    const { transitions } = this.schema;
    if (transitions === null || list.history.items.length === 0) return null;
    return new Transitions(list.history, list.time, transitions ?? {}, joined);
  }
}

function noCrosses(user: Float32Array): Crosses {
  return { user, transitions: null, prefixes: [] };
}

/** @throws RangeError when the arrays of the history differ in length */
function checkHistory({ items, categories, actions, times, strengths }: SampleHistory): void {
  const T = items.length;
  if (categories.length === T && actions.length === T && times.length === T && strengths.length === T) return;
  throw new RangeError(
    `Cannot read a history of ${T} behaviours: it has ${categories.length} lists of categories, ` +
      `${actions.length} actions, ${times.length} times and ${strengths.length} strengths`,
  );
}

/**
 * The sizes of a model's inputs under a schema.
 *
 * @param schema which attributes are features
 * @param k width of an id's embedding, the `embeddingWidth` of the learner's options
 * @returns `d` = 2k, the width of an item or behaviour vector; `user` and `context`, the widths of the other inputs
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, DEFAULT_SCHEMA, modelSizes, mulberry32 } from "@meander/meander/core";
 *
 * const model = createModel("din", modelSizes(DEFAULT_SCHEMA, 16), {}, mulberry32(1));
 * assert.equal(model.sizes.d, 32);
 * ```
 */
export function modelSizes(schema: FeatureSchema, k: number): ModelSizes {
  const { d, userWidth, contextWidth } = new Assembler(schema, k);
  return { d, user: userWidth, context: contextWidth };
}
