/**
 * Commits a learner: a version, a checkpoint or both become visible together with the positions of its samples.
 *
 * `version_pace.ts` decides which versions are published and when, `checkpoint_pace.ts` when a checkpoint is written,
 * and `learner_records.ts` writes them.
 */

import { getLogger } from "@logtape/logtape";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import type { WeightsOrigin } from "../../src/learner/guard_rails.ts";
import type { WatchedLearner } from "../../src/learner/watched_learner.ts";
import type { ParameterVersion } from "../../src/serving/version.ts";
import type { BatchReader } from "./batch_reader.ts";
import { decodeHead, encodeHead } from "./checkpoint_head.ts";
import { CheckpointPace } from "./checkpoint_pace.ts";
import type { LearnerRecords } from "./learner_records.ts";
import { type Publishing, VersionPace, type VersionPaceOptions } from "./version_pace.ts";

const logger = getLogger(["meander", "learner"]);

/** Time between two checks of whether the newest snapshot is still on the log, milliseconds. */
const LOOK_MS = 10_000;

/** What is committed, and where to. */
export interface LearnerCommitterParts {
  readonly watched: WatchedLearner;
  /** Knows which samples are learnt, and in which order. */
  readonly reader: BatchReader;
  readonly records: LearnerRecords;
  /** A clock in milliseconds. */
  readonly now: () => number;
}

/** Options of a {@linkcode LearnerCommitter}; see `LearningOptions`. */
export interface LearnerCommitterOptions extends VersionPaceOptions {
  readonly checkpointBatches: number;
  readonly checkpointIntervalMs: number;
  readonly trimSamples: boolean;
}

/** Decides what is committed of one learner, and commits it. */
export class LearnerCommitter {
  /** Number of batches whose weights were withheld because they, or the served weights, were not trusted. */
  heldBatches = 0;
  readonly #parts: LearnerCommitterParts;
  readonly #options: LearnerCommitterOptions;
  readonly #versions: VersionPace;
  readonly #checkpoints: CheckpointPace;
  /** When we last checked that the newest snapshot is on the log. */
  #lookedAt = -Infinity;

  /** Starts without a version; call {@linkcode LearnerCommitter.resume} before anything else. */
  constructor(parts: LearnerCommitterParts, options: LearnerCommitterOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#versions = new VersionPace(options, parts.now);
    this.#checkpoints = new CheckpointPace(options.checkpointIntervalMs, parts.now);
  }

  /** Newest version made. */
  get version(): number {
    return this.#versions.made;
  }

  /** See {@linkcode VersionPace.publishing}. */
  get publishing(): Publishing {
    return this.#versions.publishing;
  }

  set publishing(publishing: Publishing) {
    this.#versions.publishing = publishing;
  }

