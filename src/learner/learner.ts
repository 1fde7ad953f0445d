/**
 * The online learner: trains dense weights and embedding rows on batches of samples in order, and makes parameter
 * versions. `streams/learning/learning.ts` reads samples, publishes versions and takes checkpoints.
 *
 * A batch's loss is the *sum* over its rows, so that the row-wise Adagrad of the tables sees the same gradients
 * however samples are grouped; Adam and Adagrad on the dense weights do not depend on that scale.
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import type { Formats } from "../codec/formats.ts";
import type { EmbeddingTable } from "../embeddings/table.ts";
import { Assembler, createHead } from "../features/rows/assembler.ts";
import { numericNames } from "../features/schema.ts";
import type { Standardisation } from "../features/standardisation.ts";
import type { InputGradients, Model } from "../nn/models/core/model.ts";
import type { Parameters } from "../nn/kernels/parameters.ts";
import { BANK_PART } from "../bank/bank_tables.ts";
import { BANK_SIZES, BankLearner, type NextItem } from "./bank/bank_learner.ts";
import {
  drawNegatives,
  NegativeReservoir,
  type Negatives,
  NO_NEGATIVES,
  scatterNegatives,
} from "./auxiliary_negatives.ts";
import { PreferenceLearner } from "./preferences/preference_learner.ts";
import { carriedPlaces, carriedRows } from "./carried_inputs.ts";
import { DenseWeights } from "./dense_weights.ts";
import { NumericScaler } from "../features/numeric_scaler.ts";
import { keepRows } from "./row_sampling.ts";
import type { Rows } from "../samples/rows.ts";
import { times } from "../values/times.ts";
import type { Sample } from "../samples/sample.ts";
import { LabelCorrections } from "./label_corrections.ts";
import { type LearnerOptions, type LearnerSettings, learnerSettings } from "./learner_options.ts";
import { TrainedTables } from "./trained_tables.ts";
import { rejectFormerLink } from "../serving/former_link.ts";
import type { ParameterVersion } from "../serving/version.ts";

/** Result of learning a batch. */
export interface LearnResult {
  /** Number of rows learnt. */
  readonly rows: number;
  /** Mean loss per row, nats; 0 without rows. */
  readonly loss: number;
  /** Mean log loss of the judged rows, as the weights before the step would serve them, nats. */
  readonly logLoss: number;
  /** Number of next items that the bank learnt. */
  readonly nexts: number;
  /** Their mean loss, nats; 0 without. */
  readonly nextLoss: number;
  /** Mean auxiliary loss per history with one; 0 without. */
  readonly aux: number;
  /**
   * Whether the weights may be used; if not, restore an earlier state. A batch with a non-finite loss or gradient skips
   * the step of the model and its tables; a step that drives a weight out of bounds is only detected afterwards.
   */
  readonly usable: boolean;
}

/**
 * State is written in the oldest format that can hold it: format 2 has neither bank nor preferences, format 3 no
 * preferences.
 */
const FORMAT = 4;
const WITHOUT_PREFERENCES = 3;
const WITHOUT_BANK = 2;
/** Versions of the encoding that {@linkcode Learner} reads and writes. */
export const LEARNER_FORMATS: Formats = { oldest: WITHOUT_BANK, newest: FORMAT };
/** Share of `tableBytes` that a bank takes. */
const BANK_SHARE = 1 / 4;
const NO_BANK = new Uint8Array(0);
/** Largest magnitude of a sound weight. Products of a few of this size are still finite in float32. */
const LARGEST_WEIGHT = 1e6;

/** Sums over the samples of a batch. Losses in nats. */
class Sums {
  rows = 0;
  loss = 0;
  aux = 0;
  /** Samples with an auxiliary loss. */
  auxCount = 0;
  readonly judged = { rows: 0, loss: 0 };
  readonly nexts: NextItem[] = [];
}

/** Gradients of the rows of a sample. */
interface LearntRows {
  readonly gradients: InputGradients;
  readonly negatives: Negatives;
}

/**
 * Trains one model online: samples in, numbered versions of the parameters out. Same samples in the same order, same
 * weights, bit for bit.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { createModel, DEFAULT_SCHEMA, Learner, modelSizes, mulberry32 } from "@meander/meander/core";
 *
 * const schema = DEFAULT_SCHEMA, width = 8;
 * const newModel = () => createModel("base", modelSizes(schema, width), {}, mulberry32(1));
 * const learner = new Learner(newModel(), { schema, embeddingWidth: width });
 * const { rows } = learner.learn([]); // samples of a `TaskState`, or of the topic
 * assert.equal(rows, 0);
 *
 * const other = new Learner(newModel(), { schema, embeddingWidth: width });
 * other.decode(learner.encode()); // continues where `learner` is, bit for bit
 * assert.equal(other.steps, 1);
 * ```
 */
