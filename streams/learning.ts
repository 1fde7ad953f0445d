/**
 * The runtime of the learner: reads samples in order, judges their frozen predictions, learns them in batches,
 * publishes versions, and writes checkpoints.
 *
 * A batch is the shortest run of samples with at least `batchRows` rows, so batches depend on the samples
 * alone. After a crash the learner goes back to its last checkpoint and learns the samples since then again;
 * versions that are already on the log are made again but not published twice.
 *
 * @module
 */

import { ByteReader } from "../src/codec/byte_reader.ts";
import { ByteWriter } from "../src/codec/byte_writer.ts";
import type { Learner } from "../src/learner/learner.ts";
import type { Sample } from "../src/learner/sample.ts";
import { decodeSample } from "../src/learner/sample_codec.ts";
import { decodeVersion, encodeVersion } from "../src/learner/version.ts";
import { Validation } from "../src/learner/validation.ts";
import { chunkRecords, readChunks } from "./chunks.ts";
import { type Log, LogError, type LogRecord, type NewRecord, type Writer } from "./log/log.ts";
import type { Topics } from "./topics.ts";

/** Options of a {@linkcode Learning}. */
export interface LearningOptions {
  /** Rows after which a batch is full. @default {64} */
  readonly batchRows?: number;
  /** Batches between two checkpoints. @default {100} */
  readonly checkpointBatches?: number;
  /** Versions between two full snapshots. @default {50} */
  readonly snapshotVersions?: number;
  /** Usable batches in a row after which publishing goes on after a failure. @default {5} */
  readonly recoveryBatches?: number;
  /** Drop samples that no checkpoint needs any more. @default {false} */
  readonly trimSamples?: boolean;
}

const FORMAT = 1;

/** Consumes the samples of one partition for one model. */
export class Learning implements AsyncDisposable {
  /** What is trained. */
  readonly learner: Learner;
  /** The judged predictions. */
  readonly validation: Validation = new Validation();
  /** Newest version made. */
  version = 0;
  /** Batches that were thrown away because of a non-finite loss or gradient. */
  failures = 0;

  readonly #log: Log;
  readonly #topics: Topics;
  readonly #writer: Writer;
  readonly #options: Required<LearningOptions>;
  /** Position behind the last learnt sample. */
  #next = 0;
  /** Position behind the last read sample. */
  #read = 0;
  #batch: { readonly sample: Sample; readonly bytes: Uint8Array }[] = [];
  #batchRows = 0;
  /** Users to erase with the batch in hand. */
  #forgotten: string[] = [];
  /** Newest version on the log. */
  #published = 0;
  /** Usable batches still needed before publishing goes on; 0 = healthy. */
  #recovery = 0;
  /** The next version must be a full snapshot, since changes were lost track of. */
  #needsFull = false;
  /** The learner as of the last checkpoint: where a failure goes back to. */
  #good: Uint8Array;
  /** Users erased since: going back must not bring them back. */
  #erased: string[] = [];

