/**
 * Groups the samples of all partitions into batches for one model.
 *
 * A batch is the shortest run of samples with at least `batchRows` rows, so batches depend on the samples and their
 * order alone, not on how they are read; a history without rows counts as one row. An erasure ends the batch, full or
 * not, so that it does not wait for other samples.
 *
 * ```text
 *  taken      s s s s s s s s s s
 *  batches    [-----][-----] waits until its batch is full
 *  positions                ^ after the last batch
 * ```
 */

import { getLogger } from "@logtape/logtape";
import { setImmediate as turn } from "node:timers/promises";
import type { EncodedSample } from "../../src/learner/watched_learner.ts";
import { type Sample, sizeInBatch } from "../../src/samples/sample.ts";
import { decodeSample, SAMPLE_FORMATS } from "../../src/samples/sample_codec.ts";
import { endsEarly, keptOf, lagOf } from "../log/reading.ts";
import type { Log, LogRecord, ReadOptions, ReadResult } from "../log/log.ts";
import { corruptRecord, unreadable } from "../log/unreadable.ts";
import { isOfNewerRelease, LEARNT, ROUND } from "../topics/delivery.ts";
import type { SampleHandover } from "../topics/sample_handover.ts";
import { SampleOrder, type Stretch } from "./sample_order.ts";

const logger = getLogger(["meander", "learner"]);

/** Samples that are learnt in one step. */
export interface Batch {
  /** Samples in the order in which they were taken. */
  readonly taken: readonly EncodedSample[];
  /** Users to erase after learning them. */
  readonly forgotten: readonly string[];
}

export interface BatchReaderOptions {
  readonly partitions: number;
  /** Rows after which a batch is full. */
  readonly batchRows: number;
  /** Name of the model that learns. */
  readonly model: string;
  /** Its name if it belongs to a variant of experiments. */
  readonly variant: string | undefined;
  /** Decoded samples of the only partition. */
  readonly handover: SampleHandover | undefined;
  /** Goes back to positions, because the log has lost samples after them that were read. */
  readonly goBack: (positions: readonly number[]) => Promise<void>;
}

/** What was read; or up to where the log has what was read before, as it has lost the rest. */
type LossyRead = ReadResult & { readonly kept?: number };

/** Number of samples to learn again before yielding. */
const AGAIN_SAMPLES = 32;

/** Reads samples and passes on each full batch before it takes another sample. */
export class BatchReader {
  /** Number of offsets that the log had dropped before they were read. */
  lost = 0;
  readonly #log: Pick<Log, "read" | "bounds">;
  readonly #topic: string;
  readonly #learn: (batch: Batch) => Promise<void>;
  readonly #options: BatchReaderOptions;
  /** Positions after the last batch, by partition. */
  #learnt: number[];
  /** Positions after the last read samples, by partition. */
  #read: number[];
  /** See `ReadResult.epoch`, of those positions. */
  #learntEpochs: (number | undefined)[] = [];
  #epochs: (number | undefined)[] = [];
  #order = new SampleOrder();
  /** The order of the previous run; the part after the last batch is still to be learnt again. */
  #earlier: readonly Stretch[] = [];
  /** The partition to look at first. */
  #turn = 0;
  #taken: EncodedSample[] = [];
  #rows = 0;
  #forgotten: string[] = [];

  /** Begins at the start of every partition. @param learn receives each batch; reading waits for it */
  constructor(
    log: Pick<Log, "read" | "bounds">,
    topic: string,
    learn: (batch: Batch) => Promise<void>,
    options: BatchReaderOptions,
  ) {
    this.#log = log;
    this.#topic = topic;
    this.#learn = learn;
    this.#options = options;
    this.#learnt = new Array<number>(options.partitions).fill(0);
    this.#read = [...this.#learnt];
  }

  /** Positions after the last batch, by partition; within `learn`, after that batch. */
  get positions(): readonly number[] {
    return this.#learnt;
  }

  /** See `ReadResult.epoch`, of those positions. */
  get epochs(): readonly (number | undefined)[] {
    return this.#learnt.map((_, partition) => this.#learntEpochs[partition]);
  }

