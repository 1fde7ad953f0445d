/**
 * The runtime of the learner: reads samples in order, judges their frozen predictions, learns them in batches,
 * publishes versions, and writes checkpoints.
 *
 * A batch is the shortest run of samples with at least `batchRows` rows, so batches depend on the samples
 * alone; a history without rows fills as much of it as a row. After a crash the learner goes back to its last checkpoint and learns the samples since then again;
 * versions that are already on the log are made again but not published twice.
 *
 * Several partitions have no order among each other, so the one in which their samples were taken is written
 * beside each version: made again, a version is the same.
 *
 * When a step breaks the weights, it goes back to the last checkpoint; when the guard finds served predictions
 * out of their band, to weights that were served for a while without complaint.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";
import { ByteReader } from "../src/codec/byte_reader.ts";
import { ByteWriter } from "../src/codec/byte_writer.ts";
import { Guard, type GuardAction, type GuardOptions } from "../src/learner/guard.ts";
import type { Learner } from "../src/learner/learner.ts";
import { type Sample, sizeInBatch } from "../src/learner/sample.ts";
import { decodeSample } from "../src/learner/sample_codec.ts";
import { Snapshots } from "../src/learner/snapshots.ts";
import { decodeVersion, encodeVersion } from "../src/learner/version.ts";
import { Validation } from "../src/learner/validation.ts";
import { chunkRecords, readBeginning, readChunks } from "./chunks.ts";
import { lagOf } from "./log/lag.ts";
import {
  type Log,
  LogError,
  type LogRecord,
  type NewRecord,
  type ReadResult,
  type UngroupedLog,
  type Writer,
} from "./log/log.ts";
import { readAll } from "./log/read_all.ts";
import type { SampleHandover } from "./sample_handover.ts";
import { decodeOrder, encodeOrder, orderKey, SampleOrder, type Stretch } from "./sample_order.ts";
import type { Topics } from "./topics.ts";
import { VersionPace } from "./version_pace.ts";

/** Options of a {@linkcode Learning}. */
export interface LearningOptions {
  /** Rows after which a batch is full. @default {64} */
  readonly batchRows?: number;
  /** Batches between two checkpoints. @default {100} */
  readonly checkpointBatches?: number;
  /** Time between two checkpoints at least where batches are learnt by `step`, milliseconds. @default {10000} */
  readonly checkpointIntervalMs?: number;
  /** Time between two versions at least where batches are learnt by `step`, milliseconds. @default {100} */
  readonly publishIntervalMs?: number;
  /** Versions on the log between two full snapshots. @default {50} */
  readonly snapshotVersions?: number;
  /** Usable batches in a row after which publishing goes on after a failure. @default {5} */
  readonly recoveryBatches?: number;
  /** Drop samples that no checkpoint needs any more. @default {false} */
  readonly trimSamples?: boolean;
  /** Newest judged rows to keep at least, for figures; they are part of every checkpoint. @default {all} */
  readonly keepRows?: number;
  /** The band in which served predictions must stay; `null` = whatever they are. @default {{}} */
  readonly guard?: GuardOptions | null;
  /** Name of the model, when it is not the deployment's own but of a variant of experiments. @default {own} */
  readonly variant?: string;
  /** Where samples of the only partition are that a task in this process has just written. @default {none} */
  readonly handover?: SampleHandover;
}

/** Rows after which a batch is full, unless the options say otherwise. */
export const BATCH_ROWS = 64;

const FORMAT = 3;
/** Samples to learn again before others have a turn. */
const AGAIN_SAMPLES = 32;

/** Options of {@linkcode Learning.step}. */
export interface LearningStepOptions {
  /** Samples to take at most. @default {8} */
  readonly maxSamples?: number;
  /** How long to wait for a first one, milliseconds. @default {0} */
  readonly waitMs?: number;
  /** Ends the wait: the step then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Consumes the samples of all partitions for one model. */
export class Learning implements AsyncDisposable {
  /** What is trained. */
  readonly learner: Learner;
  /** The judged predictions. */
  readonly validation: Validation;
  /** Batches that were thrown away because of a non-finite loss or gradient. */
  failures = 0;
  /** Times that the guard took served weights back. */
  rollbacks = 0;
  /** Batches whose weights were not published, since they or those served were not trusted. */
  pausedBatches = 0;
  /** Watches the served predictions. */
  readonly guard: Guard;

