/**
 * The runtime of the learner: reads samples in order, judges their frozen predictions, learns them in batches,
 * publishes versions, and writes checkpoints.
 *
 * After a crash the learner goes back to its last checkpoint and relearns the samples after it. Versions that are
 * already on the log are made again but not published twice. Partitions have no order among each other, so the order in
 * which samples were taken is written along with each version, so that a version made again is the same.
 *
 * `batch_reader.ts` makes batches of samples, `version_pace.ts` decides which versions are published and when,
 * `checkpoint_pace.ts` when a checkpoint is written, `learner_records.ts` writes them, and `src/learner/guard_rails.ts`
 * decides what happens to weights that cannot be trusted.
 *
 * @module
 */

import { setImmediate as turn } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { Guard } from "../../src/learner/guard/guard.ts";
import { GuardRails } from "../../src/learner/guard_rails.ts";
import type { Learner } from "../../src/learner/learner.ts";
import { Proof } from "../../src/learner/proof.ts";
import { Validation } from "../../src/learner/validation.ts";
import { settle } from "../../src/options/option.ts";
import type { ParameterVersion } from "../../src/serving/version.ts";
import { type Batch, BatchReader } from "./batch_reader.ts";
import { decodeHead, encodeHead } from "./checkpoint_head.ts";
import { CheckpointPace } from "./checkpoint_pace.ts";
import { LearnerRecords } from "./learner_records.ts";
import { LEARNING_OPTIONS, type LearningRuntime } from "./options.ts";
import { VersionPace } from "./version_pace.ts";
import type { UngroupedLog } from "../log/log.ts";
import type { Topics } from "../topics/topics.ts";

const logger = getLogger(["meander", "learner"]);

/** Time between two checks of whether the newest snapshot is still on the log, milliseconds. */
const LOOK_MS = 10_000;