export class Learner {
  /** The model that is trained. */
  readonly model: Model;
  /** Embedding tables by field, in the order of `fieldSpecs`. */
  readonly tables: ReadonlyMap<string, EmbeddingTable>;
  /** The dense weights of the wide part. */
  readonly head: Parameters;
  /** Number of batches learnt. */
  steps = 0;
  /** Event time of the newest sample learnt, milliseconds since the epoch. */
  dataTime = 0;

  readonly #options: LearnerSettings;
  readonly #assembler: Assembler;
  readonly #dense: DenseWeights;
  readonly #tables: TrainedTables;
  readonly #scaler: NumericScaler;
  readonly #reservoir: NegativeReservoir;
  readonly #labels: LabelCorrections;
  /** Learns which item comes next; `null` if not configured. */
  readonly #bank: BankLearner | null;
  readonly #preferences: PreferenceLearner;
  /** Capacity of the buffer for the next encoding. */
  #encodedBytes = 1 << 16;

  /** Creates a learner of `model`, which must have the sizes that `modelSizes()` gives for the schema. */
  constructor(model: Model, options: LearnerOptions) {
    const settings = this.#options = learnerSettings(options);
    const { schema, embeddingWidth, seed, learnsNext } = settings;
    const bankBytes = learnsNext ? BANK_SHARE * settings.tableBytes : 0;
    this.model = model;
    this.#assembler = new Assembler(
      schema,
      embeddingWidth,
      model.capabilities.lifelong ? model.stateSize : 0,
    );
    this.#tables = new TrainedTables({ ...settings, tableBytes: settings.tableBytes - bankBytes });
    this.tables = this.#tables.byField;
    this.head = createHead(schema);
    this.#dense = new DenseWeights(model.parameters, this.head, settings);
    this.#scaler = new NumericScaler(numericNames(schema).length);
    this.#reservoir = new NegativeReservoir(10_000, seed);
    this.#labels = new LabelCorrections(settings.negativeRate);
    const { kernels } = model.parameters;
    this.#bank = learnsNext ? new BankLearner({ ...BANK_SIZES, tableBytes: bankBytes, seed }, kernels) : null;
    this.#preferences = new PreferenceLearner(kernels, { seed, ...settings.preferences });
  }

  /** Learns one batch: one step of every optimiser on the summed gradients. */
  learn(samples: readonly Sample[]): LearnResult {
    this.#dense.clear();
    const standardisation = this.#scaler.freeze();
    const sums = new Sums();
    for (const sample of samples) this.#add(sample, standardisation, sums);
    const { rows, loss, nexts, judged } = sums;
    const next = this.#bank?.learn(nexts, LARGEST_WEIGHT) ?? { loss: 0, isSound: true };
    const usable = this.#step(rows, loss) && next.isSound;
    for (const sample of samples) this.#remember(sample);
    this.steps++;
    return {
      rows,
      loss: loss / Math.max(1, rows),
      logLoss: judged.loss / Math.max(1, judged.rows),
      nexts: nexts.length,
      nextLoss: next.loss / Math.max(1, nexts.length),
      aux: sums.aux / Math.max(1, sums.auxCount),
      usable,
    };
  }

  /** Adds the gradients of a sample, or judges it. */
  #add(sample: Sample, standardisation: Standardisation, sums: Sums): void {
    this.#tables.time = sample.time;
    if (sample.preference !== undefined) this.#preferences.add(sample.preference);
    else if (sample.purpose === "judge") {
      this.#labels.judge(sample.rows, this.#logits(sample, standardisation), sums.judged);
    } else if (sample.next !== undefined) {
      if (this.#bank === null) return;
      sums.nexts.push({ before: sample.history, item: sample.next, time: sample.time });
    } else {
      rejectFormerHistory(sample);
      const kept = keepRows(sample, this.#labels.negativeRate, this.#options.seed);
      if (kept.rows.length > 0) this.#addRows(kept, standardisation, sums);
    }
  }

  #addRows(sample: Sample, standardisation: Standardisation, sums: Sums): void {
    const { gradients, negatives } = this.#learnRows(sample, standardisation);
    sums.rows += sample.rows.length;
    sums.loss += gradients.loss;
    if (sample.purpose !== "learn") this.#labels.judge(sample.rows, gradients.logits, sums.judged);
    if (negatives.vectors.length === 0) return;
    sums.aux += gradients.aux;
    sums.auxCount++;
  }

  /** Adds the gradients of a sample's rows, with those of the auxiliary loss of its history. */
  #learnRows(sample: Sample, standardisation: Standardisation): LearntRows {
    const weights = this.#weights(sample, standardisation);
    const { input, wide } = this.#assembler.gather(sample, this.#tables.gather, this.head, standardisation);
    const negatives = this.#negatives(sample);
    const { offset } = this.#labels;
    if (offset !== 0) wide.forEach((z, c) => wide[c] = z + offset);
    const gradients = this.model.loss({
      ...input,
      wide,
      labels: labelsOf(sample.rows),
      weights,
      negatives: negatives.vectors,
      auxWeight: this.#options.auxWeight,
    }, this.#dense.gradients);
    this.#assembler.scatter(sample, this.#tables.scatter, gradients, this.head, this.#dense.headGradients);
    scatterNegatives(negatives, gradients.negatives, this.#tables.scatter);
    return { gradients, negatives };
  }

  /** Weights of the rows in the loss, which differ from 1 where labels were given before all clicks had arrived. */
  #weights(sample: Sample, standardisation: Standardisation): Float32Array {
    const { rows, lateShare = 0 } = sample;
    if (lateShare === 0) return new Float32Array(rows.length).fill(1);
    return this.#labels.lateWeights(sample, this.#logits(sample, standardisation));
  }

  /** The logits of a sample's rows, without learning. */
  #logits(sample: Sample, standardisation: Standardisation): Float32Array {
    const { input, wide } = this.#assembler.gather(sample, this.#tables.gather, this.head, standardisation);
    return this.model.score(input).map((z, c) => z + wide[c]! + this.#labels.offset);
  }

  #negatives({ history }: Sample): Negatives {
    const wanted = this.#options.auxWeight > 0 && this.model.capabilities.historyObjective;
    return wanted ? drawNegatives(history, this.#reservoir, this.#tables.gather) : NO_NEGATIVES;
  }

  /** Steps every optimiser, unless the loss or a gradient is not finite. @returns whether all weights are sound */
  #step(learnt: number, loss: number): boolean {
    const isUsable = this.#dense.clip(this.#options.clipNorm * Math.max(1, learnt));
    if (!isUsable || !Number.isFinite(loss)) {
      this.#tables.discard();
      return false;
    }
    // Without rows there is no gradient, and momentum must not move the model by itself.
    const isDenseSound = learnt === 0 || this.#dense.step(LARGEST_WEIGHT);
    return this.#tables.step(LARGEST_WEIGHT) && isDenseSound;
  }

  /** Keeps what later batches need of a sample: the scale of its numbers, items for negatives, its time. */
  #remember(sample: Sample): void {
    const { purpose, rows, next, history, time } = sample;
    if (purpose === "judge") return;
    for (let row = 0; row < rows.length; row++) this.#scaler.update(rows.numericsOf(row));
    // The history before a next item has no categories, which a negative needs.
    if (next === undefined) this.#reservoir.update(history);
    this.dataTime = Math.max(this.dataTime, time);
  }

  /**
   * Makes a version of the current weights. A delta holds the rows changed since the last call of this or of
   * {@linkcode Learner.clearChanged}.
   */
  version(kind: "delta" | "full", version: number, predecessor = version - 1): ParameterVersion {
    const { learnt: order } = this.#preferences;
    return {
      kind,
      version,
      predecessor,
      step: this.steps,
      dataTime: this.dataTime,
      dense: this.model.parameters.values.slice(),
      head: this.head.values.slice(),
      standardisation: this.#scaler.freeze(),
      ...this.#rows(kind),
      ...(order === null ? {} : { order }),
    };
  }

  #rows(kind: "delta" | "full"): Pick<ParameterVersion, "tables" | "parts"> {
    const tables = this.#tables.takeRows(kind);
    if (this.#bank === null) return { tables };
    return {
      tables: new Map([...tables, ...this.#bank.takeRows(kind)]),
      parts: new Map([[BANK_PART, this.#bank.bank.parameters.values.slice()]]),
    };
  }

  /** Marks all rows as published, so the next delta leaves them out. */
  clearChanged(): void {
    this.#tables.clearChanged();
    this.#bank?.clearChanged();
  }

  /** Erases a user. If the user comes back, they start from fresh rows. */
  forget(user: string): void {
    this.#tables.forget(user);
  }

  /** Bytes of all tables, including those of a bank. */
  get tableBytes(): number {
    const own = [...this.tables.values(), ...this.#bank?.tables.values() ?? []];
    return own.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Takes over what a learner of the same model with other inputs has learnt: embeddings by field, dense weights and
   * optimiser states by name of the input. What has no counterpart keeps its initial values.
   *
   * @returns the names of the tables that start from scratch
   * @throws RangeError when `from` learns another model
   */
  carry(from: Learner): readonly string[] {
    if (from.model.name !== this.model.name) {
      throw new RangeError(`Cannot take over weights of ${from.model.name} as ${this.model.name}`);
    }
    const named = (learner: Learner) => ({
      ...learner.#options,
      parameters: learner.model.parameters,
    });
    const numerics = carriedRows(numericNames(from.#options.schema), numericNames(this.#options.schema));
    const head = Int32Array.from([0, ...numerics.map((place) => place < 0 ? -1 : place + 1)]);
    this.#dense.carry(from.#dense, carriedPlaces(named(from), named(this)), head);
    this.#scaler.carry(from.#scaler, numerics);
    const copy = new ByteWriter(1 << 16);
    from.#reservoir.encode(copy);
    from.#preferences.encode(copy);
    const bytes = new ByteReader(copy.toBytes());
    this.#reservoir.decode(bytes);
    this.#preferences.decode(bytes);
    if (from.#bank !== null) this.#bank?.decode(new ByteReader(from.#bank.encoded()));
    this.dataTime = from.dataTime;
    return this.#tables.carry(from.#tables);
  }

  /** Encodes the whole state: same state, same bytes. */
  encode(): Uint8Array {
    const hasPreferences = !this.#preferences.isEmpty;
    const hasBank = this.#bank !== null;
    const format = hasPreferences ? FORMAT : hasBank ? WITHOUT_PREFERENCES : WITHOUT_BANK;
    const to = new ByteWriter(this.#encodedBytes).u8(format).uint(this.steps).f64(this.dataTime);
    this.#dense.encode(to);
    this.#scaler.encode(to);
    to.f64(1).f64(0); // once a link function
    this.#reservoir.encode(to);
    this.#tables.encode(to);
    if (format > WITHOUT_BANK) to.bytes(this.#bank?.encoded() ?? NO_BANK);
    if (hasPreferences) this.#preferences.encode(to);
    // It grows little between two calls, so with some spare room writing rarely reallocates.
    this.#encodedBytes = Math.ceil(to.length * 1.05);
    return to.take();
  }

  /**
   * Restores an encoded learner, bit for bit.
   *
   * @throws SyntaxError when the bytes do not encode a learner of these sizes
   */
  decode(bytes: Uint8Array): void {
    const from = new ByteReader(bytes);
    const format = from.u8();
    if (format < WITHOUT_BANK || format > FORMAT) {
      throw new SyntaxError(
        `Cannot decode a learner: format is ${format}, this release reads ${WITHOUT_BANK} to ${FORMAT}`,
      );
    }
    this.steps = from.uint();
    this.dataTime = from.f64();
    this.#dense.decode(from);
    this.#scaler.decode(from);
    rejectFormerLink("a learner", false, from.f64(), from.f64());
    this.#reservoir.decode(from);
    this.#tables.decode(from);
    // The configuration decides whether there is a bank: one that is no longer configured is dropped.
    const bank = format > WITHOUT_BANK ? from.bytes() : NO_BANK;
    if (bank.length > 0) this.#bank?.decode(new ByteReader(bank));
    else this.#bank?.reset();
    if (format > WITHOUT_PREFERENCES) this.#preferences.decode(from);
    else this.#preferences.reset();
  }
}

/** Rejects histories without a list, which 0.2.0 wrote. @throws TypeError if it is such a sample */
function rejectFormerHistory({ request, rows }: Sample): void {
  if (rows.length > 0 || request !== "") return;
  throw new TypeError(
    "Cannot learn a history without a list: learnHistories, which made it, was removed; rebuild the deployment",
  );
}

function labelsOf(rows: Rows): Float32Array {
  return new Float32Array(times(rows.length, (row) => rows.label(row)));
}
