/**
 * From ids to vectors: gathers the embedding rows of one impression into a {@linkcode ModelInput} and the wide
 * part of the logit, and scatters gradients back. The scorer and the learner share it, so that both compute
 * the same function of the same features.
 *
 * With k the width of an id's embedding and d = 2k:
 *
 * - behaviour `e_t = strength_t · [E_item ; mean E_category]`, candidate `q = [E_item ; mean E_category]`;
 * - `x_u = [E_user ; user fields]`, `x_c = [standardised numerics ; context fields ; item fields]`;
 * - `wide = bias + prior + linear · numerics + Σ first-order weights + ⟨E_user, q⟩`.
 *
 * @module
 */

import { UNKNOWN_ROW } from "../embeddings/rows.ts";
import type { SampleHistory, SampleState } from "../learner/sample.ts";
import type { InputGradients, ModelInput } from "../models/model.ts";
import { Parameters } from "../models/parameters.ts";
import { MAX_POSITION, SMALL_WIDTH } from "./fields.ts";
import { type FieldTable, type TrainableTable, valueAt, weightOf } from "./field_table.ts";
import { KnownCandidates, type Trait } from "./known_candidates.ts";
import { forEachPair, pairPrefixes } from "./pairs.ts";
import { type FeatureSchema, numericNames } from "./schema.ts";
import { type CrossKind, type JoinedKey, JoinedKeys, Transitions } from "./transitions.ts";

/** What is read of one impression; a `Sample` is one. */
export interface Instance {
  /** Whose impression it is. */
  readonly user: string;
  /** Values of the schema's user fields; `null` = missing. */
  readonly userFields: readonly (string | null)[];
  /** Values of the schema's context fields; `null` = missing. */
  readonly contextFields: readonly (string | null)[];
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** The behaviours that the model reads. */
  readonly history: SampleHistory;
  /** What a lifelong model goes on from; the others read the whole history. */
  readonly state?: SampleState;
  /** The candidates. */
  readonly rows: readonly InstanceRow[];
}

/** One candidate of an {@linkcode Instance}. */
export interface InstanceRow {
  /** Id of the item. */
  readonly item: string;
  /** Categories of the item, most important first. */
  readonly categories: readonly string[];
  /** Values of the schema's item fields; `null` = missing. */
  readonly fields: readonly (string | null)[];
  /** Numeric features in the schema's order, not standardised. */
  readonly numerics: Float32Array;
  /** Logit of the causal prior. */
  readonly offset: number;
  /** 0 is the top; −1 = not placed yet, no position weight. */
  readonly position: number;
}

/** Running standardisation of the numeric features, frozen. */
export interface Standardisation {
  /** Mean of each numeric feature. */
  readonly mean: Float32Array;
  /** 1/σ; 0 while nothing is known, which standardises to 0. */
  readonly inverseDeviation: Float32Array;
}

/** Standardised numerics are clipped to ± this. */
const CLIP = 5;

/** A gathered impression: views on workspaces that the next `gather` overwrites. */
export interface Assembled {
  /** What the model reads. */
  readonly input: ModelInput;
  /** Added to the model's logits [K]. */
  readonly wide: Float32Array;
}

/** The dense weights of the wide part. */
export function createHead(schema: FeatureSchema): Parameters {
  return new Parameters({ bias: [1], linear: [numericNames(schema).length] });
}

/** The tables of a field. */
interface FieldPair<T> {
  readonly vectors: T;
  readonly first: T;
}

/** Tables that were found by their names. */
interface Named<T> {
  readonly item: T;
  readonly category: T;
  readonly user: T;
  readonly userFields: readonly FieldPair<T>[];
  readonly contextFields: readonly FieldPair<T>[];
  readonly itemFields: readonly FieldPair<T>[];
  readonly first: { readonly item: T; readonly category: T; readonly user: T; readonly position: T };
  /** First-order weights that not every schema has. */
  own(kind: CrossKind | "pair"): T;
  /** What is remembered of candidates, where the tables are still. */
  readonly known: KnownCandidates | null;
}

/** What of an impression is the same for all its candidates. */
interface Shared {
  /** Of the logit. */
  readonly logit: number;
  /** Vectors of the context fields, one behind the other. */
  readonly context: Float32Array;
  readonly transitions: Transitions | null;
  /** What its pairs begin with. */
  readonly prefixes: readonly string[];
  readonly linear: Float32Array;
  readonly standardisation: Standardisation;
}