/** Options of {@linkcode Learning.step}. */
export interface LearningStepOptions {
  /** Maximum number of samples to take. @default {8} */
  readonly maxSamples?: number;
  /** How long to wait for a first sample, milliseconds. @default {0} */
  readonly waitMs?: number;
  /** Ends the wait: the step then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The open parts of a {@linkcode Learning}. */
interface Opened {
  readonly log: UngroupedLog;
  readonly topics: Topics;
  readonly records: LearnerRecords;
  readonly partitions: number;
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
 *   ...{ model: "base", modelConfig: {}, task, learner: { schema: task.schema } },
 *   ...{ limit: 1000, manifest: "{}" },
 * });
 * assert.equal(learning.validation.rows.length, learning.validation.judged);
 * assert.ok(learning.version > 1);
 * ```
 */
export class Learning implements AsyncDisposable {
  /** The learner. */
  readonly learner: Learner;
  /** The judged predictions. */
  readonly validation: Validation;
  /** @internal Decides the model's share in the order of lists; `null` = the model alone orders them. */
  readonly proof: Proof | null;
  /** @internal Number of batches whose weights were withheld because they, or the served weights, were not trusted. */
  heldBatches = 0;
  /** @internal Number of records that the last {@linkcode Learning.step} took. */
  taken = 0;

  readonly #reader: BatchReader;
  readonly #rails: GuardRails;
  readonly #versions: VersionPace;
  readonly #checkpoints: CheckpointPace;
  readonly #records: LearnerRecords;
  readonly #options: {
    readonly checkpointBatches: number;
    readonly trimSamples: boolean;
    /** Whether full snapshots do not replace the versions before them. */
    readonly keepsVersions: boolean;
    readonly giveWay: () => Promise<unknown>;
  };
  readonly #now: () => number;
  /** When we last checked that the newest snapshot is on the log. */
  #lookedAt = -Infinity;

  private constructor(opened: Opened, learner: Learner, options: LearningRuntime) {
    const { log, topics, records, partitions } = opened;
    this.learner = learner;
    this.#records = records;
    const { now = () => performance.now() } = options;
    this.#now = now;
    const settled = settle(LEARNING_OPTIONS, options);
    const { checkpointBatches, checkpointIntervalMs, batchRows, keepRows, guard, proof } = settled;
    const keepsVersions = settled.snapshotVersions === null;
    const { trimSamples = false, giveWay = turn } = options;
    this.#options = { checkpointBatches, trimSamples, keepsVersions, giveWay };
    this.#reader = new BatchReader(log, topics.samples, (batch) => this.#learn(batch), {
      partitions,
      batchRows,
      model: learner.model.name,
      variant: options.variant,
      handover: options.handover,
    });
    this.validation = new Validation({ rows: keepRows });
    this.proof = proof === null ? null : new Proof(proof);
    this.#rails = new GuardRails(learner, {
      guard,
      recoveryBatches: options.recoveryBatches ?? 5,
    });
    this.#versions = new VersionPace(settled, now);
    this.#checkpoints = new CheckpointPace(checkpointIntervalMs, now);
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
    const partitions = (await log.topics()).get(topics.samples)?.partitions ?? 1;
    const learning = new Learning({ log, topics, records, partitions }, learner, options);
    const isDamaged = await learning.#findVersions();
    if (!learning.#options.keepsVersions) await records.dropReplaced();
    const checkpoint = await records.checkpoint();
    if (checkpoint === null) await learning.#begin();
    else learning.#resume(checkpoint);
    // Later deltas build on a version that cannot be read.
    if (isDamaged) learning.#versions.needsFull = true;
    await learning.#resumeSamples(topics, partitions, checkpoint !== null, options.signal);
    opened.move();
    return learning;
  }

  /** Notes the versions that the previous run has published, perhaps after its checkpoint. @returns whether some are damaged */
  async #findVersions(): Promise<boolean> {
    let isDamaged = false;
    for await (const found of this.#records.versions()) {
      if (found === null) isDamaged = true;
      else this.#versions.found(found.version, found);
    }
    return isDamaged;
  }

  /** Continues from a checkpoint. @throws LogError `corrupt` when it is damaged */
  #resume(checkpoint: Uint8Array): void {
    try {
      this.#decode(checkpoint);
    } catch (cause) {
      throw this.#records.damagedCheckpoint(cause);
    }
  }

  /** Continues with the samples after the checkpoint: first in the order of the previous run. */
  async #resumeSamples(
    { samples, checkpoints }: Topics,
    partitions: number,
    hasCheckpoint: boolean,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { name: model } = this.learner.model;
    const { areSamplesNew, lost, hadOne } = await this.#records.atCheckpoint();
    if (hasCheckpoint) this.#reader.lost = lost;
    else if (hadOne) {
      logger.error(
        "{topic} has lost the checkpoint of {model}: the learner starts over from its initial weights with what " +
          "{samples} still has; the newest version serves until the learner has made as many",
        { topic: checkpoints, model, samples },
      );
    }
    if (hasCheckpoint && areSamplesNew) {
      logger.warn(
        "{topic} was created again: {model} learns it from its start, in addition to what it has learnt",
        { topic: samples, model },
      );
      this.#reader.seek(new Array<number>(partitions).fill(0));
      await this.checkpoint(); // what is learnt from here on belongs to the new topic
    } else if (partitions > 1) await this.#reader.readAgain(await this.#records.order(), signal);
  }

  /**
   * Learns all full batches that are on the log, and publishes a version for each.
   *
   * @param final whether to learn the last, partial batch as well, because the stream has ended
   *
   * @internal
   */
  async drain(final = false): Promise<void> {
    this.#versions.publishing = "each";
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
    this.#versions.publishing = "last";
    const result = await learn().finally(() => {
      this.#versions.publishing = "each";
    });
    if (this.#hasPending) await this.#commit(this.#takeVersions());
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
    this.#versions.publishing = "paced";
    // If the last step took none, the wait is the next look at the log.
    if (waitMs <= 0 || this.taken > 0) {
      this.taken = await this.#reader.read(maxSamples);
      if (this.taken > 0) return true;
    }
    if (this.#now() - this.#lookedAt >= LOOK_MS && await this.#replaceDropped()) return true;
    const untilDue = this.#hasPending ? this.#versions.untilDue : Infinity;
    if (untilDue <= 0) {
      await this.#commit(this.#takeVersions());
      return true;
    }
    const { untilClean } = this.#checkpoints;
    if (untilClean <= 0) {
      await this.#writeClean();
      return true;
    }
    if (waitMs <= 0) return false;
    this.taken = await this.#reader.wait(maxSamples, Math.min(waitMs, untilDue, untilClean), signal);
    return this.taken > 0;
  }

  /** Newest version made. Each batch makes one; a service publishes the last of each interval. */
  get version(): number {
    return this.#versions.made;
  }

  /** @internal Positions after the last learnt samples, by partition. */
  get positions(): readonly number[] {
    return this.#reader.positions;
  }

  /** @internal The guard, which watches the served predictions. */
  get guard(): Guard {
    return this.#rails.guard;
  }

  /** Number of batches discarded because of a non-finite loss or gradient. */
  get failures(): number {
    return this.#rails.counts.failures;
  }

  /** How often the guard rolled served weights back. */
  get rollbacks(): number {
    return this.#rails.counts.rollbacks;
  }

  /** Number of offsets of samples that the log dropped before they were learnt. */
  get lost(): number {
    return this.#reader.lost;
  }

  /** Number of samples not learnt yet, including holes of the log. */
  async lag(): Promise<number> {
    return await this.#reader.lag();
  }

  /** @internal Publishes pending versions and writes a checkpoint, atomically. */
  async checkpoint(): Promise<void> {
    const versions = this.#hasPending ? this.#takeVersions() : [];
    await this.#write(this.#rails.keep(this.validation.judged), versions);
  }

  /**
   * @internal Takes over whether the model has proved itself, and skips all samples that are on the log now, because
   * its initial weights have learnt them elsewhere.
   */
  async goOnFrom(before: Learning): Promise<void> {
    if (this.proof !== null && before.proof !== null) {
      const copy = new ByteWriter(1 << 10);
      before.proof.encode(copy);
      const { share } = this.proof;
      this.proof.decode(new ByteReader(copy.toBytes()));
      if (this.proof.share !== share) this.#makeVersion(); // as version 1 has the share without a proof
    }
    await this.pass();
  }

  /** @internal Skips all samples that are on the log now, but erases the users that they erase. */
  async pass(): Promise<void> {
    const erased = await this.#reader.pass();
    if (erased.length > 0) {
      this.#erase(erased);
      this.#makeVersion();
    }
    await this.checkpoint();
  }

  /** Closes without a checkpoint. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#records[Symbol.asyncDispose]();
  }

  /** Publishes another version as a full snapshot if the log has dropped the newest: without one, no task can start. */
  async #replaceDropped(): Promise<boolean> {
    this.#lookedAt = this.#now();
    if (this.#hasPending || !this.#mayPublish || await this.#records.hasSnapshot()) return false;
    logger.warn("{topic} has dropped the newest snapshot of {model}: publishes another", {
      topic: this.#records.topic,
      model: this.learner.model.name,
    });
    this.#versions.needsFull = true;
    this.#makeVersion();
    await this.#writeClean(); // with a checkpoint, because a version made again must be the same
    return true;
  }

  /** Publishes the initial parameters, unless the previous run has, whose order of samples must not be overwritten. */
  async #begin(): Promise<void> {
    this.#versions.needsFull = true;
    this.#makeVersion();
    if (this.#hasPending) await this.#commit(this.#takeVersions());
  }

  async #learn({ taken, forgotten }: Batch): Promise<void> {
    if (taken.length > 0) this.#learnSamples(taken);
    if (forgotten.length > 0) this.#erase(forgotten);
    if (this.#mayPublish) this.#makeVersion();
    else {
      if (taken.length > 0) this.heldBatches++;
      if (forgotten.length > 0) await this.#replaceServed();
    }
    await this.#save(taken.length > 0);
    if (this.#versions.publishing === "last") await this.#options.giveWay(); // a build may run in the thread of a service
  }

  /** Publishes trusted weights while the learner's are withheld, because the served ones name an erased user. */
  async #replaceServed(): Promise<void> {
    const takeBack = this.#rails.lend();
    try {
      this.#versions.needsFull = true;
      if (!this.#versions.make()) await this.#commit(this.#takeVersions());
    } finally {
      takeBack();
      this.#versions.needsFull = true;
    }
  }

  /** Erases users from the learner; the next checkpoint and full snapshot replace those that name them. */
  #erase(users: readonly string[]): void {
    this.#rails.erase(users);
    this.validation.erase(users);
    this.#versions.namesErased = true;
    this.#checkpoints.isErasing = true;
  }

  #learnSamples(taken: Batch["taken"]): void {
    for (const { sample, bytes } of taken) {
      this.validation.update(sample, bytes);
      this.#checkpoints.note(bytes.length);
    }
    const samples = taken.map(({ sample }) => sample);
    const result = this.learner.learn(samples);
    this.validation.mark(result, this.learner.dataTime, this.version);
    const { judged } = this.validation;
    const { rollbacks } = this;
    this.proof?.update(samples.filter(({ purpose }) => purpose !== "learn"));
    const origin = this.#rails.update({ samples, result, judged, version: this.version });
    if (origin !== "learnt") this.#versions.needsFull = true;
    if (origin === "chosen") this.#versions.isChosen = true;
    if (this.rollbacks === rollbacks) return;
    logger.warn(
      "predictions of {model} have got worse: the guard serves earlier weights until they are back in its band",
      { model: this.learner.model.name },
    );
  }

  /** Writes the versions and checkpoint that are due after a batch. @param hasLearnt whether it had samples */
  async #save(hasLearnt: boolean): Promise<void> {
    const { checkpointBatches } = this.#options;
    const isPaced = this.#versions.publishing === "paced";
    const keeps = hasLearnt && this.learner.steps % checkpointBatches === 0 && !this.#rails.isRecovering;
    const pace = this.#checkpoints;
    const writes = keeps && (isPaced ? pace.untilDue <= 0 : pace.isWorthwhile);
    const versions = this.#hasPending && (writes || this.#versions.untilDue <= 0) ? this.#takeVersions() : [];
    // The point to roll back to must not depend on the clock; when a checkpoint is written may.
    const learner = keeps ? this.#rails.keep(this.validation.judged) : undefined;
    if (learner !== undefined && writes) await this.#write(learner, versions);
    else if (versions.length > 0) await this.#commit(versions);
    // Under constant load, step() never gets to this.
    if (isPaced && this.#checkpoints.untilClean <= 0) await this.#writeClean();
  }

  /** Writes a checkpoint, for example to replace one that names an erased user. The point to roll back to stays. */
  async #writeClean(): Promise<void> {
    const versions = this.#hasPending ? this.#takeVersions() : [];
    await this.#write(this.#rails.encodeLearner(), versions);
  }

  get #mayPublish(): boolean {
    return this.#rails.publishes || this.#versions.isChosen;
  }

  /** Whether there is a version to publish. */
  get #hasPending(): boolean {
    return this.#versions.isAhead && this.#mayPublish;
  }

  /** Makes the next version, unpublished, unless the previous run has published it or a later one. */
  #makeVersion(): void {
    if (this.#versions.make()) this.learner.clearChanged();
  }

  /** The newest version in the forms to publish. */
  #takeVersions(): ParameterVersion[] {
    const { published } = this.#versions;
    const share = this.proof?.share ?? 1;
    return this.#versions.nextForms().map((kind) => (
      { ...this.learner.version(kind, this.version, published), share }
    ));
  }

  /** Writes a checkpoint. @param learner as encoded by {@linkcode GuardRails.encodeLearner} */
  async #write(learner: Uint8Array, versions: readonly ParameterVersion[]): Promise<void> {
    const checkpoint = this.#encode(learner);
    await this.#commit(versions, checkpoint);
    this.#checkpoints.written(checkpoint.length);
    // Not before the commit, so that the orders in the topic's history have no gap, for audits.
    this.#reader.forgetOrder();
    if (this.#options.trimSamples) await this.#records.trimSamples(this.positions);
  }

  async #commit(versions: readonly ParameterVersion[], checkpoint?: Uint8Array): Promise<void> {
    const { keepsVersions } = this.#options;
    const { forms, orderBytes } = await this.#records.commit({
      positions: this.positions,
      lost: this.lost,
      order: this.#reader.order,
      time: this.learner.dataTime,
      versions,
      supersedes: !keepsVersions && versions.some(({ kind }) => kind === "full"),
      checkpoint,
    });
    this.#checkpoints.note(orderBytes);
    if (versions.length > 0) this.#versions.arrived(forms);
  }

  #encode(learner: Uint8Array): Uint8Array {
    const to = new ByteWriter(1 << 16);
    encodeHead(to, {
      positions: this.positions,
      version: this.version,
      ...this.#rails.counts,
      heldBatches: this.heldBatches,
      needsFull: this.#versions.needsFull,
    });
    this.#rails.encode(to, learner);
    this.validation.encode(to);
    if (this.proof !== null) this.proof.encode(to);
    return to.toBytes();
  }

  #decode(bytes: Uint8Array): void {
    this.#checkpoints.found(bytes.length);
    const from = new ByteReader(bytes);
    const head = decodeHead(from);
    this.#reader.seek(head.positions);
    this.#versions.made = head.version;
    this.#versions.needsFull = head.needsFull;
    this.heldBatches = head.heldBatches;
    this.#rails.decode(from, head);
    this.validation.decode(from);
    if (this.proof === null) return;
    // A checkpoint without a proof is from a model that ordered lists without one.
    if (from.done) this.proof.trust();
    else this.proof.decode(from);
  }
}