  private constructor(log: Log, topics: Topics, learner: Learner, writer: Writer, options: LearningOptions) {
    this.#log = log;
    this.#topics = topics;
    this.learner = learner;
    this.#writer = writer;
    this.#options = {
      batchRows: options.batchRows ?? 64,
      checkpointBatches: options.checkpointBatches ?? 100,
      snapshotVersions: options.snapshotVersions ?? 50,
      recoveryBatches: options.recoveryBatches ?? 5,
      trimSamples: options.trimSamples ?? false,
    };
    this.#good = learner.encode();
  }

  /** Goes on from the last checkpoint, or publishes the initial parameters as version 1. */
  static async open(
    log: Log,
    topics: Topics,
    learner: Learner,
    options: LearningOptions = {},
  ): Promise<Learning> {
    const writer = await log.writer(`${topics.samples}-learner-${learner.model.name}`);
    const learning = new Learning(log, topics, learner, writer, options);
    learning.#published = await learning.#newestVersion();
    const checkpoint = await readChunks(log, topics.checkpoints, learner.model.name);
    if (checkpoint === null) {
      learning.#needsFull = true;
      await learning.#commit(learning.#publish());
    } else {
      learning.#decode(checkpoint);
    }
    learning.#read = learning.#next;
    return learning;
  }

  /**
   * Learns all full batches that are on the log.
   *
   * @param final Also the last, partial one: the stream has ended.
   */
  async drain(final = false): Promise<void> {
    for (;;) {
      const { records, next } = await this.#log.read(this.#topics.samples, 0, this.#read, {
        maxRecords: 256,
      });
      for (const record of records) {
        this.#read = record.offset + 1;
        if (record.value === null) {
          if (record.key !== null) this.#forgotten.push(record.key);
          continue;
        }
        const sample = decode(record);
        this.#batch.push({ sample, bytes: record.value });
        this.#batchRows += sample.rows.length;
        if (this.#batchRows >= this.#options.batchRows) await this.#learn();
      }
      this.#read = next;
      if (records.length === 0) break;
    }
    if (!final) return;
    if (this.#batch.length > 0) await this.#learn();
    const erased = this.#erase();
    this.#next = this.#read;
    await this.checkpoint(erased && this.#recovery === 0 ? this.#publish() : []);
  }

  /** Writes everything that going on depends on, with the position in the samples, atomically. */
  async checkpoint(records: readonly NewRecord[] = []): Promise<void> {
    const learner = this.learner.encode();
    if (this.#recovery === 0) {
      this.#good = learner;
      this.#erased = [];
    }
    const bytes = this.#encode(learner);
    await this.#commit([
      ...records,
      ...chunkRecords(this.#topics.checkpoints, this.learner.model.name, bytes, this.learner.dataTime),
    ]);
    if (this.#options.trimSamples) await this.#log.trim(this.#topics.samples, 0, this.#next);
  }

  /** Lets go without a checkpoint. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }

  async #learn(): Promise<void> {
    for (const { sample, bytes } of this.#batch) this.validation.update(sample, bytes);
    const result = this.learner.learn(this.#batch.map(({ sample }) => sample));
    this.validation.mark(result, this.learner.dataTime, this.version);
    this.#batch = [];
    this.#batchRows = 0;
    this.#next = this.#read;
    if (!result.usable) this.#rollBack();
    else if (this.#recovery > 0) this.#recovery--;
    this.#erase();
    const records = this.#recovery > 0 ? [] : this.#publish();
    if (this.learner.steps % this.#options.checkpointBatches === 0 && this.#recovery === 0) {
      await this.checkpoint(records);
    } else if (records.length > 0) {
      await this.#commit(records);
    }
  }

  /** Goes back to the weights of the last checkpoint and holds publishing until batches are usable again. */
  #rollBack(): void {
    const steps = this.learner.steps;
    this.learner.decode(this.#good);
    this.learner.steps = steps;
    for (const user of this.#erased) this.learner.forget(user);
    this.failures++;
    this.#recovery = this.#options.recoveryBatches;
    this.#needsFull = true;
  }

  /** Erases whom the batch in hand forgot. @returns Whether there was anyone. */
  #erase(): boolean {
    for (const user of this.#forgotten) this.learner.forget(user);
    this.#erased.push(...this.#forgotten);
    return this.#forgotten.splice(0).length > 0;
  }

  /** Makes the next version; the records to append are those that the log does not have yet. */
  #publish(): NewRecord[] {
    this.version++;
    const versions = this.#needsFull ? [] : [this.learner.version("delta", this.version)];
    if (this.#needsFull || this.version % this.#options.snapshotVersions === 0) {
      versions.push(this.learner.version("full", this.version));
    }
    this.#needsFull = false;
    if (this.version <= this.#published) return [];
    return versions.map((version) => ({
      topic: this.#topics.parameters,
      partition: 0,
      key: this.learner.model.name,
      value: encodeVersion(version),
      time: this.learner.dataTime,
    }));
  }

  async #commit(records: readonly NewRecord[]): Promise<void> {
    const { parameters } = this.#topics;
    const { end } = await this.#log.bounds(parameters, 0);
    await this.#writer.commit({
      records,
      group: `${this.#topics.samples}-learner-${this.learner.model.name}`,
      offsets: [{ topic: this.#topics.samples, partition: 0, offset: this.#next }],
    });
    if (records.filter((record) => record.topic === parameters).length === 0) return;
    this.#published = Math.max(this.#published, this.version);
    // The full snapshot of this commit makes all before it superfluous.
    if (this.version % this.#options.snapshotVersions === 0) await this.#log.trim(parameters, 0, end);
  }

  async #newestVersion(): Promise<number> {
    const { start, end } = await this.#log.bounds(this.#topics.parameters, 0);
    let newest = 0;
    for (let next = start; next < end;) {
      const result = await this.#log.read(this.#topics.parameters, 0, next);
      for (const record of result.records) {
        if (record.value !== null) newest = Math.max(newest, decodeVersion(record.value).version);
      }
      if (result.next === next) break;
      next = result.next;
    }
    return newest;
  }

  #encode(learner: Uint8Array): Uint8Array {
    const to = new ByteWriter(1 << 16).u8(FORMAT)
      .uint(this.#next).uint(this.version).uint(this.failures).uint(this.#recovery)
      .u8(this.#needsFull ? 1 : 0)
      // Empty stands for "the same".
      .bytes(learner).bytes(this.#good === learner ? new Uint8Array(0) : this.#good)
      .uint(this.#erased.length);
    for (const user of this.#erased) to.string(user);
    this.validation.encode(to);
    return to.toBytes();
  }

  #decode(bytes: Uint8Array): void {
    const from = new ByteReader(bytes);
    const format = from.u8();
    if (format !== FORMAT) {
      throw new SyntaxError(`Cannot decode a checkpoint: format is ${format}, this reads ${FORMAT}`);
    }
    this.#next = from.uint();
    this.version = from.uint();
    this.failures = from.uint();
    this.#recovery = from.uint();
    this.#needsFull = from.u8() === 1;
    const learner = from.bytes();
    const good = from.bytes();
    this.learner.decode(learner);
    this.#good = (good.length === 0 ? learner : good).slice();
    this.#erased = Array.from({ length: from.count() }, () => from.string());
    this.validation.decode(from);
  }
}

function decode(record: LogRecord): Sample {
  try {
    return decodeSample(record.value ?? new Uint8Array(0));
  } catch (cause) {
    const { topic, partition, offset } = record;
    throw new LogError("corrupt", `Cannot learn the sample at ${topic}/${partition}@${offset}`, { cause });
  }
}