  readonly #log: UngroupedLog;
  readonly #topics: Topics;
  readonly #writer: Writer;
  readonly #options:
    & Required<Omit<LearningOptions, "guard" | "variant" | "handover">>
    & Pick<LearningOptions, "variant">;
  readonly #handover: SampleHandover | undefined;
  readonly #guarded: boolean;
  readonly #snapshots: Snapshots;
  readonly #now: () => number;
  /** Positions behind the last learnt samples, by partition. */
  #next: number[];
  /** Positions behind the last read samples, by partition. */
  #read: number[];
  /** The order in which they were taken. */
  #order = new SampleOrder();
  /** The partition to look at first. */
  #turn = 0;
  #batch: { readonly sample: Sample; readonly bytes: Uint8Array }[] = [];
  #batchRows = 0;
  /** Users to erase with the batch in hand. */
  #forgotten: string[] = [];
  /** When a checkpoint was written, by the clock. */
  #checkpointAt = -Infinity;
  readonly #versions: VersionPace;
  /** Usable batches still needed before publishing goes on; 0 = healthy. */
  #recovery = 0;

  private constructor(
    { log, topics, partitions }: {
      readonly log: UngroupedLog;
      readonly topics: Topics;
      readonly partitions: number;
    },
    learner: Learner,
    writer: Writer,
    options: LearningOptions,
    now: () => number,
  ) {
    this.#log = log;
    this.#now = now;
    this.#topics = topics;
    this.learner = learner;
    this.#writer = writer;
    this.#next = new Array<number>(partitions).fill(0);
    this.#read = [...this.#next];
    this.#handover = options.handover;
    this.#options = {
      batchRows: options.batchRows ?? BATCH_ROWS,
      checkpointBatches: options.checkpointBatches ?? 100,
      checkpointIntervalMs: options.checkpointIntervalMs ?? 10_000,
      publishIntervalMs: options.publishIntervalMs ?? 100,
      snapshotVersions: options.snapshotVersions ?? 50,
      recoveryBatches: options.recoveryBatches ?? 5,
      trimSamples: options.trimSamples ?? false,
      keepRows: options.keepRows ?? Infinity,
      ...(options.variant === undefined ? {} : { variant: options.variant }),
    };
    this.#versions = new VersionPace(this.#options, now);
    this.validation = new Validation({ rows: this.#options.keepRows });
    this.#guarded = options.guard !== null;
    this.guard = new Guard(options.guard ?? {});
    this.#snapshots = new Snapshots(learner.encode(), this.#guarded ? this.guard.trustRows : 0);
  }

  /**
   * Goes on from the last checkpoint, or publishes the initial parameters as version 1.
   *
   * @param now a clock in milliseconds
   * @param signal ends it: it then rejects with the signal's reason
   */
  static async open(
    log: UngroupedLog,
    topics: Topics,
    learner: Learner,
    options: LearningOptions = {},
    now: () => number = () => performance.now(),
    signal?: AbortSignal,
  ): Promise<Learning> {
    await using opened = new AsyncDisposableStack();
    const writer = opened.use(await log.writer(`${topics.samples}-learner-${learner.model.name}`));
    const partitions = (await log.topics()).get(topics.samples)?.partitions ?? 1;
    const learning = new Learning({ log, topics, partitions }, learner, writer, options, now);
    await learning.#findNewestVersion();
    const checkpoint = await readChunks(log, topics.checkpoints, learner.model.name);
    if (checkpoint === null) {
      learning.#versions.needsFull = true;
      learning.#makeVersion();
      // An earlier life may have got further: its order of samples must stay.
      if (learning.#hasPending) await learning.#commit(learning.#publish());
    } else {
      learning.#decode(checkpoint);
    }
    learning.#read = [...learning.#next];
    if (partitions > 1) await learning.#takeAgain(await learning.#publishedOrder(), signal);
    opened.move();
    return learning;
  }

  /** Positions of samples, by partition, from which a model's learner goes on after a crash; `null` = from the start. */
  static async checkpointed(
    log: Pick<Log, "latest">,
    topics: Topics,
    model: string,
  ): Promise<readonly number[] | null> {
    const beginning = await readBeginning(log, topics.checkpoints, model);
    return beginning === null ? null : decodePositions(new ByteReader(beginning));
  }

  /**
   * Learns all full batches that are on the log, and publishes each.
   *
   * @param final Also the last, partial one: the stream has ended.
   */
  async drain(final = false): Promise<void> {
    this.#versions.isPaced = false;
    while (await this.#takeAny(256));
    if (!final) return;
    if (this.#batch.length > 0) await this.#learn();
    const erased = this.#erase();
    this.#next = [...this.#read];
    this.#order.seal();
    if (erased && this.#publishes) this.#makeVersion();
    await this.checkpoint();
  }

  /**
   * Learns some of what there is, for a service that has other things to do as well. Of the versions that it makes
   * the log gets one an interval.
   *
   * @returns Whether there was anything.
   */
  async step({ maxSamples = 8, waitMs = 0, signal }: LearningStepOptions = {}): Promise<boolean> {
    this.#versions.isPaced = true;
    if (await this.#takeAny(maxSamples)) return true;
    const untilDue = this.#hasPending ? this.#versions.untilDue : Infinity;
    if (untilDue <= 0) {
      await this.#commit(this.#publish());
      return true;
    }
    if (waitMs <= 0) return false;
    const others = new AbortController();
    const either = signal === undefined ? others.signal : AbortSignal.any([others.signal, signal]);
    const reads = this.#read.map(async (from, partition) => {
      const options = { maxRecords: maxSamples, waitMs: Math.min(waitMs, untilDue), signal: either };
      return { partition, result: await this.#log.read(this.#topics.samples, partition, from, options) };
    });
    try {
      const { partition, result } = await Promise.race(reads);
      return await this.#take(partition, result);
    } finally {
      others.abort();
      await Promise.allSettled(reads); // a read that comes second loses nothing: it is done again
    }
  }

  /** Newest version made: one a batch, of which the log has the last of each interval. */
  get version(): number {
    return this.#versions.made;
  }

  /** Positions behind the last learnt samples, by partition. */
  get positions(): readonly number[] {
    return this.#next;
  }

  /** Samples that were not learnt yet, holes of the log included. */
  async lag(): Promise<number> {
    return await lagOf(this.#log, this.#topics.samples, this.#next);
  }

  /** Publishes what was not yet, and writes everything that going on depends on, atomically. */
  async checkpoint(): Promise<void> {
    const records = this.#hasPending ? this.#publish() : [];
    await this.#write(this.#keep(), records);
  }

  /** Notes where to go back to, when all is well. @returns the encoded learner */
  #keep(): Uint8Array {
    const learner = this.learner.encode();
    if (this.#recovery === 0 && this.guard.health === "healthy") {
      this.#snapshots.keep(learner, this.validation.judged);
    }
    return learner;
  }

  async #write(learner: Uint8Array, records: readonly NewRecord[]): Promise<void> {
    const bytes = this.#encode(learner);
    await this.#commit([
      ...records,
      ...chunkRecords(this.#topics.checkpoints, this.learner.model.name, bytes, this.learner.dataTime),
    ]);
    this.#checkpointAt = this.#now();
    // Only now: so the order goes on without a hole in the history of the topic, for whoever audits it.
    this.#order.forget();
    if (!this.#options.trimSamples) return;
    for (const [partition, next] of this.#next.entries()) {
      await this.#log.trim(this.#topics.samples, partition, next);
    }
  }

  /** Lets go without a checkpoint. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  /** Takes what there is of the next partition that has something. */
  async #takeAny(maxRecords: number): Promise<boolean> {
    const { length } = this.#read;
    for (let tried = 0; tried < length; tried++) {
      const partition = this.#turn;
      this.#turn = (partition + 1) % length;
      const from = this.#read[partition] ?? 0;
      const result = await this.#log.read(this.#topics.samples, partition, from, { maxRecords });
      if (await this.#take(partition, result)) return true;
    }
    return false;
  }

  /** Takes samples below the offset `end`, and learns each batch that they fill. */
  async #take(partition: number, { records, next }: ReadResult, end = Infinity): Promise<boolean> {
    for (const record of records) {
      if (record.offset >= end) {
        this.#read[partition] = end;
        return true;
      }
      this.#read[partition] = record.offset + 1;
      this.#order.add(partition, record.offset + 1);
      if (record.value === null) {
        if (record.key !== null) this.#forgotten.push(record.key);
        continue;
      }
      const sample = this.#view(this.#handover?.take(record.offset) ?? decode(record));
      if (sample === null) continue;
      this.#batch.push({ sample, bytes: record.value });
      this.#batchRows += sizeInBatch(sample);
      if (this.#batchRows >= this.#options.batchRows) await this.#learn();
    }
    this.#read[partition] = next;
    return records.length > 0;
  }

  /**
   * A sample as this model may use it: the predictions and the state of another model say nothing of this one,
   * what came of them does, and the state that this one had of the user then.
   */
  #view(sample: Sample): Sample | null {
    if (sample.model === this.#options.variant) return sample;
    if (sample.purpose === "judge") return null;
    const { state: _, otherStates = [], ...rest } = sample;
    const own = otherStates.find(({ model }) => model === this.learner.model.name);
    return { ...rest, purpose: "learn", ...(own === undefined ? {} : { state: own }) };
  }

  /** Takes samples in the order of an earlier life. */
  async #takeAgain(order: readonly Stretch[], signal: AbortSignal | undefined): Promise<void> {
    for (const { partition, end } of order) {
      for (;;) {
        // A log that answers from memory leaves no turn to others: whoever is asked to stop would not hear of it.
        await turn();
        signal?.throwIfAborted();
        const from = this.#read[partition] ?? end;
        if (from >= end) break;
        const result = await this.#log.read(this.#topics.samples, partition, from, {
          maxRecords: AGAIN_SAMPLES,
        });
        if (!await this.#take(partition, result, end)) break;
      }
    }
  }

  /** The order of the samples since the last checkpoint, as far as versions were published. */
  async #publishedOrder(): Promise<Stretch[]> {
    const key = orderKey(this.learner.model.name);
    let order: Stretch[] = [];
    for await (const record of readAll(this.#log, this.#topics.checkpoints, 0)) {
      if (record.key === key && record.value !== null) order = decodeOrder(record.value);
    }
    return order;
  }

  async #learn(): Promise<void> {
    for (const { sample, bytes } of this.#batch) this.validation.update(sample, bytes);
    const samples = this.#batch.map(({ sample }) => sample);
    const result = this.learner.learn(samples);
    this.validation.mark(result, this.learner.dataTime, this.version);
    this.#batch = [];
    this.#batchRows = 0;
    this.#next = [...this.#read];
    this.#order.seal();
    if (!result.usable) this.#fail();
    else {
      if (this.#recovery > 0) this.#recovery--;
      if (this.#guarded) {
        const judged = samples.filter(({ purpose }) => purpose !== "learn");
        this.#obey(this.guard.update(judged, result.logLoss, this.version));
      }
    }
    this.#erase();
    if (this.#publishes || this.#versions.isChosen) this.#makeVersion();
    else this.pausedBatches++;
    await this.#save();
  }

  /** Writes what is due after a batch. */
  async #save(): Promise<void> {
    const { checkpointBatches, checkpointIntervalMs } = this.#options;
    const keeps = this.learner.steps % checkpointBatches === 0 && this.#recovery === 0;
    const writes = keeps &&
      (!this.#versions.isPaced || this.#now() - this.#checkpointAt >= checkpointIntervalMs);
    const records = this.#hasPending && (writes || this.#versions.untilDue <= 0) ? this.#publish() : [];
    // Where to go back to must not depend on the clock, what is written may.
    const learner = keeps ? this.#keep() : undefined;
    if (learner !== undefined && writes) await this.#write(learner, records);
    else if (records.length > 0) await this.#commit(records);
  }

  get #publishes(): boolean {
    return this.#recovery === 0 && this.guard.publishes;
  }

  /** Whether there is a version to publish. */
  get #hasPending(): boolean {
    return this.#versions.isAhead && (this.#publishes || this.#versions.isChosen);
  }

  /** Goes back to the weights of the last checkpoint and holds publishing until batches are usable again. */
  #fail(): void {
    this.#snapshots.restore(this.learner, "last");
    this.failures++;
    this.#recovery = this.#options.recoveryBatches;
    this.#versions.needsFull = true;
  }

  #obey(action: GuardAction): void {
    if (this.guard.health === "healthy") this.#snapshots.trust(this.validation.judged);
    if (action === "publish" || action === "hold") return;
    if (action === "roll back") {
      this.#snapshots.distrust();
      this.rollbacks++;
    }
    if (action !== "adopt") this.#snapshots.restore(this.learner, "trusted");
    this.#recovery = 0;
    this.#versions.needsFull = true;
    this.#versions.isChosen = true;
  }