  /** Whether full snapshots do not replace the versions before them. */
  get #keepsVersions(): boolean {
    return this.#options.snapshotVersions === null;
  }

  /**
   * Continues from the last checkpoint, or publishes the initial parameters as version 1.
   *
   * @returns whether there was a checkpoint
   * @throws LogError `corrupt` when the checkpoint is damaged
   */
  async resume(): Promise<boolean> {
    const { records } = this.#parts;
    let isDamaged = false;
    for await (const found of records.versions()) {
      if (found === null) isDamaged = true;
      else this.#versions.found(found.version, found); // perhaps after the checkpoint
    }
    if (!this.#keepsVersions) await records.dropReplaced();
    const checkpoint = await records.checkpoint();
    if (checkpoint === null) await this.#begin();
    else this.#decode(checkpoint);
    // Later deltas build on a version that cannot be read.
    if (isDamaged) this.#versions.needsFull = true;
    return checkpoint !== null;
  }

  /** Publishes the initial parameters, unless the previous run has, whose order of samples must not be overwritten. */
  async #begin(): Promise<void> {
    this.#versions.needsFull = true;
    this.makeVersion();
    await this.publish();
  }

  /** To be called after a batch was learnt. @param bytes size of its samples */
  learnt(origin: WeightsOrigin, bytes: number): void {
    this.#checkpoints.note(bytes);
    if (origin !== "learnt") this.#versions.needsFull = true;
    if (origin === "chosen") this.#versions.isChosen = true;
  }

  /** To be called after users were erased: the next checkpoint and full snapshot replace those that name them. */
  erased(): void {
    this.#versions.namesErased = true;
    this.#checkpoints.isErasing = true;
  }

  /** Makes the next version, unpublished, unless the previous run has published it or a later one. */
  makeVersion(): void {
    if (this.#versions.make()) this.#parts.watched.learner.clearChanged();
  }

  /** Makes a version after a batch, or withholds it, and writes what is due. */
  async save(
    { hasLearnt, hasErased }: { readonly hasLearnt: boolean; readonly hasErased: boolean },
  ): Promise<void> {
    if (this.#mayPublish) this.makeVersion();
    else {
      if (hasLearnt) this.heldBatches++;
      if (hasErased) await this.#replaceServed();
    }
    const { watched } = this.#parts;
    const isPaced = this.publishing === "paced";
    const keeps = hasLearnt && watched.learner.steps % this.#options.checkpointBatches === 0 &&
      !watched.rails.isRecovering;
    const writes = keeps &&
      (isPaced ? this.#checkpoints.untilDue <= 0 : this.#checkpoints.isWorthwhile);
    const versions = writes || this.#versions.untilDue <= 0 ? this.#takeVersions() : [];
    // The point to roll back to must not depend on the clock; when a checkpoint is written may.
    const learner = keeps ? watched.keep() : undefined;
    if (learner !== undefined && writes) await this.#write(learner, versions);
    else if (versions.length > 0) await this.#commit(versions);
    // Under constant load, a step never gets to this.
    if (isPaced && this.#checkpoints.untilClean <= 0) await this.#writeClean();
  }

  /** Publishes trusted weights while the learner's are withheld, because the served ones name an erased user. */
  async #replaceServed(): Promise<void> {
    const takeBack = this.#parts.watched.rails.lend();
    try {
      this.#versions.needsFull = true;
      if (!this.#versions.make()) await this.#commit(this.#newestVersions());
    } finally {
      takeBack();
      this.#versions.needsFull = true;
    }
  }

  /** Publishes the newest version, unless it is published or withheld. */
  async publish(): Promise<void> {
    const versions = this.#takeVersions();
    if (versions.length > 0) await this.#commit(versions);
  }

  /** Publishes what is pending and writes a checkpoint, atomically. */
  async checkpoint(): Promise<void> {
    const versions = this.#takeVersions();
    await this.#write(this.#parts.watched.keep(), versions);
  }

  /** Writes a checkpoint, for example to replace one that names an erased user. The point to roll back to stays. */
  async #writeClean(): Promise<void> {
    const versions = this.#takeVersions();
    await this.#write(this.#parts.watched.rails.encodeLearner(), versions);
  }

  /** Time until something is due without further samples, milliseconds. */
  get untilDue(): number {
    return Math.min(this.#untilPublished, this.#checkpoints.untilClean);
  }

  get #untilPublished(): number {
    return this.#hasPending ? this.#versions.untilDue : Infinity;
  }

  /** Writes one thing that is due without further samples. @returns whether anything was */
  async writeDue(): Promise<boolean> {
    if (this.#parts.now() - this.#lookedAt >= LOOK_MS && await this.#replaceDropped()) return true;
    if (this.#untilPublished <= 0) await this.publish();
    else if (this.#checkpoints.untilClean <= 0) await this.#writeClean();
    else return false;
    return true;
  }

  /** Publishes another version as a full snapshot if the log has dropped the newest: without one, no task can start. */
  async #replaceDropped(): Promise<boolean> {
    const { records, watched: { learner }, now } = this.#parts;
    this.#lookedAt = now();
    if (this.#hasPending || !this.#mayPublish || await records.hasSnapshot()) return false;
    logger.warn("{topic} has dropped the newest snapshot of {model}: publishing another", {
      topic: records.topic,
      model: learner.model.name,
    });
    this.#versions.needsFull = true;
    this.makeVersion();
    await this.#writeClean(); // with a checkpoint, because a version made again must be the same
    return true;
  }

  get #mayPublish(): boolean {
    return this.#parts.watched.rails.publishes || this.#versions.isChosen;
  }

  /** Whether there is a version to publish. */
  get #hasPending(): boolean {
    return this.#versions.isAhead && this.#mayPublish;
  }

  /** The version to publish, in its forms; none if none is pending. */
  #takeVersions(): ParameterVersion[] {
    return this.#hasPending ? this.#newestVersions() : [];
  }

  #newestVersions(): ParameterVersion[] {
    const { published } = this.#versions;
    return this.#versions.nextForms().map((kind) =>
      this.#parts.watched.version(kind, this.version, published)
    );
  }

  /** Writes a checkpoint. @param learner as encoded by `GuardRails.encodeLearner` */
  async #write(learner: Uint8Array, versions: readonly ParameterVersion[]): Promise<void> {
    const { reader, records } = this.#parts;
    const checkpoint = this.#encode(learner);
    await this.#commit(versions, checkpoint);
    this.#checkpoints.written(checkpoint.length);
    // Not before the commit, so that the orders in the topic's history have no gap, for audits.
    reader.forgetOrder();
    if (this.#options.trimSamples) await records.trimSamples(reader.positions);
  }

  async #commit(versions: readonly ParameterVersion[], checkpoint?: Uint8Array): Promise<void> {
    const { watched, reader: { positions, epochs, lost, order }, records } = this.#parts;
    const { forms, orderBytes } = await records.commit({
      positions,
      epochs,
      lost,
      order,
      time: watched.learner.dataTime,
      versions,
      supersedes: !this.#keepsVersions && versions.some(({ kind }) => kind === "full"),
      checkpoint,
    });
    this.#checkpoints.note(orderBytes);
    if (versions.length > 0) this.#versions.arrived(forms);
  }

  #encode(learner: Uint8Array): Uint8Array {
    const { watched, reader: { positions } } = this.#parts;
    const to = new ByteWriter(1 << 16);
    encodeHead(to, {
      positions,
      version: this.version,
      ...watched.rails.counts,
      heldBatches: this.heldBatches,
      needsFull: this.#versions.needsFull,
    });
    watched.encode(to, learner);
    return to.toBytes();
  }

  #decode(checkpoint: Uint8Array): void {
    const { watched, reader, records } = this.#parts;
    this.#checkpoints.found(checkpoint.length);
    try {
      const from = new ByteReader(checkpoint);
      const head = decodeHead(from);
      reader.seek(head.positions);
      this.#versions.made = head.version;
      this.#versions.needsFull = head.needsFull;
      this.heldBatches = head.heldBatches;
      watched.decode(from, head);
    } catch (cause) {
      throw records.damagedCheckpoint(cause);
    }
  }
}
