/**
 * The online learner: takes batches of samples in order, trains the dense weights and the embedding rows, and
 * hands out parameter versions. Pure: reading, publishing and checkpointing are `streams/learning.ts`.
 *
 * A batch's loss is the *sum* over its rows, so that the row-wise Adagrad of the tables sees the same gradients
 * however samples are grouped; Adam and Adagrad on the dense weights do not depend on that scale.
 *
 * @module
 */

import { ByteReader } from "../codec/byte_reader.ts";
import { ByteWriter } from "../codec/byte_writer.ts";
import { EmbeddingTable } from "../embeddings/table.ts";
import { Assembler, createHead } from "../features/assembler.ts";
import { behaviourVector } from "../features/behaviour_list.ts";
import type { Standardisation } from "../features/standardisation.ts";
import type { FieldTable, TrainableTable } from "../features/field_table.ts";
import { fieldSpecs } from "../features/fields.ts";
import { userPrefix } from "../features/pairs.ts";
import { type FeatureSchema, numericNames } from "../features/schema.ts";
import type { HistoryGradients, Model } from "../models/model.ts";
import type { Parameters } from "../models/parameters.ts";
import { Adagrad } from "../optimisers/adagrad.ts";
import { Adam } from "../optimisers/adam.ts";
import { clipByGlobalNorm, type Optimiser } from "../optimisers/optimiser.ts";
import { lateClickWeight } from "../losses/delayed.ts";
import { withoutFakeNegatives } from "../losses/link.ts";
import { samplingOffset } from "../losses/log_odds.ts";
import { logisticLoss } from "../losses/logistic.ts";
import { Calibration } from "./calibration.ts";
import { NegativeReservoir } from "./negative_reservoir.ts";
import { NumericScaler } from "./numeric_scaler.ts";
import { keepRows } from "./row_sampling.ts";
import type { Sample, SampleRow } from "./sample.ts";
import { type PriorDeviations, tableRule } from "./table_rules.ts";
import type { ParameterVersion } from "./version.ts";

/** Options of a {@linkcode Learner}. */
export interface LearnerOptions {
  /** Which attributes are features. */
  readonly schema: FeatureSchema;
  /** Width k of an id's embedding. @default {16} */
  readonly embeddingWidth?: number;
  /** Optimiser of the model's dense weights. @default {"adagrad"} */
  readonly optimiser?: "adam" | "adagrad";
  /** Its learning rate. @default {0.03 for adagrad, 0.001 for adam} */
  readonly learningRate?: number;
  /** Adagrad's learning rate of bias and numeric weights. @default {0.1} */
  readonly headLearningRate?: number;
  /** Row-wise Adagrad's learning rate of vectors. @default {0.1} */
  readonly embeddingLearningRate?: number;
  /** Row-wise Adagrad's learning rate of first-order weights. @default {0.05} */
  readonly firstOrderLearningRate?: number;
  /** Row-wise Adagrad's learning rate of the weights of pairs; their accumulators start at 1. @default {0.05} */
  readonly pairLearningRate?: number;
  /** Row-wise Adagrad's learning rate of the weights of cross features. @default {0.2} */
  readonly crossLearningRate?: number;
  /**
   * How far first-order weights are expected to lie from 0, by kind, in logits. Those of a kind that is named are
   * learnt as posterior means under a normal prior of this deviation, and its learning rate has no say. @default {none}
   */
  readonly deviations?: PriorDeviations;
  /** Standard deviation of a new row. @default {0.03} */
  readonly embeddingScale?: number;
  /** Largest norm of the dense gradient a row of the batch. @default {5} */
  readonly clipNorm?: number;
  /** Factor of the auxiliary loss, in models that have one (DIEN). @default {0} */
  readonly auxWeight?: number;
  /** Sights before an id gets a row of its own. @default {1} */
  readonly admitAfter?: number;
  /** Bytes that the tables may hold together. @default {256 MiB} */
  readonly tableBytes?: number;
  /** Event time after which an unused row is dropped, milliseconds. @default {never} */
  readonly expireAfterMs?: number;
  /** Share of the negatives that is learnt, in (0, 1]; the logits are corrected for it. @default {1} */
  readonly negativeRate?: number;
  /** Whether the labels are those of the policy `fnc`: fake negatives, undone when served. @default {false} */
  readonly fakeNegatives?: boolean;
  /** Learning rate a row of the calibration of what is served (Platt); 0 = none. @default {0} */
  readonly calibrationRate?: number;
  /** Seed of new rows and of drawn negatives. @default {0} */
  readonly seed?: number;
}