  /**
   * The order in which samples were taken since {@linkcode BatchReader.forgetOrder}, followed by the order of samples
   * that the previous run learnt and this one has yet to learn, because versions on the log depend on it.
   */
  get order(): readonly Stretch[] {
    const rest = this.#earlier.filter(({ partition, end }) => end > (this.#learnt[partition] ?? 0));
    return [...this.#order.sealed, ...rest];
  }

  /** Drops the order so far, because a checkpoint covers it. */
  forgetOrder(): void {
    this.#order.forget();
  }

  /** Number of samples after the last batch, including holes of the log. */
  async lag(): Promise<number> {
    return await lagOf(this.#log, this.#topic, this.#learnt);
  }

  /**
   * Continues from `positions`, without the samples of an unfinished batch; partitions without one were added since, and
   * begin at their start.
   *
   * @param epochs see `ReadResult.epoch`, of those positions
   */
  seek(positions: readonly number[], epochs: readonly (number | undefined)[] = []): void {
    for (const [partition, position] of positions.entries()) this.#learnt[partition] = position;
    this.#read = [...this.#learnt];
    [this.#learntEpochs, this.#epochs] = [[...epochs], [...epochs]];
    [this.#taken, this.#rows, this.#forgotten] = [[], 0, []];
    [this.#order, this.#earlier] = [new SampleOrder(), []];
  }

  /** Takes samples from the next partition that has any. @returns How many records there were */
  async read(maxRecords: number): Promise<number> {
    const { length } = this.#read;
    for (let tried = 0; tried < length; tried++) {
      const partition = this.#turn;
      this.#turn = (partition + 1) % length;
      const result = await this.#readOn(partition, { maxRecords });
      await this.#take(partition, result);
      if (result.records.length > 0) return result.records.length;
    }
    return 0;
  }

  /**
   * Takes samples from the first partition that receives any.
   *
   * @param waitMs how long to wait, milliseconds @param signal ends the wait: it then rejects with the signal's reason
   * @returns How many records there were
   */
  async wait(maxRecords: number, waitMs: number, signal: AbortSignal | undefined): Promise<number> {
    const others = new AbortController();
    const either = signal === undefined ? others.signal : AbortSignal.any([others.signal, signal]);
    const reads = this.#read.map(async (_, partition) => {
      return { partition, result: await this.#readOn(partition, { maxRecords, waitMs, signal: either }) };
    });
    try {
      const { partition, result } = await Promise.race(reads);
      await this.#take(partition, result);
      return result.records.length;
    } finally {
      others.abort();
      await Promise.allSettled(reads); // a read that comes second is repeated
    }
  }

  /**
   * Takes samples in the order of the previous run.
   *
   * @param signal ends it: it then rejects with the signal's reason
   * @throws LogError `closed` when the log now ends before samples that it has had
   */
  async readAgain(order: readonly Stretch[], signal?: AbortSignal): Promise<void> {
    this.#earlier = order;
    for (const { partition, end } of order) {
      for (;;) {
        // Reading a log in memory never yields the thread, so the signal could not be aborted.
        await turn();
        signal?.throwIfAborted();
        const from = this.#read[partition] ?? end;
        if (from >= end) break;
        const result = await this.#readOn(partition, { maxRecords: AGAIN_SAMPLES });
        if (result.next === from) throw endsEarly(this.#topic, partition, from, end);
        await this.#take(partition, result, end);
      }
    }
  }

  /**
   * Takes all samples that a build has left: of the next sample of each partition, the one with the lowest
   * {@linkcode ROUND}. A sample without a round was made by a service and is next as soon as it is the first of its
   * partition, the oldest first. So each partition keeps its order, and a run that begins in the middle continues the same way.
   *
   * @returns the highest round
   */
  async readRounds(): Promise<number> {
    let highest = 0;
    const bounds = await Promise.all(this.#read.map((_, n) => this.#log.bounds(this.#topic, n)));
    const waiting = await Promise.all(bounds.map(({ end }, partition) => this.#next(partition, end)));
    for (;;) {
      const record = waiting.flatMap(([first]) => first ?? []).toSorted(byRound)[0];
      if (record === undefined) return highest;
      const { partition, offset } = record;
      highest = Math.max(highest, roundOf(record));
      await this.#take(partition, { records: [record], next: offset + 1 });
      waiting[partition]!.shift();
      if (waiting[partition]!.length === 0) {
        waiting[partition] = await this.#next(partition, bounds[partition]!.end);
      }
    }
  }

  /** Reads the next records of a partition without taking them; empty when it was read up to `end`. */
  async #next(partition: number, end: number): Promise<LogRecord[]> {
    for (let from = this.#read[partition]!; from < end; from = this.#read[partition]!) {
      const { records, next, dropped = 0 } = await this.#log.read(this.#topic, partition, from, {
        maxRecords: AGAIN_SAMPLES,
      });
      if (dropped > 0) this.#lose(partition, dropped);
      if (records.length > 0) return [...records];
      if (next === from) throw endsEarly(this.#topic, partition, next, end);
      this.#read[partition] = next;
    }
    return [];
  }

  /** Reads the next records of a partition without taking them. */
  async #readOn(partition: number, options: ReadOptions): Promise<LossyRead> {
    const epoch = this.#epochs[partition];
    const from = this.#read[partition] ?? 0;
    try {
      return await this.#log.read(this.#topic, partition, from, { ...options, epoch });
    } catch (error) {
      const kept = keptOf(error);
      return { records: [], next: kept, kept };
    }
  }

  get #isEmpty(): boolean {
    return this.#taken.length === 0 && this.#forgotten.length === 0;
  }

  /** Ends the current batch, full or not; it may be empty. */
  cut(): Batch {
    const batch = { taken: this.#taken, forgotten: this.#forgotten };
    this.#taken = [];
    this.#rows = 0;
    this.#forgotten = [];
    this.#learnt = [...this.#read];
    this.#learntEpochs = [...this.#epochs];
    this.#order.seal();
    return batch;
  }

  /** Counts and logs dropped offsets, except before this learner's first sample. */
  #lose(partition: number, dropped: number): void {
    const from = this.#read[partition] ?? 0;
    if (from === 0) return;
    this.lost += dropped;
    logger.error(
      "{model} has lost {count} offsets of {topic}/{partition}, {from} to {last}: the log dropped them before they were " +
        "learnt. The learner continues after them; repeat any erasures among them",
      {
        model: this.#options.model,
        count: dropped,
        topic: this.#topic,
        partition,
        from,
        last: from + dropped - 1,
      },
    );
    this.#read[partition] = from + dropped;
  }

  /** Takes samples below the offset `end`, and passes on each full batch. */
  async #take(
    partition: number,
    { records, next, epoch, dropped = 0, kept }: LossyRead,
    end = Infinity,
  ): Promise<boolean> {
    if (kept !== undefined) {
      await this.#options.goBack(this.#learnt.map((at, n) => n === partition ? Math.min(at, kept) : at));
      return false;
    }
    if (dropped > 0) this.#lose(partition, dropped);
    this.#epochs[partition] = epoch;
    for (const record of records) {
      if (record.offset >= end) {
        this.#read[partition] = end;
        return true;
      }
      if (record.offset < this.#read[partition]!) {
        const place = `${this.#topic}/${partition}@${record.offset}`;
        throw new RangeError(`Cannot take ${place}: the position is ${this.#read[partition]}`);
      }
      this.#read[partition] = record.offset + 1;
      this.#order.add(partition, record.offset + 1);
      if (record.value === null) {
        if (record.key === null) continue;
        this.#forgotten.push(record.key);
        await this.#learn(this.cut());
        continue;
      }
      const handed = this.#options.handover?.take(record.offset);
      // A variant's model starts from scratch.
      if (record.headers[LEARNT] !== undefined && this.#options.variant === undefined) {
        if (this.#isEmpty) {
          this.#learnt = this.#learnt.with(partition, record.offset + 1);
          this.#learntEpochs[partition] = epoch;
        }
        continue;
      }
      const read = handed ?? decode(record, record.value);
      const sample = read && this.#view(read);
      if (sample === null) continue;
      this.#taken.push({ sample, bytes: record.value });
      this.#rows += sizeInBatch(sample);
      if (this.#rows >= this.#options.batchRows) await this.#learn(this.cut());
    }
    this.#read[partition] = next;
    return records.length > 0;
  }

  /**
   * A sample as this model may use it: with its own state of the user, without predictions or state of other models.
   */
  #view(sample: Sample): Sample | null {
    const { model, variant } = this.#options;
    // Retrieval uses only what the deployment's own learner has learnt from behaviours.
    if (variant !== undefined && (sample.next ?? sample.preference) !== undefined) return null;
    if (sample.model === variant) return sample;
    if (sample.purpose === "judge") return null;
    const { state: _, otherStates = [], ...rest } = sample;
    const own = otherStates.find((other) => other.model === model);
    const viewed: Sample = { ...rest, purpose: "learn" };
    return own === undefined ? viewed : { ...viewed, state: own };
  }
}

/** The round of a build that made a sample; 0 = a service made it. */
function roundOf({ headers }: LogRecord): number {
  return Number(headers[ROUND] ?? 0);
}

function byRound(a: LogRecord, b: LogRecord): number {
  return roundOf(a) - roundOf(b) || a.time - b.time || a.partition - b.partition;
}

/** Decodes a sample; `null` when that fails. @throws LogError `corrupt` when a newer release has written it */
function decode(record: LogRecord, value: Uint8Array): Sample | null {
  try {
    return decodeSample(value);
  } catch (cause) {
    if (isOfNewerRelease(record, SAMPLE_FORMATS)) {
      const remedy = "a newer release has written it: run that release";
      throw corruptRecord("learn", record, cause, remedy);
    }
    unreadable.leaveOut(record, cause, "no model learns from it");
    return null;
  }
}
