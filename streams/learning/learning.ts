/**
 * The runtime of the learner: reads samples in order, judges their frozen predictions, learns them in batches,
 * publishes versions, and writes checkpoints.
 *
 * After a crash the learner goes back to its last checkpoint and relearns the samples after it. Versions that are
 * already on the log are made again but not published twice. Partitions have no order among each other, so the order in
 * which samples were taken is written along with each version, so that a version made again is the same.
 *
 * `batch_reader.ts` makes batches of samples, `src/learner/watched_learner.ts` judges and learns them, and
 * `learner_committer.ts` decides which versions and checkpoints are written, and writes them.
 */

import { setImmediate as turn } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Guard } from "../../src/learner/guard/guard.ts";
import type { Learner } from "../../src/learner/learner.ts";
import type { Proof } from "../../src/learner/proof.ts";
import type { Validation } from "../../src/learner/validation.ts";
import { WatchedLearner } from "../../src/learner/watched_learner.ts";
import { settle } from "../../src/options/option.ts";
import { type Batch, BatchReader } from "./batch_reader.ts";
import type { CarriedWeights } from "./carried_weights.ts";
import { LearnerCommitter } from "./learner_committer.ts";
import { LearnerRecords } from "./learner_records.ts";
import { LEARNING_OPTIONS, type LearningRuntime } from "./options.ts";
import type { UngroupedLog } from "../log/log.ts";
import { partitionsOf } from "../log/reading.ts";
import type { Topics } from "../topics/topics.ts";

const logger = getLogger(["meander", "learner"]);