/** What learning a batch gave. */
export interface LearnResult {
  /** Rows learnt. */
  readonly rows: number;
  /** Histories learnt without rows, see `historySample`. */
  readonly histories: number;
  /** Mean loss a row; 0 without rows. */
  readonly loss: number;
  /** Mean log loss of the judged rows by the weights before the step, as they would have been served. */
  readonly logLoss: number;
  /** Mean auxiliary loss a history that had one; 0 without. */
  readonly aux: number;
  /**
   * Whether the weights may be used. A batch with a non-finite loss or gradient changes no weight; a step that
   * drove a weight beyond all bounds is only found behind it: go back to an earlier state then.
   */
  readonly usable: boolean;
}

/** Format 1 has no calibration. */
const FORMAT = 2;
const OLDEST_FORMAT = 1;
const NO_NEGATIVES = new Float32Array(0);
/** No sound weight is larger. Products of a few of this size are still finite in float32. */
const LARGEST_WEIGHT = 1e6;

/** Trains one model online. */
export class Learner {
  /** The model that is trained. */
  readonly model: Model;
  /** Embedding tables by field, in the order of `fieldSpecs`. */
  readonly tables: ReadonlyMap<string, EmbeddingTable>;
  /** The dense weights of the wide part. */
  readonly head: Parameters;
  /** Batches learnt. */
  steps = 0;
  /** Event time of the newest sample learnt. */
  dataTime = 0;

  readonly #options: LearnerOptions;
  readonly #assembler: Assembler;
  readonly #gradients: Float32Array;
  readonly #headGradients: Float32Array;
  readonly #optimiser: Optimiser;
  readonly #headOptimiser: Optimiser;
  readonly #scaler: NumericScaler;
  readonly #reservoir: NegativeReservoir;
  readonly #calibration: Calibration;
  readonly #negativeRate: number;
  /** Added to every logit in the loss. */
  readonly #samplingOffset: number;
  readonly #gatherTables: ReadonlyMap<string, FieldTable>;
  readonly #scatterTables: ReadonlyMap<string, TrainableTable>;
  #time = 0;