  /** Erases whom the batch in hand forgot. @returns Whether there was anyone. */
  #erase(): boolean {
    for (const user of this.#forgotten) this.learner.forget(user);
    this.#snapshots.erase(this.#forgotten, this.learner);
    return this.#forgotten.splice(0).length > 0;
  }

  /** Makes the next version, unpublished, unless an earlier life has published it or a later one. */
  #makeVersion(): void {
    if (this.#versions.make()) this.learner.clearChanged();
  }

  /** The records of the newest version. */
  #publish(): NewRecord[] {
    const { published } = this.#versions;
    const versions = this.#versions.take().map((kind) => this.learner.version(kind, this.version, published));
    return versions.map((version) => ({
      topic: this.#topics.parameters,
      partition: 0,
      key: this.learner.model.name,
      value: encodeVersion(version),
      time: this.learner.dataTime,
    }));
  }

  async #commit(records: readonly NewRecord[]): Promise<void> {
    const { parameters, samples, checkpoints } = this.#topics;
    const publishes = records.some((record) => record.topic === parameters);
    // The full snapshot of this commit makes all before it superfluous.
    const trims = publishes && this.#versions.isSuperseding;
    const before = trims ? (await this.#log.bounds(parameters, 0)).end : 0;
    const { name } = this.learner.model;
    const order: NewRecord[] = this.#next.length === 1 ? [] : [{
      topic: checkpoints,
      partition: 0,
      key: orderKey(name),
      value: encodeOrder(this.#order.sealed),
      time: this.learner.dataTime,
    }];
    await this.#writer.commit({
      records: [...records, ...order],
      group: `${samples}-learner-${name}`,
      offsets: this.#next.map((offset, partition) => ({ topic: samples, partition, offset })),
    });
    if (publishes) this.#versions.arrived();
    if (trims) await this.#log.trim(parameters, 0, before);
  }

  /** Finds out how far an earlier life has come. */
  async #findNewestVersion(): Promise<void> {
    for await (const { value } of readAll(this.#log, this.#topics.parameters, 0)) {
      if (value === null) continue;
      const { version, kind } = decodeVersion(value);
      this.#versions.found(version, kind);
    }
  }

  #encode(learner: Uint8Array): Uint8Array {
    const to = new ByteWriter(1 << 16).u8(FORMAT).uint(this.#next.length);
    for (const next of this.#next) to.uint(next);
    to.uint(this.version).uint(this.failures).uint(this.rollbacks).uint(this.pausedBatches)
      .uint(this.#recovery).u8(this.#versions.needsFull ? 1 : 0);
    this.#snapshots.encode(to, learner);
    this.guard.encode(to);
    this.validation.encode(to);
    return to.toBytes();
  }

  #decode(bytes: Uint8Array): void {
    const from = new ByteReader(bytes);
    // Partitions may have been added since, none can go away.
    for (const [partition, next] of decodePositions(from).entries()) this.#next[partition] = next;
    this.#versions.made = from.uint();
    this.failures = from.uint();
    this.rollbacks = from.uint();
    this.pausedBatches = from.uint();
    this.#recovery = from.uint();
    this.#versions.needsFull = from.u8() === 1;
    this.learner.decode(this.#snapshots.decode(from));
    this.guard.decode(from);
    this.validation.decode(from);
  }
}

/** Where a checkpoint goes on, which is what it begins with. */
function decodePositions(from: ByteReader): number[] {
  const format = from.u8();
  if (format === FORMAT) return Array.from({ length: from.count() }, () => from.uint());
  throw new SyntaxError(`Cannot decode a checkpoint: format is ${format}, this reads ${FORMAT}`);
}

function decode(record: LogRecord): Sample {
  try {
    return decodeSample(record.value ?? new Uint8Array(0));
  } catch (cause) {
    const { topic, partition, offset } = record;
    throw new LogError("corrupt", `Cannot learn the sample at ${topic}/${partition}@${offset}`, { cause });
  }
}
