/** The live model of a task: applies parameter versions and scores with the newest. */

import { BANK_PART, BANK_TABLES, BANK_WIDTH } from "../bank/bank_tables.ts";
import { EmaBank } from "../bank/ema_bank.ts";
import { ServedBank } from "../bank/served_bank.ts";
import { ServingTable } from "../embeddings/serving_table.ts";
import { Assembler, createHead } from "../features/rows/assembler.ts";
import { behaviourVector } from "../features/rows/behaviour_list.ts";
import type { ListFeatures } from "../samples/sample.ts";
import type { Standardisation } from "../features/standardisation.ts";
import type { FieldTable } from "../features/field_table.ts";
import { fieldSpecs, MAX_POSITION } from "../features/fields.ts";
import { type FeatureSchema, numericNames } from "../features/schema.ts";
import type { ParameterVersion } from "./version.ts";
import { PairOrder } from "../nn/models/pair_head/learnt_order.ts";
import type { PairNames, ScoreList } from "../nn/models/pair_head/pair_list.ts";
import type { Panel } from "../nn/models/core/panel.ts";
import type { Model } from "../nn/models/core/model.ts";
import type { Parameters } from "../nn/kernels/parameters.ts";
import type { Look, Serving } from "../features/serving.ts";

/** Tables whose keys are cached elsewhere, with their rows, or recur only with their user. */
const CROSSES: ReadonlySet<string> = new Set(["first:pair", "first:transition", "first:age"]);
/** Tables of the bank, which are not in the schema. */
const OF_BANK: ReadonlySet<string> = new Set(Object.values(BANK_TABLES));
/** Number of keys that are looked up per portion of a version. */
const PORTION_KEYS = 1024;

/**
 * A model that scores with the newest version of its parameters.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, DEFAULT_SCHEMA, Learner, modelSizes, mulberry32, ServingModel } from "@meander/meander/core";
 *
 * const schema = DEFAULT_SCHEMA, width = 8;
 * const newModel = () => createModel("base", modelSizes(schema, width), {}, mulberry32(1));
 * const learner = new Learner(newModel(), { schema, embeddingWidth: width });
 * const serving = new ServingModel(newModel(), schema, width);
 * assert.equal(serving.apply(learner.version("full", 1, 0)), true);
 * assert.equal(serving.apply(learner.version("delta", 3, 2)), false); // version 2 is missing
 * assert.equal(serving.version, 1);
 * ```
 */
export class ServingModel implements Serving {
  readonly model: string;
  readonly #model: Model;
  readonly #assembler: Assembler;
  readonly #tables: ReadonlyMap<string, ServingTable>;
  readonly #fields: ReadonlyMap<string, FieldTable>;
  readonly #head: Parameters;
  readonly #behaviour: Float32Array;
  /** Weight of each position; NaN = not looked up since the last version. */
  readonly #positionWeights = new Float32Array(MAX_POSITION + 1).fill(NaN);
  #standardisation: Standardisation;
  readonly #order: PairOrder;
  #version = 0;
  #share = 1;
  #bank: ServedBank | undefined;
  /** Number of versions that moved rows to other keys. */
  #moves = 0;

