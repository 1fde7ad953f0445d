/**
 * Figures per user and variant: takes recommendations and samples, gives the records to write. It reads no log.
 */

import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { definitionOf } from "../../src/assignment/assignment.ts";
import { type ExperimentRecord, isExperiment, MAX_COUNTED_USERS } from "../../src/assignment/experiment.ts";
import { holdoutExperiment } from "../../src/assignment/holdout.ts";
import { exposuresOf } from "../../src/events/recommendation.ts";
import { isCurrent } from "../../src/assignment/exposure.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { sumsOf } from "../../src/experiments/user_metrics.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import type { LogRecord } from "../log/log.ts";
import { unreadable } from "../log/unreadable.ts";
import { SETTLED_BEFORE } from "../topics/delivery.ts";
import { type ExperimentStatus, Followed } from "./followed.ts";
import {
  EXPERIMENT_KEY,
  type FiguresRecord,
  type MonitorHead,
  type PartitionClock,
  USER_KEY,
} from "./figures.ts";
import { ListsInOrder } from "./lists_in_order.ts";
import { MonitorChanges } from "./monitor_changes.ts";
import { asOf, emptySample, readRecommendation, readSample } from "./monitor_inputs.ts";

/** In a user's record, stands before held lists, where others have the name of an experiment. */
const HELD = "";

export class MonitorFigures {
  /** Changes to write. */
  readonly changes: MonitorChanges;
  /** By partition of events. Partitions may be added; none can be removed. */
  readonly clocks: PartitionClock[];
  readonly #followed = new Map<string, Followed>();
  readonly #prePeriod: PrePeriod;
  readonly #lists = new ListsInOrder();
  readonly #maxUsers: number;

  /** Figures of no experiments. @param isTracked whether changes will ever be written @param maxUsers see {@linkcode Followed} */
  constructor(partitions: number, isTracked: boolean, maxUsers = MAX_COUNTED_USERS) {
    this.#maxUsers = maxUsers;
    this.#prePeriod = new PrePeriod(maxUsers);
    this.changes = new MonitorChanges(isTracked);
    this.clocks = Array.from({ length: partitions }, () => ({ settled: -Infinity }));
  }

  /** Whether there is no experiment to count for. */
  get isIdle(): boolean {
    return this.#followed.size === 0;
  }