const OWN = { transition: "first:transition", age: "first:age", pair: "first:pair" } as const;

/** Rows in the order in which they were read, so that giving gradients back looks no key up again. */
class RowLog {
  #rows = new Uint32Array(256);
  #size = 0;
  #at = 0;

  clear(): void {
    this.#size = 0;
  }

  /** Notes a row, and gives it back. */
  note(row: number): number {
    if (this.#size === this.#rows.length) {
      const rows = new Uint32Array(2 * this.#size);
      rows.set(this.#rows);
      this.#rows = rows;
    }
    this.#rows[this.#size++] = row;
    return row;
  }

  rewind(): void {
    this.#at = 0;
  }

  /** The next row, which is that of `key`: looked up only if it had none, for it may have got one since. */
  next(of: FieldTable, key: string): number {
    const row = this.#rows[this.#at++]!;
    return row === UNKNOWN_ROW ? of.rowOf(key) : row;
  }
}

/** Gathers and scatters for one schema. Not re-entrant: one call at a time, views are valid until the next. */
export class Assembler {
  /** Which attributes are features. */
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
  /** Whether users have rows of their own. */
  readonly #ids: boolean;
  readonly #numerics: number;
  readonly #userNames: readonly string[];
  readonly #contextNames: readonly string[];
  readonly #itemNames: readonly string[];
  /** Indices of the item fields that are crossed with the user. */
  readonly #crossedFields: readonly number[];

  #e = new Float32Array(0);
  #q = new Float32Array(0);
  readonly #xu: Float32Array;
  readonly #dUser: Float32Array;
  #xc = new Float32Array(0);
  #wide = new Float32Array(0);
  readonly #userVector: Float32Array;
  /** By category, of the impression in hand. */
  readonly #crossedLogits = new Map<string, number>();
  /** By what was given to `gather` or `scatter`. */
  readonly #named = new WeakMap<ReadonlyMap<string, FieldTable>, Named<FieldTable>>();
  /** Rows that the last gathering read, for scattering. */
  readonly #read = new RowLog();
  /** The history of the last gathering. */
  #gathered: SampleHistory | undefined;
  readonly #joined = new JoinedKeys();
  /** Lists whose candidates were remembered. */
  #lists = 0;

  /**
   * An assembler for item vectors of width 2k.
   *
   * @param stateSize Length of a lifelong model's state; states of another length are not its own, and ignored.
   */
  constructor(schema: FeatureSchema, k: number, stateSize = 0) {
    this.schema = schema;
    this.k = k;
    this.d = 2 * k;
    this.#stateSize = stateSize;
    this.#ids = schema.userIds ?? true;
    this.#numerics = numericNames(schema).length;
    this.#userNames = schema.userFields.map((name) => `user:${name}`);
    this.#contextNames = schema.contextFields.map((name) => `context:${name}`);
    this.#itemNames = schema.itemFields.map((name) => `item:${name}`);
    this.#crossedFields = schema.itemFields.flatMap((name, f) => schema.crosses.includes(name) ? [f] : []);
    this.userWidth = this.d + SMALL_WIDTH * this.#userNames.length;
    this.contextWidth = this.#numerics +
      SMALL_WIDTH * (this.#contextNames.length + this.#itemNames.length);
    this.#xu = new Float32Array(this.userWidth);
    this.#dUser = new Float32Array(this.userWidth);
    this.#userVector = this.#xu.subarray(0, this.d);
  }

  /**
   * Gathers one impression. `rowOf` of the tables is called once a key and place, in a fixed order; of still tables, once
   * a key until {@linkcode Assembler.forget}, if the key is likely to come again.
   */
  gather(
    instance: Instance,
    tables: ReadonlyMap<string, FieldTable>,
    head: Parameters,
    standardisation: Standardisation,
  ): Assembled {
    const { d } = this;
    const C = this.contextWidth;
    const state = this.#stateOf(instance);
    const from = state?.from ?? 0;
    const T = instance.history.items.length - from;
    const K = instance.rows.length;
    this.#q = this.#room(this.#q, K * d);
    this.#xc = this.#room(this.#xc, K * C);
    this.#wide = this.#room(this.#wide, K);
    const named = this.#tables(tables);
    const { first } = named;

    this.#addBehaviours(instance.history, from, named);

    this.#xu.fill(0);
    let shared = head.block("bias")[0]!;
    if (this.#ids) {
      const { user } = named;
      user.addRow(user.rowOf(instance.user), 1, this.#xu, 0);
      shared += weightOf(first.user, instance.user);
    }
    for (let f = 0; f < named.userFields.length; f++) {
      shared += addField(named.userFields[f]!, instance.userFields[f], this.#xu, d + SMALL_WIDTH * f);
    }
    const context = new Float32Array(SMALL_WIDTH * this.#contextNames.length);
    for (let f = 0; f < named.contextFields.length; f++) {
      shared += addField(named.contextFields[f]!, instance.contextFields[f], context, SMALL_WIDTH * f);
    }

    const of = {
      logit: shared,
      context,
      transitions: this.#transitions(instance, named.known?.joined),
      prefixes: this.#pairPrefixes(instance),
      linear: head.block("linear"),
      standardisation,
    };
    if (named.known === null) this.#addCandidates(instance.rows, of, named);
    else this.#addKnown(instance.rows, of, named, named.known);
    return {
      input: {
        T,
        K,
        e: this.#e.subarray(0, T * d),
        q: this.#q.subarray(0, K * d),
        xu: this.#xu,
        xc: this.#xc.subarray(0, K * C),
        ...(state === undefined ? {} : { state: state.values }),
      },
      wide: this.#wide.subarray(0, K),
    };
  }

  /** Says that still tables have changed. @param moved whether a key that had a row may have another one, or none */
  forget(tables: ReadonlyMap<string, FieldTable>, moved: boolean): void {
    this.#named.get(tables)?.known?.forget(moved);
  }

  /** Forgets values of users' fields that are remembered of still tables, and what was gathered last. */
  forgetUsers(tables: ReadonlyMap<string, FieldTable>): void {
    this.#named.get(tables)?.known?.pairs.clear();
    this.#gathered = undefined;
  }

  /**
   * Gives the gradients of the last gathered impression to the tables and to the head's gradient array.
   *
   * @throws Error when another one was gathered since.
   */
  scatter(
    instance: Instance,
    tables: ReadonlyMap<string, TrainableTable>,
    gradients: InputGradients,
    head: Parameters,
    headGradients: Float32Array,
  ): void {
    const { k, d } = this;
    const C = this.contextWidth;
    const named = this.#tables(tables);
    const { item, category, first } = named;
    const read = this.#read;
    const bias = head.block("bias", headGradients);
    const linear = head.block("linear", headGradients);

    this.scatterHistory(instance.history, tables, gradients.e, this.#stateOf(instance)?.from);

    const dUser = this.#dUser;
    dUser.set(gradients.xu);
    const dContext = new Float32Array(SMALL_WIDTH * this.#contextNames.length);
    const dz = new Float32Array(1);
    const crossed = new Map<string, number>();
    const transitions = this.#transitions(instance);
    const prefixes = this.#pairPrefixes(instance);
    for (let c = 0; c < instance.rows.length; c++) {
      const row = instance.rows[c]!;
      const at = c * C;
      const g = gradients.z[c]!;
      dz[0] = dz[0]! + g;
      // wide holds ⟨E_user, q⟩: each side's gradient is the other side.
      for (let j = 0; j < d; j++) {
        dUser[j] = dUser[j]! + g * this.#q[c * d + j]!;
        gradients.q[c * d + j] = gradients.q[c * d + j]! + g * this.#userVector[j]!;
      }
      const { categories } = row;
      item.accumulate(read.next(item, row.item), 1, gradients.q, c * d);
      this.#giveMean(category, categories, 1, gradients.q, c * d + k);
      giveAt(first.item, read.next(first.item, row.item), g);
      for (const name of categories) {
        giveAt(first.category, read.next(first.category, name), g / categories.length);
      }
      for (const name of categories) crossed.set(name, (crossed.get(name) ?? 0) + g / categories.length);
      for (const { key, value } of transitions?.own(row.item) ?? []) {
        giveWeight(named.own("age"), key, g * value);
      }
      if (prefixes.length > 0) {
        const pairs = named.own("pair");
        forEachPair(prefixes, row, this.#crossedFields, (key) => giveWeight(pairs, key, g));
      }
      if (row.position >= 0) giveWeight(first.position, positionKey(row.position), g);
      for (let n = 0; n < this.#numerics; n++) linear[n] = linear[n]! + g * this.#xc[at + n]!;
      const contextAt = at + this.#numerics;
      for (let j = 0; j < dContext.length; j++) dContext[j] = dContext[j]! + gradients.xc[contextAt + j]!;
      const fieldsAt = contextAt + dContext.length;
      for (let f = 0; f < named.itemFields.length; f++) {
        giveField(named.itemFields[f]!, row.fields[f], gradients.xc, fieldsAt + SMALL_WIDTH * f, g);
      }
    }
    for (const [name, g] of crossed) {
      transitions?.forEach([name], (key, value, kind) => giveWeight(named.own(kind), key, g * value));
    }
    const total = dz[0]!;
    bias[0] = bias[0]! + total;
    if (this.#ids) {
      const { user } = named;
      user.accumulate(user.rowOf(instance.user), 1, dUser, 0);
      giveWeight(first.user, instance.user, total);
    }
    for (let f = 0; f < named.userFields.length; f++) {
      giveField(named.userFields[f]!, instance.userFields[f], dUser, d + SMALL_WIDTH * f, total);
    }
    for (let f = 0; f < named.contextFields.length; f++) {
      giveField(named.contextFields[f]!, instance.contextFields[f], dContext, SMALL_WIDTH * f, total);
    }
  }

  /** Gathers behaviours alone: e [T, d]. */
  gatherHistory(history: SampleHistory, tables: ReadonlyMap<string, FieldTable>): Float32Array {
    this.#addBehaviours(history, 0, this.#tables(tables));
    return this.#e.subarray(0, history.items.length * this.d);
  }

  /**
   * Gives ∂/∂e of the behaviours from the `from`th on to the tables, those that were gathered last.
   *
   * @throws Error when others were gathered since.
   */
  scatterHistory(
    history: SampleHistory,
    tables: ReadonlyMap<string, TrainableTable>,
    gradient: Float32Array,
    from = 0,
  ): void {
    if (history !== this.#gathered) {
      throw new Error("Cannot scatter gradients: what they are of was not the last to be gathered");
    }
    const { k, d } = this;
    const { items, categories, strengths } = history;
    const { item, category } = this.#tables(tables);
    this.#read.rewind();
    for (let t = 0; from + t < items.length; t++) {
      const strength = strengths[from + t]!;
      item.accumulate(this.#read.next(item, items[from + t]!), strength, gradient, t * d);
      this.#giveMean(category, categories[from + t]!, strength, gradient, t * d + k);
    }
  }

  /** Gathers candidates, each key looked up in its turn. */
  #addCandidates(
    rows: readonly InstanceRow[],
    { logit, context, transitions, prefixes, linear, standardisation }: Shared,
    named: Named<FieldTable>,
  ): void {
    const { k, d } = this;
    const { item, category, first } = named;
    const read = this.#read;
    const pairs = prefixes.length > 0 ? named.own("pair") : undefined;
    this.#crossedLogits.clear();
    for (let c = 0; c < rows.length; c++) {
      const row = rows[c]!;
      const at = c * this.contextWidth;
      const { categories } = row;
      item.addRow(read.note(item.rowOf(row.item)), 1, this.#q, c * d);
      this.#addMean(category, categories, 1, this.#q, c * d + k);
      let z = logit + row.offset + valueAt(first.item, read.note(first.item.rowOf(row.item)));
      for (const name of categories) {
        z += valueAt(first.category, read.note(first.category.rowOf(name))) / categories.length;
      }
      for (const name of categories) z += this.#crossed(name, transitions, named) / categories.length;
      for (const { key, value } of transitions?.own(row.item) ?? []) {
        z += value * weightOf(named.own("age"), key);
      }
      if (pairs !== undefined) {
        forEachPair(prefixes, row, this.#crossedFields, (key) => z += weightOf(pairs, key));
      }
      if (row.position >= 0) z += weightOf(first.position, positionKey(row.position));
      for (let n = 0; n < this.#numerics; n++) {
        const x = standardise(row.numerics[n]!, n, standardisation);
        this.#xc[at + n] = x;
        z += linear[n]! * x;
      }
      this.#xc.set(context, at + this.#numerics);
      const fieldsAt = at + this.#numerics + context.length;
      for (let f = 0; f < named.itemFields.length; f++) {
        z += addField(named.itemFields[f]!, row.fields[f], this.#xc, fieldsAt + SMALL_WIDTH * f);
      }
      for (let j = 0; j < d; j++) z += this.#userVector[j]! * this.#q[c * d + j]!;
      this.#wide[c] = z;
    }
  }

  /** The same, bit for bit, of still tables: what candidates have in common, or had in an earlier list, is looked up once. */
  #addKnown(
    rows: readonly InstanceRow[],
    { logit, context, transitions, prefixes, linear, standardisation }: Shared,
    named: Named<FieldTable>,
    candidates: KnownCandidates,
  ): void {
    const d = this.d, C = this.contextWidth, N = this.#numerics, X = context.length;
    const q = this.#q, xc = this.#xc, wide = this.#wide, user = this.#userVector;
    const { mean, inverseDeviation } = standardisation;
    const list = ++this.#lists;
    const weigh = (key: JoinedKey, kind: CrossKind) => candidates.weightOf(key, named.own(kind));
    // Pairs of users come again with their user alone: those of the fields are worth remembering.
    const starts = prefixes.map((prefix, p) => p === 0 && this.#ids ? null : candidates.pairs.start(prefix));
    const look = (trait: Trait, isCategory: boolean) => {
      trait.list = list;
      trait.crossed = isCategory && transitions !== null ? transitions.sum(trait.name, weigh) : 0;
      for (let p = 0; p < prefixes.length; p++) {
        const start = starts[p] ?? null;
        trait.pairs[p] = start === null
          ? weightOf(named.own("pair"), prefixes[p]! + trait.suffix)
          : candidates.weightOf(candidates.pairs.join(start, trait.suffix), named.own("pair"));
      }
    };
    for (let c = 0; c < rows.length; c++) {
      const { item, categories, fields, numerics, offset, position } = rows[c]!;
      const known = candidates.of(item, categories, fields);
      const { kinds, values, categoryWeights, fieldWeights, fieldVectors } = known;
      const vector = known.q;
      for (let i = 0, to = c * d; i < d; i++) q[to + i] = vector[i]!;
      let z = logit + offset + known.weight;
      for (let i = 0; i < kinds.length; i++) z += categoryWeights[i]!;
      for (let i = 0; i < kinds.length; i++) {
        const kind = kinds[i]!;
        if (kind.list !== list) look(kind, true);
        z += kind.crossed / kinds.length;
      }
      if (transitions?.has(item)) z = transitions.addOwn(z, item, weigh);
      for (let i = 0; i < values.length; i++) if (values[i]!.list !== list) look(values[i]!, false);
      for (let p = 0; p < prefixes.length; p++) {
        for (let i = 0; i < kinds.length; i++) z += kinds[i]!.pairs[p]!;
        for (let i = 0; i < values.length; i++) z += values[i]!.pairs[p]!;
      }
      if (position >= 0) z += weightOf(named.first.position, positionKey(position));
      let at = c * C;
      for (let n = 0; n < N; n++) {
        const standard = (numerics[n]! - mean[n]!) * inverseDeviation[n]!;
        const x = standard > CLIP ? CLIP : standard < -CLIP ? -CLIP : standard;
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

  #addBehaviours(history: SampleHistory, from: number, { item, category }: Named<FieldTable>): void {
    const { k, d } = this;
    const { items, categories, strengths } = history;
    const T = items.length - from;
    this.#e = this.#room(this.#e, T * d);
    this.#gathered = history;
    this.#read.clear();
    for (let t = 0; t < T; t++) {
      const strength = strengths[from + t]!;
      item.addRow(this.#read.note(item.rowOf(items[from + t]!)), strength, this.#e, t * d);
      this.#addMean(category, categories[from + t]!, strength, this.#e, t * d + k);
    }
  }

  #addMean(of: FieldTable, keys: readonly string[], scale: number, out: Float32Array, offset: number): void {
    for (const key of keys) of.addRow(this.#read.note(of.rowOf(key)), scale / keys.length, out, offset);
  }

  #giveMean(
    to: TrainableTable,
    keys: readonly string[],
    scale: number,
    gradient: Float32Array,
    offset: number,
  ): void {
    for (const key of keys) to.accumulate(this.#read.next(to, key), scale / keys.length, gradient, offset);
  }

  #tables<T extends FieldTable>(tables: ReadonlyMap<string, T>): Named<T> {
    const found = this.#named.get(tables);
    if (found !== undefined) return found as Named<T>;
    const pairs = (names: readonly string[]) =>
      names.map((name) => ({ vectors: table(tables, name), first: table(tables, `first:${name}`) }));
    const own = Object.fromEntries(Object.entries(OWN).map(([kind, name]) => [kind, tables.get(name)]));
    const named = {
      item: table(tables, "item"),
      category: table(tables, "category"),
      user: table(tables, "user"),
      userFields: pairs(this.#userNames),
      contextFields: pairs(this.#contextNames),
      itemFields: pairs(this.#itemNames),
      first: {
        item: table(tables, "first:item"),
        category: table(tables, "first:category"),
        user: table(tables, "first:user"),
        position: table(tables, "first:position"),
      },
      own: (kind: CrossKind | "pair") => own[kind] ?? table(tables, OWN[kind]),
    };
    const isStill = [...tables.values()].every((table) => table.isStill === true);
    const all = { ...named, known: isStill ? new KnownCandidates(this.k, this.#crossedFields, named) : null };
    this.#named.set(tables, all);
    return all;
  }

  #stateOf({ state }: Instance): SampleState | undefined {
    return state !== undefined && state.values.length === this.#stateSize ? state : undefined;
  }

  /** The cross features' part of the logit is the same for all candidates of a category: computed once. */
  #crossed(
    category: string,
    transitions: Transitions | null,
    named: Named<FieldTable>,
  ): number {
    if (transitions === null) return 0;
    const known = this.#crossedLogits.get(category);
    if (known !== undefined) return known;
    let z = 0;
    transitions.forEach([category], (key, value, kind) => z += value * weightOf(named.own(kind), key));
    this.#crossedLogits.set(category, z);
    return z;
  }

  #pairPrefixes({ user, userFields }: Instance): readonly string[] {
    return this.schema.pairs === true ? pairPrefixes(this.#ids ? user : null, userFields) : [];
  }

  #transitions(instance: Instance, joined = this.#joined): Transitions | null {
    const { transitions } = this.schema;
    if (transitions === null || instance.history.items.length === 0) return null;
    return new Transitions(instance.history, instance.time, transitions ?? {}, joined);
  }

  #room(array: Float32Array<ArrayBuffer>, length: number): Float32Array<ArrayBuffer> {
    if (array.length < length) return new Float32Array(2 * length);
    array.fill(0, 0, length);
    return array;
  }
}

/** One behaviour's vector e [2k], written into `out`. */
export function behaviourVector(
  tables: ReadonlyMap<string, FieldTable>,
  item: string,
  categories: readonly string[],
  strength: number,
  out: Float32Array,
): void {
  out.fill(0);
  const items = table(tables, "item");
  items.addRow(items.rowOf(item), strength, out, 0);
  const of = table(tables, "category");
  for (const name of categories) of.addRow(of.rowOf(name), strength / categories.length, out, items.width);
}

function standardise(value: number, index: number, by: Standardisation): number {
  const x = (value - by.mean[index]!) * by.inverseDeviation[index]!;
  return x > CLIP ? CLIP : x < -CLIP ? -CLIP : x;
}

function table<T extends FieldTable>(tables: ReadonlyMap<string, T>, name: string): T {
  const found = tables.get(name);
  if (found === undefined) {
    throw new RangeError(`Cannot find table ${name}: tables are ${[...tables.keys()].join(", ")}`);
  }
  return found;
}

const scalar = new Float32Array(1);

function giveAt(weights: TrainableTable, row: number, gradient: number): void {
  scalar[0] = gradient;
  weights.accumulate(row, 1, scalar, 0);
}

function giveWeight(weights: TrainableTable, key: string, gradient: number): void {
  giveAt(weights, weights.rowOf(key), gradient);
}

function positionKey(position: number): string {
  return String(Math.min(position, MAX_POSITION));
}

function addField(
  { vectors, first }: FieldPair<FieldTable>,
  value: string | null | undefined,
  out: Float32Array,
  offset: number,
): number {
  if (value === null || value === undefined) return 0;
  vectors.addRow(vectors.rowOf(value), 1, out, offset);
  return weightOf(first, value);
}

function giveField(
  { vectors, first }: FieldPair<TrainableTable>,
  value: string | null | undefined,
  gradient: Float32Array,
  offset: number,
  dz: number,
): void {
  if (value === null || value === undefined) return;
  vectors.accumulate(vectors.rowOf(value), 1, gradient, offset);
  giveWeight(first, value, dz);
}