  /**
   * Makes a model at version 0, with no version applied.
   *
   * @param k Width of an id's embedding.
   * @param name Its name in a deployment.
   */
  constructor(model: Model, schema: FeatureSchema, k: number, name: string = model.name) {
    this.#model = model;
    this.model = name;
    this.#order = new PairOrder(model.parameters.kernels);
    this.#assembler = new Assembler(schema, k, model.capabilities.lifelong ? model.stateSize : 0);
    this.#tables = new Map(
      fieldSpecs(schema, k).map(({ name, width }) => [name, new ServingTable(name, width)]),
    );
    const moves = () => this.#moves;
    this.#fields = new Map(
      [...this.#tables].map(([name, table]) => [name, {
        width: table.width,
        rowOf: CROSSES.has(name) ? (key) => table.lookupOnce(key) : (key) => table.lookup(key),
        isStill: true,
        again: () => {},
        get removals() {
          return moves();
        },
        addRow: (row, scale, out, offset) => table.addRow(row, scale, out, offset),
      }]),
    );
    this.#head = createHead(schema);
    this.#behaviour = new Float32Array(2 * k);
    const n = numericNames(schema).length;
    this.#standardisation = { mean: new Float32Array(n), inverseDeviation: new Float32Array(n) };
  }

  get version(): number {
    return this.#version;
  }

  get share(): number {
    return this.#share;
  }

  /** @internal See {@linkcode Serving.bank}. */
  get bank(): ServedBank | undefined {
    return this.#bank;
  }

  get stateSize(): number {
    return this.#model.stateSize;
  }

  get lifelong(): boolean {
    return this.#model.capabilities.lifelong;
  }

  get stretches(): readonly number[] {
    return this.#model.stretches ?? [0, this.#model.stateSize];
  }

  /**
   * Applies a version: a delta to its predecessor, or a full snapshot to any older version.
   *
   * @returns Whether the model is now at this version or a newer one; `false` = a gap: go back to the last full one.
   * @throws SyntaxError when it is of another model or schema; then nothing changes.
   */
  apply(version: ParameterVersion): boolean {
    const portions = this.applying(version);
    for (;;) {
      const { done, value } = portions.next();
      if (done) return value;
    }
  }

  /**
   * Applies a version in portions, between which the model may score: the last portion makes the whole version visible.
   */
  *applying(version: ParameterVersion): Generator<undefined, boolean, undefined> {
    const before = this.#version;
    if (version.version <= before) return true;
    if (version.kind === "delta" && version.predecessor !== before) return false;
    this.#check(version);
    const own = version.parts?.get(BANK_PART);
    const bank = own === undefined
      ? undefined
      : this.#bank ?? new ServedBank(this.#model.parameters.kernels.name);
    const takeOrder = this.#order.prepare(version.order ?? null);
    const deltas = [...version.tables].map(([name, bytes]) =>
      this.#tables.get(name)?.stage(bytes) ?? bank!.stage(name, bytes)
    );
    yield;
    for (const delta of deltas) while (!delta.find(PORTION_KEYS)) yield;
    yield;
    for (const delta of deltas) delta.commit();
    if (own !== undefined) bank?.set(own);
    // A version that was made without a bank, or went back to one without, removes it.
    this.#bank = bank;
    this.#model.parameters.values.set(version.dense);
    this.#head.values.set(version.head);
    this.#standardisation = version.standardisation;
    takeOrder();
    this.#version = version.version;
    this.#share = version.share ?? 1;
    this.#positionWeights.fill(NaN);
    if (deltas.some(({ moves }) => moves)) this.#moves++;
    this.#assembler.forget(this.#fields);
    return true;
  }

  initState(): Float32Array {
    return this.#model.initState();
  }

  step(state: Float32Array, item: string, categories: readonly string[], strength: number): void {
    behaviourVector(this.#fields, item, categories, strength, this.#behaviour);
    this.#model.step(state, this.#behaviour);
  }

  forgetUsers(): void {
    this.#assembler.forgetUsers(this.#fields);
  }

  score(list: ListFeatures): Float32Array {
    const { input, wide } = this.#assembler.gather(list, this.#fields, this.#head, this.#standardisation);
    const logits = this.#model.score(input);
    for (let c = 0; c < logits.length; c++) logits[c] = logits[c]! + wide[c]!;
    return logits;
  }

  order(names: PairNames): ScoreList | null {
    return this.#order.of(names);
  }

  place(logit: number, position: number): number {
    return logit + this.positionWeight(position);
  }

  unplace(logit: number, position: number): number {
    return logit - this.positionWeight(position);
  }

  inspect(state: Float32Array): readonly Panel[] {
    return state.length === this.stateSize ? this.#model.inspect?.(state) ?? [] : [];
  }

  look(list: ListFeatures): Look | null {
    const { looks } = this.#model.capabilities;
    if (looks === null || this.#model.look === undefined) return null;
    const { input } = this.#assembler.gather(list, this.#fields, this.#head, this.#standardisation);
    const weights = this.#model.look(input);
    return { at: looks, size: weights.length / input.K, weights };
  }

  /** First-order weight of a position (0 is the top), in the logit. */
  positionWeight(position: number): number {
    const weights = this.#positionWeights;
    const at = Math.min(position, MAX_POSITION);
    if (Number.isNaN(weights[at])) {
      const table = this.#tables.get("first:position")!;
      table.copyRow(table.lookup(String(at)), weights, at);
    }
    return weights[at] ?? 0;
  }

  #check({ version, tables, dense, head, standardisation, parts }: ParameterVersion): void {
    const hasBank = parts?.has(BANK_PART) === true;
    const unknown = [...tables.keys()].find((name) =>
      !this.#tables.has(name) && !(hasBank && OF_BANK.has(name))
    );
    if (unknown !== undefined) {
      throw new SyntaxError(`Cannot apply version ${version}: table ${unknown} is not in the schema`);
    }
    const sizes: [string, number, number][] = [
      ["dense weights", dense.length, this.#model.parameters.values.length],
      ["head weights", head.length, this.#head.values.length],
      ["numeric features", standardisation.mean.length, this.#standardisation.mean.length],
      [
        "weights of the bank",
        parts?.get(BANK_PART)?.length ?? EmaBank.weights(BANK_WIDTH),
        EmaBank.weights(BANK_WIDTH),
      ],
    ];
    for (const [what, got, want] of sizes) {
      if (got !== want) {
        throw new SyntaxError(
          `Cannot apply version ${version} to this ${this.#model.name}: it has ${got} ${what}, not ${want}`,
        );
      }
    }
  }
}