  /** A learner of `model`, which must have the sizes of {@linkcode modelSizes}. */
  constructor(model: Model, options: LearnerOptions) {
    const { schema, embeddingWidth = 16, seed = 0, optimiser = "adagrad" } = options;
    this.#options = options;
    this.model = model;
    this.#assembler = new Assembler(schema, embeddingWidth, model.lifelong ? model.stateSize : 0);
    const specs = fieldSpecs(schema, embeddingWidth);
    const bytes = (options.tableBytes ?? 256 * 2 ** 20) / specs.length;
    this.tables = new Map(specs.map(({ name, width }) => {
      const first = name.startsWith("first:");
      return [
        name,
        new EmbeddingTable({
          name,
          width,
          seed,
          initScale: first ? 0 : options.embeddingScale ?? 0.03,
          ...tableRule(name, options),
          admitAfter: options.admitAfter ?? 1,
          maxBytes: bytes,
          expireAfterMs: options.expireAfterMs ?? Infinity,
        }),
      ];
    }));
    this.head = createHead(schema);
    this.#gradients = model.parameters.kernels.floats(model.parameters.values.length);
    this.#headGradients = new Float32Array(this.head.values.length);
    const dense = model.parameters.values.length;
    this.#optimiser = optimiser === "adam"
      ? new Adam(dense, { learningRate: options.learningRate ?? 0.001 })
      : new Adagrad(dense, { learningRate: options.learningRate ?? 0.03, initialAccumulator: 1 });
    this.#headOptimiser = new Adagrad(this.head.values.length, {
      learningRate: options.headLearningRate ?? 0.1,
      initialAccumulator: 1,
    });
    this.#scaler = new NumericScaler(numericNames(schema).length);
    this.#reservoir = new NegativeReservoir(10_000, seed);
    this.#calibration = new Calibration(options.calibrationRate ?? 0);
    this.#negativeRate = options.negativeRate ?? 1;
    this.#samplingOffset = samplingOffset(this.#negativeRate);
    this.#gatherTables = new Map(
      [...this.tables].map(([name, table]) => [name, {
        width: table.width,
        rowOf: (key) => table.sight(key, this.#time),
        addRow: (row, scale, out, offset) => table.addRow(row, scale, out, offset),
      }]),
    );
    this.#scatterTables = new Map(
      [...this.tables].map(([name, table]) => [name, {
        width: table.width,
        rowOf: (key) => table.lookup(key),
        addRow: (row, scale, out, offset) => table.addRow(row, scale, out, offset),
        accumulate: (row, scale, gradient, offset) => table.accumulate(row, gradient, offset, scale),
      }]),
    );
  }

  /** Learns one batch: a step of every optimiser on the summed gradients. */
  learn(samples: readonly Sample[]): LearnResult {
    this.#gradients.fill(0);
    this.#headGradients.fill(0);
    const standardisation = this.#scaler.freeze();
    const judged = { rows: 0, loss: 0 };
    let rows = 0;
    let histories = 0;
    let loss = 0;
    let historyLoss = 0;
    let aux = 0;
    let auxCount = 0;
    for (const whole of samples) {
      this.#time = whole.time;
      if (whole.purpose === "judge") {
        this.#judge(whole.rows, this.#logits(whole, standardisation), judged);
        continue;
      }
      const sample = keepRows(whole, this.#negativeRate, this.#options.seed ?? 0);
      if (sample.rows.length === 0) {
        const learnt = this.#learnHistory(sample);
        if (learnt === null) continue;
        histories++;
        historyLoss += learnt.loss;
        aux += learnt.aux;
        auxCount++;
        continue;
      }
      const weights = this.#weights(sample, standardisation);
      const { input, wide } = this.#assembler.gather(sample, this.#gatherTables, this.head, standardisation);
      const negatives = this.#negatives(sample);
      const auxWeight = this.#options.auxWeight ?? 0;
      if (this.#samplingOffset !== 0) wide.forEach((z, c) => wide[c] = z + this.#samplingOffset);
      const gradients = this.model.loss({
        ...input,
        wide,
        labels: labelsOf(sample.rows),
        weights,
        negatives: negatives.vectors,
        auxWeight,
      }, this.#gradients);
      this.#assembler.scatter(sample, this.#scatterTables, gradients, this.head, this.#headGradients);
      this.#scatterNegatives(negatives, gradients.negatives);
      rows += input.K;
      loss += gradients.loss;
      if (whole.purpose !== "learn") this.#judge(sample.rows, gradients.logits, judged);
      if (negatives.vectors.length > 0) {
        aux += gradients.aux;
        auxCount++;
      }
    }
    const usable = this.#step(rows + histories, loss + historyLoss);
    for (const sample of samples) {
      if (sample.purpose === "judge") continue;
      for (const row of sample.rows) this.#scaler.update(row.numerics);
      this.#reservoir.update(sample.history);
      this.dataTime = Math.max(this.dataTime, sample.time);
    }
    this.steps++;
    return {
      rows,
      histories,
      loss: loss / Math.max(1, rows),
      logLoss: judged.loss / Math.max(1, judged.rows),
      aux: aux / Math.max(1, auxCount),
      usable,
    };
  }

  /** Erases a user: the next sight starts from an initial row. */
  forget(user: string): void {
    this.tables.get("user")?.remove(user);
    this.tables.get("first:user")?.remove(user);
    this.tables.get("first:pair")?.removePrefix(userPrefix(user));
  }

  /** What changed until now is known to whoever takes the next delta. */
  clearChanged(): void {
    for (const table of this.tables.values()) table.clearChanged();
  }

  /**
   * The current weights as a version; a delta holds the rows changed since the last call, or since
   * {@linkcode Learner.clearChanged}.
   */
  version(kind: "delta" | "full", version: number, predecessor = version - 1): ParameterVersion {
    const tables = new Map<string, Uint8Array>();
    for (const [name, table] of this.tables) {
      tables.set(name, kind === "full" ? table.encodeServing() : table.encodeDelta());
    }
    this.clearChanged();
    return {
      kind,
      version,
      predecessor,
      step: this.steps,
      dataTime: this.dataTime,
      dense: this.model.parameters.values.slice(),
      head: this.head.values.slice(),
      standardisation: this.#scaler.freeze(),
      link: {
        fakeNegatives: this.#options.fakeNegatives ?? false,
        scale: this.#calibration.scale,
        bias: this.#calibration.bias,
      },
      tables,
    };
  }

  /** Everything that learning depends on. Same learner, same bytes. */
  encode(): Uint8Array {
    const to = new ByteWriter(1 << 16).u8(FORMAT).uint(this.steps).f64(this.dataTime)
      .uint(this.model.parameters.values.length).f32s(this.model.parameters.values)
      .f32s(this.head.values)
      .bytes(this.#optimiser.encode()).bytes(this.#headOptimiser.encode());
    this.#scaler.encode(to);
    this.#calibration.encode(to);
    this.#reservoir.encode(to);
    for (const table of this.tables.values()) to.bytes(table.encode());
    return to.toBytes();
  }

  /**
   * Goes on from an encoded learner, bit for bit.
   *
   * @throws SyntaxError when the bytes are not of a learner of these sizes.
   */
  decode(bytes: Uint8Array): void {
    const from = new ByteReader(bytes);
    const format = from.u8();
    if (format < OLDEST_FORMAT || format > FORMAT) {
      throw new SyntaxError(
        `Cannot decode a learner: format is ${format}, this reads ${OLDEST_FORMAT} to ${FORMAT}`,
      );
    }
    this.steps = from.uint();
    this.dataTime = from.f64();
    const dense = from.uint();
    if (dense !== this.model.parameters.values.length) {
      throw new SyntaxError(
        `Cannot decode a learner: it has ${dense} dense weights, the model has ${this.model.parameters.values.length}`,
      );
    }
    this.model.parameters.values.set(from.f32s(dense));
    this.head.values.set(from.f32s(this.head.values.length));
    this.#optimiser.decode(from.bytes());
    this.#headOptimiser.decode(from.bytes());
    this.#scaler.decode(from);
    if (format > 1) this.#calibration.decode(from);
    this.#reservoir.decode(from);
    for (const table of this.tables.values()) table.decode(from.bytes());
  }

  /** The logits of a sample's rows, without learning. */
  #logits(sample: Sample, standardisation: Standardisation): Float32Array {
    const { input, wide } = this.#assembler.gather(sample, this.#gatherTables, this.head, standardisation);
    return this.model.score(input).map((z, c) => z + wide[c]! + this.#samplingOffset);
  }

  /** Weights of the rows in the loss: labels that were given before all clicks had come weigh otherwise. */
  #weights(sample: Sample, standardisation: Standardisation): Float32Array {
    const { rows, lateShare = 0 } = sample;
    if (lateShare === 0) return new Float32Array(rows.length).fill(1);
    const z = this.#logits(sample, standardisation);
    return z.map((logit, c) => lateClickWeight(logit - this.#samplingOffset, rows[c]!.label, lateShare));
  }

  /** Judges final labels by logits of the loss, and calibrates; a negative stands for those that were left out. */
  #judge(rows: readonly SampleRow[], logits: Float32Array, judged: { rows: number; loss: number }): void {
    const link = { fakeNegatives: this.#options.fakeNegatives ?? false };
    rows.forEach(({ label }, c) => {
      const weight = label === 1 ? 1 : 1 / this.#negativeRate;
      const u = withoutFakeNegatives(logits[c]! - this.#samplingOffset, link);
      const { scale, bias } = this.#calibration;
      judged.rows += weight;
      judged.loss += logisticLoss(scale * u + bias, label, weight).value;
      this.#calibration.update(u, label, weight);
    });
  }

  /** Learns the auxiliary loss of a history alone. @returns `null` when the model has none, or too few behaviours. */
  #learnHistory(sample: Sample): HistoryGradients | null {
    const { history } = sample;
    const negatives = this.#negatives(sample);
    if (negatives.vectors.length === 0 || this.model.historyLoss === undefined) return null;
    const gradients = this.model.historyLoss({
      T: history.items.length,
      e: this.#assembler.gatherHistory(history, this.#gatherTables),
      negatives: negatives.vectors,
      auxWeight: this.#options.auxWeight ?? 0,
    }, this.#gradients);
    this.#assembler.scatterHistory(history, this.#scatterTables, gradients.e);
    this.#scatterNegatives(negatives, gradients.negatives);
    return gradients;
  }

  #negatives(sample: Sample): Negatives {
    const T = sample.history.items.length;
    const wanted = (this.#options.auxWeight ?? 0) > 0 && this.model.historyLoss !== undefined;
    if (!wanted || T < 2) return { entries: [], vectors: NO_NEGATIVES };
    const d = this.#assembler.d;
    const vectors = new Float32Array(T * d);
    const entries: NegativeEntry[] = [];
    for (let t = 1; t < T; t++) {
      const entry = this.#reservoir.draw(sample.history.items[t]!);
      entries.push(entry);
      behaviourVector(
        this.#gatherTables,
        entry.item,
        entry.categories,
        1,
        vectors.subarray(t * d, (t + 1) * d),
      );
    }
    return { entries, vectors };
  }

  #scatterNegatives(negatives: Negatives, gradient: Float32Array): void {
    const { d, k } = this.#assembler;
    const item = this.#scatterTables.get("item")!;
    const category = this.#scatterTables.get("category")!;
    negatives.entries.forEach((entry, at) => {
      const offset = (at + 1) * d;
      item.accumulate(item.rowOf(entry.item), 1, gradient, offset);
      for (const name of entry.categories) {
        category.accumulate(category.rowOf(name), 1 / entry.categories.length, gradient, offset + k);
      }
    });
  }

  #step(learnt: number, loss: number): boolean {
    const max = (this.#options.clipNorm ?? 5) * Math.max(1, learnt);
    const norm = clipByGlobalNorm(this.#gradients, max);
    const headNorm = clipByGlobalNorm(this.#headGradients, max);
    if (!Number.isFinite(loss) || !Number.isFinite(norm) || !Number.isFinite(headNorm)) {
      for (const table of this.tables.values()) table.discard();
      return false;
    }
    this.#optimiser.step(this.model.parameters.values, this.#gradients);
    this.#headOptimiser.step(this.head.values, this.#headGradients);
    let sound = bounded(this.model.parameters.values) && bounded(this.head.values);
    for (const table of this.tables.values()) sound = table.step(1, LARGEST_WEIGHT) && sound;
    return sound;
  }
}

function labelsOf(rows: readonly SampleRow[]): Float32Array {
  const labels = new Float32Array(rows.length);
  for (let c = 0; c < labels.length; c++) labels[c] = rows[c]!.label;
  return labels;
}

function bounded(weights: Float32Array): boolean {
  // Written so that NaN fails.
  for (let i = 0; i < weights.length; i++) if (!(Math.abs(weights[i]!) <= LARGEST_WEIGHT)) return false;
  return true;
}

interface NegativeEntry {
  readonly item: string;
  readonly categories: readonly string[];
}

interface Negatives {
  readonly entries: readonly NegativeEntry[];
  /** [T, d]; row 0 is zero. Empty = none. */
  readonly vectors: Float32Array;
}