  status(): ExperimentStatus[] {
    return [...this.#followed.values()].map(({ status }) => status);
  }

  /** Returns all changed figures by key, and starts again without changes; `null` = deleted. */
  takeChanges(): (readonly [key: string, value: Uint8Array | null])[] {
    const { users, experiments } = this.changes.take();
    const inOrder = [...this.#followed].sort(([a], [b]) => a < b ? -1 : 1);
    return [
      ...users.map((user) => [USER_KEY + user, this.#encodeUser(user, inOrder)] as const),
      ...experiments.flatMap((name) => {
        const followed = this.#followed.get(name);
        return followed === undefined ? [] : [[EXPERIMENT_KEY + name, followed.encode()] as const];
      }),
    ];
  }

  /** Applies changed experiment records. */
  follow(records: Iterable<ExperimentRecord>): void {
    for (const one of records) {
      const record = isExperiment(one) ? one : holdoutExperiment(one);
      if (record === null) continue;
      const { name } = record;
      const known = this.#followed.get(name);
      if (known?.definition === definitionOf(record)) {
        // Guard rails must be judged again under the changed record.
        if (known.experiment.revision !== record.revision) this.changes.move();
        known.experiment = record;
        continue;
      }
      for (const user of known?.users ?? []) {
        // Behaviour under the former variants is not the pre-period of the new ones, unless users are drawn anew.
        if (known?.experiment.salt === record.salt) this.#prePeriod.forget(user);
        this.#change(name, user);
      }
      this.#followed.set(name, new Followed(record, this.#prePeriod, this.#maxUsers));
    }
  }

  recommended(record: LogRecord, value: Uint8Array, partition: number): void {
    const read = readRecommendation(record, value);
    if (read === null) return;
    const recommendation = asOf(record.time, read);
    for (const exposure of exposuresOf(recommendation)) {
      const { experiment } = exposure;
      const isCounted = this.#followed.get(experiment)?.recommended(recommendation, exposure, partition);
      if (isCounted === true) this.#change(experiment, recommendation.user);
    }
    const empty = emptySample(recommendation);
    if (empty !== null) this.#countInOrder(empty, partition);
  }

  sampled(record: LogRecord, value: Uint8Array, partition: number): void {
    const read = readSample(record, value);
    if (read === null) return;
    const sample = asOf(record.time, read);
    if (sample.purpose === "learn") return; // the impression yields another sample when its outcomes are final
    const settledBefore = Number(record.headers[SETTLED_BEFORE] ?? NaN);
    const clock = this.clocks[partition]!;
    if (settledBefore >= -Infinity) this.#settle(sample, { clock, settledBefore, partition });
    else this.#count(sample);
  }

  /** Counts a sample and those that were held for it; or holds it, until all lists that were shown before are final. */
  #settle(
    sample: Sample,
    { clock, settledBefore, partition }: {
      readonly clock: PartitionClock;
      readonly settledBefore: number;
      readonly partition: number;
    },
  ): void {
    // Samples that one event makes final are written in the order of their times.
    clock.settled = Math.max(clock.settled, Math.min(sample.time, settledBefore - 1));
    const { settled } = clock;
    for (const one of this.#lists.take(settled, partition)) this.#count(one);
    this.#countInOrder(sample, partition);
    for (const [name, one] of this.#followed) {
      for (const user of one.advance(settled, partition)) this.#change(name, user);
    }
    for (const user of this.#prePeriod.prune(settled)) this.changes.user(user);
  }

  /** Counts a sample once all lists that were shown before are final. */
  #countInOrder(sample: Sample, partition: number): void {
    if (sample.time <= this.clocks[partition]!.settled) this.#count(sample);
    else {
      this.#lists.add(sample, partition);
      this.changes.user(sample.user);
    }
  }

  #count(sample: Sample): void {
    const list = sumsOf(sample);
    let isLeftOut = false;
    for (const exposure of sample.exposures ?? []) {
      const followed = this.#followed.get(exposure.experiment);
      if (followed === undefined) continue;
      if (isCurrent(exposure, followed.experiment) && followed.sampled(sample, exposure, list)) {
        this.changes.experiment(exposure.experiment);
      } else isLeftOut = true;
    }
    // Behaviour under former settings is not a pre-period, either, and neither is what may depend on a variant.
    if (!isLeftOut && !this.#followed.values().some((one) => one.wasMetDuring(sample))) {
      this.#prePeriod.update(sample, list);
    }
    this.changes.user(sample.user);
  }

  #change(name: string, user: string): void {
    this.changes.experiment(name);
    this.changes.user(user);
  }

  forget(user: string): void {
    for (const one of this.#followed.values()) one.forget(user);
    this.#lists.forget(user);
    this.#prePeriod.forget(user);
    this.changes.user(user);
  }

  /** Continues from written figures, of experiments that are defined as they were. */
  restore(written: ReadonlyMap<string, FiguresRecord>, { clocks, isUncut }: MonitorHead): void {
    for (const [partition, clock] of clocks.entries()) this.clocks[partition] = clock;
    const known = this.#restoreExperiments(written);
    this.#restoreUsers(written, known);
    for (const [name, followed] of known) {
      followed.settle(isUncut);
      if (isUncut) this.changes.experiment(name); // for a head of the newest format
    }
  }

  /** Encodes the state of a user; `null` without any. @param all experiments, in the order of their names */
  #encodeUser(user: string, all: readonly (readonly [string, Followed])[]): Uint8Array | null {
    const [to, part] = [new ByteWriter(), new ByteWriter()];
    this.#prePeriod.encodeUser(to, user);
    const past = to.length;
    for (const [name, followed] of all) {
      if (!followed.users.has(user)) continue;
      part.reset();
      followed.encodeUser(part, user);
      to.string(name).bytes(part.view());
    }
    if (this.#lists.has(user)) to.string(HELD).bytes(this.#lists.encodeUser(user));
    const bytes = to.toBytes();
    return bytes.length === past && bytes[0] === 0 ? null : bytes;
  }

  /** Restores the figures of experiments that are defined as they were. @returns these experiments */
  #restoreExperiments(written: ReadonlyMap<string, FiguresRecord>): ReadonlyMap<string, Followed> {
    const known = new Map<string, Followed>();
    for (const [name, followed] of this.#followed) {
      const record = written.get(EXPERIMENT_KEY + name);
      if (record === undefined) continue;
      try {
        if (followed.decode(record.value)) known.set(name, followed);
      } catch (cause) {
        unreadable.leaveOut(record, cause, `figures of experiment ${name} restart at zero`);
        this.#followed.set(name, new Followed(followed.experiment, this.#prePeriod, this.#maxUsers));
      }
    }
    return known;
  }

  #restoreUsers(written: ReadonlyMap<string, FiguresRecord>, known: ReadonlyMap<string, Followed>): void {
    for (const [key, record] of written) {
      if (!key.startsWith(USER_KEY)) continue;
      const user = key.slice(USER_KEY.length);
      try {
        this.#decodeUser(user, record.value, known);
      } catch (cause) {
        unreadable.leaveOut(record, cause, "its user stays counted, and will be counted again");
        this.forget(user);
      }
    }
  }

  #decodeUser(user: string, bytes: Uint8Array, known: ReadonlyMap<string, Followed>): void {
    const from = new ByteReader(bytes);
    this.#prePeriod.decodeUser(from, user);
    while (!from.done) {
      const name = from.string();
      const followed = known.get(name);
      const own = from.bytes();
      if (name === HELD) this.#lists.decodeUser(own);
      else if (followed !== undefined) followed.decodeUser(own, user);
      else {
        this.#prePeriod.forget(user); // its figures have restarted
        this.changes.user(user);
      }
    }
  }
}