/** Options of {@linkcode Learning.step}. */
export interface LearningStepOptions {
  /** Maximum number of samples to take. @default {8} */
  readonly maxSamples?: number;
  /** How long to wait for a first sample, milliseconds. @default {0} */
  readonly waitMs?: number;
  /** Ends the wait: the step then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Options of a {@linkcode Learning}, and the samples that it learns. */
interface LearningSetup extends LearningRuntime {
  /** Their topic, and its number of partitions. */
  readonly samples: string;
  readonly partitions: number;
}

/** What a learner resumes with. */
interface ResumeOptions {
  readonly hasCheckpoint: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * A learner that runs on a log, in a replay or a service: it judges and learns the samples of all partitions, and
 * publishes versions.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog, openSource, PROFILES, replay } from "@meander/meander";
 *
 * const task = PROFILES.meander;
 * await using log = new MemoryLog();
 * const { learning } = await replay(log, openSource("meander", "fixtures/shop"), {
 *   model: "base", modelConfig: {}, task, learner: { schema: task.schema },
 *   limit: 1000, manifest: "{}",
 * });
 * assert.equal(learning.validation.rows.length, learning.validation.judged);
 * assert.ok(learning.version > 1);
 * ```
 */
export class Learning implements AsyncDisposable {
  /** @internal Number of records that the last {@linkcode Learning.step} took. */
  taken = 0;

  readonly #watched: WatchedLearner;
  readonly #reader: BatchReader;
  readonly #committer: LearnerCommitter;
  readonly #records: LearnerRecords;
  readonly #giveWay: () => Promise<unknown>;

  private constructor(log: UngroupedLog, records: LearnerRecords, learner: Learner, options: LearningSetup) {
    const { samples, partitions, variant, handover, recoveryBatches = 5, trimSamples = false } = options;
    const { now = () => performance.now(), giveWay = turn } = options;
    const settled = settle(LEARNING_OPTIONS, options);
    const { batchRows } = settled;
    const watched = this.#watched = new WatchedLearner(learner, { ...settled, recoveryBatches });
    const { name: model } = learner.model;
    const reader = this.#reader = new BatchReader(log, samples, (batch) => this.#learn(batch), {
      partitions,
      batchRows,
      model,
      variant,
      handover,
      goBack: (positions) => this.#goBack(samples, positions),
    });
    this.#committer = new LearnerCommitter({ watched, reader, records, now }, { ...settled, trimSamples });
    this.#records = records;
    this.#giveWay = giveWay;
  }

  /**
   * Continues from the last checkpoint, or publishes the initial parameters as version 1.
   *
   * @internal
   */
  static async open(
    log: UngroupedLog,
    topics: Topics,
    learner: Learner,
    options: LearningRuntime = {},
  ): Promise<Learning> {
    await using opened = new AsyncDisposableStack();
    const records = opened.use(await LearnerRecords.open(log, topics, learner.model.name));
    const { samples } = topics;
    const partitions = await partitionsOf(log, samples);
    const learning = new Learning(log, records, learner, { ...options, samples, partitions });
    const hasCheckpoint = await learning.#committer.resume();
    await learning.#resumeSamples(topics, { hasCheckpoint, signal: options.signal });
    opened.move();
    return learning;
  }

  /** Continues with the samples after the checkpoint: first in the order of the previous run. */
  async #resumeSamples(
    { samples, checkpoints }: Topics,
    { hasCheckpoint, signal }: ResumeOptions,
  ): Promise<void> {
    const { name: model } = this.learner.model;
    const { areSamplesNew, lost, hadOne } = await this.#records.atCheckpoint();
    if (hasCheckpoint) this.#reader.lost = lost;
    else if (hadOne) {
      logger.error(
        "{topic} has lost the checkpoint of {model}: the learner starts over from its initial weights with what " +
          "{samples} still has; the newest version serves until the learner has made as many versions",
        { topic: checkpoints, model, samples },
      );
    }
    if (hasCheckpoint && areSamplesNew) {
      logger.warn(
        "{topic} was created again: {model} learns it from its start, and keeps what it has learnt",
        { topic: samples, model },
      );
      this.#reader.seek(this.#reader.positions.map(() => 0));
      await this.checkpoint(); // what is learnt from here on belongs to the new topic
      return;
    }
    const { positions } = this.#reader;
    const order = positions.length > 1 ? await this.#records.order() : [];
    const read = positions.map((position, n) =>
      order.reduce((last, { partition, end }) => partition === n ? Math.max(last, end) : last, position)
    );
    const found = await Promise.all(read.map((end, partition) => this.#records.samplesKept(partition, end)));
    if (found.some(({ kept }) => kept < Infinity)) {
      return await this.#goBack(samples, found.map(({ kept }, n) => Math.min(kept, positions[n]!)));
    }
    this.#reader.seek(
      positions,
      found.map(({ offset, epoch }, n) => offset === positions[n] ? epoch : undefined),
    );
    await this.#reader.readAgain(order, signal);
  }

  /** Goes back to positions, because the log has lost samples after them; what was learnt from those stays. */
  async #goBack(topic: string, positions: readonly number[]): Promise<void> {
    logger.error(
      "{topic} has lost samples that {model} had read (was a leader elected without them, or an older copy of the data " +
        "restored?): it resumes at {ends}",
      { topic, model: this.learner.model.name, ends: positions.join() },
    );
    this.#reader.seek(positions);
    await this.checkpoint(); // the next samples have the offsets of the lost ones
  }

  /** The learner. */
  get learner(): Learner {
    return this.#watched.learner;
  }

  /** The judged predictions. */
  get validation(): Validation {
    return this.#watched.validation;
  }

  /** @internal Decides the model's share in the order of lists; `null` = the model alone orders them. */
  get proof(): Proof | null {
    return this.#watched.proof;
  }

  /** Newest version made. Each batch makes one; a service publishes the last of each interval. */
  get version(): number {
    return this.#committer.version;
  }

  /** @internal Number of batches whose weights were withheld because they, or the served weights, were not trusted. */
  get heldBatches(): number {
    return this.#committer.heldBatches;
  }

  /** @internal Positions after the last learnt samples, by partition. */
  get positions(): readonly number[] {
    return this.#reader.positions;
  }

  /** @internal The guard, which watches the served predictions. */
  get guard(): Guard {
    return this.#watched.rails.guard;
  }

  /** Number of batches discarded because of a non-finite loss or gradient. */
  get failures(): number {
    return this.#watched.rails.counts.failures;
  }

  /** How often the guard rolled served weights back. */
  get rollbacks(): number {
    return this.#watched.rails.counts.rollbacks;
  }

  /** Number of offsets of samples that the log dropped before they were learnt. */
  get lost(): number {
    return this.#reader.lost;
  }

  /** Number of samples not learnt yet, including holes of the log. */
  async lag(): Promise<number> {
    return await this.#reader.lag();
  }

  /**
   * Learns all full batches that are on the log, and publishes a version for each.
   *
   * @param final whether to learn the last, partial batch as well, because the stream has ended
   *
   * @internal
   */
  async drain(final = false): Promise<void> {
    this.#committer.publishing = "each";
    await this.#learnAll(final);
  }

  async #learnAll(final = false): Promise<void> {
    while (await this.#reader.read(256) > 0);
    if (!final) return;
    const rest = this.#reader.cut();
    if (rest.taken.length > 0) await this.#learn(rest);
    await this.checkpoint();
  }

  /** @internal Learns all full batches of a round of a build, and publishes only the newest version. */
  async learnRound(): Promise<void> {
    await this.#publishingLast(() => this.#learnAll());
  }

  /** @internal Learns the samples that a build has left, and publishes the newest version. @returns their last round */
  async learnLeftover(): Promise<number> {
    return await this.#publishingLast(() => this.#reader.readRounds());
  }

  /** Learns, and publishes the newest version at the end. */
  async #publishingLast<T>(learn: () => Promise<T>): Promise<T> {
    this.#committer.publishing = "last";
    const result = await learn().finally(() => {
      this.#committer.publishing = "each";
    });
    await this.#committer.publish();
    return result;
  }

  /**
   * Learns some samples, for a service that also has other work to do. Publishes at most one version per interval.
   *
   * @returns Whether it did anything
   *
   * @internal
   */
  async step({ maxSamples = 8, waitMs = 0, signal }: LearningStepOptions = {}): Promise<boolean> {
    this.#committer.publishing = "paced";
    // If the last step took none, the wait is the next look at the log.
    if (waitMs <= 0 || this.taken > 0) {
      this.taken = await this.#reader.read(maxSamples);
      if (this.taken > 0) return true;
    }
    if (await this.#committer.writeDue()) return true;
    if (waitMs <= 0) return false;
    this.taken = await this.#reader.wait(maxSamples, Math.min(waitMs, this.#committer.untilDue), signal);
    return this.taken > 0;
  }

  /** @internal Publishes pending versions and writes a checkpoint, atomically. */
  async checkpoint(): Promise<void> {
    await this.#committer.checkpoint();
  }

  /**
   * @internal Takes over whether the model has proved itself from where its initial weights come from, and records what
   * they have learnt.
   */
  async continueFrom({ proof, learntBefore }: Pick<CarriedWeights, "proof" | "learntBefore">): Promise<void> {
    if (this.proof !== null && proof !== null) {
      const copy = new ByteWriter(1 << 10);
      proof.encode(copy);
      const { share } = this.proof;
      this.proof.decode(new ByteReader(copy.toBytes()));
      if (this.proof.share !== share) this.#committer.makeVersion(); // as version 1 has the share without a proof
    }
    await this.#records.noteLearnt(learntBefore);
    await this.checkpoint();
  }

  /** Closes without a checkpoint. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#records[Symbol.asyncDispose]();
  }

  async #learn({ taken, forgotten }: Batch): Promise<void> {
    if (taken.length > 0) this.#learnSamples(taken);
    if (forgotten.length > 0) this.#erase(forgotten);
    await this.#committer.save({ hasLearnt: taken.length > 0, hasErased: forgotten.length > 0 });
    if (this.#committer.publishing === "last") await this.#giveWay(); // a build may run in the thread of a service
  }

  #learnSamples(taken: Batch["taken"]): void {
    const { rollbacks } = this;
    const origin = this.#watched.learn(taken, this.version);
    this.#committer.learnt(origin, taken.reduce((sum, { bytes }) => sum + bytes.length, 0));
    if (this.rollbacks === rollbacks) return;
    logger.warn(
      "predictions of {model} have got worse: the guard serves earlier weights until they are back in its band",
      { model: this.learner.model.name },
    );
  }

  #erase(users: readonly string[]): void {
    this.#watched.erase(users);
    this.#committer.erased();
  }
}
