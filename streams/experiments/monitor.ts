/**
 * Follows the experiments of a deployment on its log: figures and verdicts.
 *
 * ```text
 *   recommendations, samples ──> figures per user and variant ──> verdicts
 *                                     │ periodically
 *                                     v
 *                                topic `figures`: changed figures and read positions
 * ```
 *
 * It reads samples and recommendations once each, in order within a partition. The counts depend only on the positions.
 * Partitions are merged by record time as far as records are available, so the merge order also depends on when records
 * were written; it affects the last digits of sums and the path of a sequential test. After a restart, the monitor
 * resumes from `figures`. A topic that was recreated since is read from its start, and the counts from the old one are
 * kept. Records that the log drops before they are counted are logged and counted as lost.
 *
 * Event times come from clients. Whether a user counts as lost depends on the samples of the partition, which are
 * written once the engine's clock has passed their windows. That clock is the time of their records: a recommendation
 * or sample with a later time has a wrong one, and counts at the time of its record.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { isNewerFormat } from "../../src/codec/formats.ts";
import { definitionOf } from "../../src/assignment/assignment.ts";
import { type ExperimentRecord, isExperiment } from "../../src/assignment/experiment.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import { MAX_TIME_MS } from "../../src/events/limits.ts";
import { isRecordTime } from "../log/checks.ts";
import { InTurn } from "../log/in_turn.ts";
import type { GroupOffset, Log, LogRecord, NewRecord } from "../log/log.ts";
import { lagOf } from "../log/reading.ts";
import { unreadable } from "../log/unreadable.ts";
import { SETTLED_BEFORE } from "../topics/delivery.ts";
import type { Topics } from "../topics/topics.ts";
import { type ExperimentStatus, Followed } from "./followed.ts";
import { ListsInOrder } from "./lists_in_order.ts";
import {
  decodeHead,
  decodeIds,
  encodeHead,
  EXPERIMENT_KEY,
  FIGURES_FORMATS,
  type FiguresRecord,
  IDS,
  MONITOR_KEY,
  type MonitorHead,
  type PartitionClock,
  readFigures,
  USER_KEY,
} from "./figures.ts";
import { MergedReader, type Place } from "./merged_reader.ts";
import { MonitorChanges } from "./monitor_changes.ts";
import { asOf, emptySample, ofNewerVersion, readRecommendation, readSample } from "./monitor_inputs.ts";
import type { ExperimentRegistry } from "./registry.ts";

const logger = getLogger(["meander", "experiments"]);

/** In a user's record, stands before held lists, where others have the name of an experiment. */
const HELD = "";

/** Options of {@linkcode ExperimentMonitor.open}. */
export interface MonitorReadOptions {
  /** Whether figures are never written, so that changes need no tracking. @default {false} */
  readonly readOnly?: boolean;
}

export class ExperimentMonitor {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #experiments: ExperimentRegistry;
  readonly #followed = new Map<string, Followed>();
  readonly #prePeriod = new PrePeriod();
  readonly #places: readonly Place[];
  readonly #clocks: PartitionClock[];
  readonly #lists = new ListsInOrder();
  readonly #isReadOnly: boolean;
  /** Ids of the topics read, by name; `null` where the log has none. */
  readonly #ids: ReadonlyMap<string, string | null>;
  #reader: MergedReader;
  #records: ReadonlyMap<string, ExperimentRecord> = new Map();
  /** End of the experiments topic when its records were read. */
  #recordsEnd = -1;
  /** Newest time of a record. */
  #time = 0;
  readonly #changes: MonitorChanges;
  readonly #updates = new InTurn();

  private constructor(
    log: Log,
    topics: Topics,
    registry: ExperimentRegistry,
    { partitions, ids, readOnly }: {
      readonly partitions: number;
      readonly ids: ReadonlyMap<string, string | null>;
      readonly readOnly: boolean;
    },
  ) {
    this.#log = log;
    this.#topics = topics;
    this.#experiments = registry;
    this.#isReadOnly = readOnly;
    this.#changes = new MonitorChanges(!readOnly);
    this.#ids = ids;
    this.#places = [topics.recommendations, topics.samples].flatMap((topic) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    );
    this.#clocks = Array.from({ length: partitions }, () => newClock());
    this.#reader = new MergedReader(log, this.#places);
  }

  /** Resumes from the written figures; without any, starts at the beginning of the log. */
  static async open(
    log: Log,
    topics: Topics,
    registry: ExperimentRegistry,
    { readOnly = false }: MonitorReadOptions = {},
  ): Promise<ExperimentMonitor> {
    const existing = await log.topics();
    const partitions = existing.get(topics.samples)?.partitions ?? 0;
    const ids = new Map<string, string | null>();
    for (const topic of [topics.recommendations, topics.samples]) {
      ids.set(topic, (await log.identify(topic))?.id ?? null);
    }
    const monitor = new ExperimentMonitor(log, topics, registry, {
      partitions,
      ids,
      readOnly,
    });
    const written = existing.has(topics.figures) ? await readFigures(log, topics.figures) : new Map();
    await monitor.#follow();
    monitor.#restore(written);
    return monitor;
  }

  /** The newest records, by name. */
  get records(): ReadonlyMap<string, ExperimentRecord> {
    return this.#records;
  }

  /** Newest record time read, milliseconds since the epoch. */
  get time(): number {
    return this.#time;
  }

  /** Reads new records of the log. @param max Most records to read. @returns Number of records read. */
  update(max = Infinity): Promise<number> {
    return this.#updates.run(async () => {
      await this.#follow();
      if (this.#followed.size === 0) return 0;
      return await this.#reader.take(max, (record, place) => this.#take(record, this.#places[place]!));
    });
  }

  /** The current status of all experiments. */
  status(): ExperimentStatus[] {
    return [...this.#followed.values()].map(({ status }) => status);
  }

  /** Whether there are unwritten changes. */
  get isChanged(): boolean {
    return this.#changes.any;
  }

  /** Offsets of recommendations and samples that the log dropped before they were counted, since the first figures. */
  get lost(): number {
    return this.#reader.lost;
  }

  /** Unread offsets of recommendations and samples, including gaps. */
  async lag(): Promise<number> {
    if (this.#followed.size === 0) return 0;
    const positions = this.#reader.positions;
    const half = positions.length / 2;
    const { recommendations, samples } = this.#topics;
    return await lagOf(this.#log, recommendations, positions.slice(0, half)) +
      await lagOf(this.#log, samples, positions.slice(half));
  }

  /**
   * Returns the records to write for all changes. The caller must commit them or discard the monitor.
   *
   * @throws TypeError when it is read-only
   */
  takeChanges(): NewRecord[] {
    if (this.#isReadOnly) throw new TypeError("Cannot write figures: this monitor only reads");
    const record = (key: string, value: Uint8Array | null): NewRecord => ({
      topic: this.#topics.figures,
      partition: 0,
      key,
      value,
      time: this.#time,
    });
    const { positions, lost } = this.#reader;
    const { users, experiments } = this.#changes.take();
    const records = users.map((user) => record(USER_KEY + user, this.#encodeUser(user)));
    for (const name of experiments) {
      const followed = this.#followed.get(name);
      if (followed !== undefined) records.push(record(EXPERIMENT_KEY + name, followed.encode()));
    }
    records.push({
      ...record(MONITOR_KEY, encodeHead({ time: this.#time, clocks: this.#clocks, positions, lost })),
      headers: { [IDS]: JSON.stringify(Object.fromEntries(this.#ids)) },
    });
    return records;
  }

  /** The positions up to which the log was read. */
  get positions(): readonly GroupOffset[] {
    const { positions } = this.#reader;
    return this.#places.map((place, at) => ({ ...place, offset: positions[at]! }));
  }

  /** Applies changed experiment records. */
  async #follow(): Promise<void> {
    const { end } = await this.#log.bounds(this.#topics.experiments, 0);
    if (end === this.#recordsEnd) return;
    this.#records = await this.#experiments.records();
    this.#recordsEnd = end;
    for (const record of this.#records.values()) {
      if (!isExperiment(record)) continue;
      const { name } = record;
      const known = this.#followed.get(name);
      if (known?.definition === definitionOf(record)) {
        // Guard rails must be judged again under the changed record.
        if (known.experiment.revision !== record.revision) this.#changes.move();
        known.experiment = record;
        continue;
      }
      // What users did under the former variants is not the pre-period of the new ones.
      for (const user of known?.users ?? []) {
        this.#prePeriod.forget(user);
        this.#change(name, user);
      }
      this.#followed.set(name, new Followed(record, this.#prePeriod));
    }
  }

  #take(record: LogRecord, { partition }: Place): void {
    const { topic, key, value, time } = record;
    this.#changes.move();
    if (isRecordTime(time) && time < MAX_TIME_MS) this.#time = Math.max(this.#time, time);
    if (topic === this.#topics.recommendations) {
      if (value !== null) this.#takeRecommendation(record, value, partition);
    } else if (value !== null) this.#takeSample(record, value, partition);
    else if (key !== null) this.#forget(key);
  }

  #takeRecommendation(record: LogRecord, value: Uint8Array, partition: number): void {
    const read = readRecommendation(record, value);
    if (read === null) return;
    const recommendation = asOf(record.time, read);
    for (const [name, one] of this.#followed) {
      const isCounted = one.recommended(recommendation, partition);
      if (isCounted) this.#change(name, recommendation.user);
    }
    const empty = emptySample(recommendation);
    if (empty !== null) this.#countInOrder(empty, partition);
  }

  #takeSample(record: LogRecord, value: Uint8Array, partition: number): void {
    const read = readSample(record, value);
    if (read === null) return;
    const sample = asOf(record.time, read);
    if (sample.purpose === "learn") return; // the impression yields another sample when its outcomes are final
    const settledBefore = Number(record.headers[SETTLED_BEFORE] ?? NaN);
    const clock = this.#clocks[partition]!;
    if (settledBefore >= -Infinity) this.#settle(sample, { clock, settledBefore, partition });
    else this.#count(sample, partition);
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
    // Those that an event makes final are written in the order of their times.
    clock.settled = Math.max(clock.settled, Math.min(sample.time, settledBefore - 1));
    const { settled } = clock;
    for (const one of this.#lists.take(settled, partition)) this.#count(one, partition);
    this.#countInOrder(sample, partition);
    for (const [name, one] of this.#followed) {
      for (const user of one.advance(settled, partition)) this.#change(name, user);
    }
    for (const user of this.#prePeriod.prune(settled)) this.#changes.user(user);
  }

  /** Counts a sample once all lists that were shown before are final. */
  #countInOrder(sample: Sample, partition: number): void {
    if (sample.time <= this.#clocks[partition]!.settled) this.#count(sample, partition);
    else {
      this.#lists.add(sample, partition);
      this.#changes.user(sample.user);
    }
  }

  #count(sample: Sample, partition: number): void {
    for (const [name, one] of this.#followed) {
      if (one.sampled(sample, partition)) this.#change(name, sample.user);
    }
    // What users did under former settings is not a pre-period, either.
    if (![...this.#followed.values()].some((one) => one.isFormer(sample))) this.#prePeriod.update(sample);
    this.#changes.user(sample.user);
  }

  #change(name: string, user: string): void {
    this.#changes.experiment(name);
    this.#changes.user(user);
  }

  #forget(user: string): void {
    for (const one of this.#followed.values()) one.forget(user);
    this.#lists.forget(user);
    this.#prePeriod.forget(user);
    this.#changes.user(user);
  }

  /** Encodes the state of a user; `null` without any. */
  #encodeUser(user: string): Uint8Array | null {
    const to = new ByteWriter();
    this.#prePeriod.encodeUser(to, user);
    const own = [...this.#followed].filter(([, { users }]) => users.has(user))
      .sort(([a], [b]) => a < b ? -1 : 1);
    for (const [name, followed] of own) to.string(name).bytes(followed.encodeUser(user));
    const isHeld = this.#lists.has(user);
    if (isHeld) to.string(HELD).bytes(this.#lists.encodeUser(user));
    const bytes = to.toBytes();
    return own.length === 0 && !isHeld && bytes[0] === 0 ? null : bytes;
  }

  /** Continues from written figures, if they can be read. */
  #restore(written: ReadonlyMap<string, FiguresRecord>): void {
    const record = written.get(MONITOR_KEY);
    if (record === undefined) return;
    const read = readHead(record, this.#topics);
    if (read === null) return;
    const { head, ids } = read;
    this.#restorePositions(head, ids);
    const known = this.#restoreExperiments(written);
    this.#restoreUsers(written, known);
    for (const [name, followed] of known) {
      followed.settle(head.isUncut);
      if (head.isUncut) this.#changes.experiment(name); // for a head of the newest format
    }
  }

  /** @param ids of the topics that the positions are of */
  #restorePositions(head: MonitorHead, ids: ReadonlyMap<string, string | null>): void {
    const { positions, lost } = head;
    this.#time = head.time;
    // Partitions may have been added since; none can be removed.
    for (const [partition, clock] of head.clocks.entries()) this.#clocks[partition] = clock;
    const anew = new Set(
      [...this.#ids].filter(([topic, id]) => isOther(ids.get(topic), id)).map(([topic]) => topic),
    );
    for (const topic of anew) {
      logger.warn(
        "{topic} was created again: the monitor reads it from its start, and keeps the counts from the old one",
        { topic },
      );
    }
    const next = this.#places.map(({ topic, partition }) =>
      anew.has(topic) ? 0 : positions.get(`${topic}/${partition}`) ?? 0
    );
    this.#reader = new MergedReader(this.#log, this.#places, next);
    this.#reader.lost = lost;
    if (anew.size > 0) this.#changes.move(); // the new positions belong to the new id
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
        this.#followed.set(name, new Followed(followed.experiment, this.#prePeriod));
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
        unreadable.leaveOut(record, cause, "its user stays counted, and is counted again");
        this.#forget(user);
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
        this.#changes.user(user);
      }
    }
  }
}

/** Reads the monitor's own record; `null` = it is damaged. @throws LogError when a newer version has written it */
function readHead(
  record: FiguresRecord,
  topics: Topics,
): { readonly head: MonitorHead; readonly ids: ReadonlyMap<string, string | null> } | null {
  try {
    return { head: decodeHead(record.value, topics), ids: decodeIds(record.headers[IDS]) };
  } catch (cause) {
    if (isNewerFormat(record.value, FIGURES_FORMATS)) throw ofNewerVersion(record, cause);
    unreadable.leaveOut(record, cause, "figures of all experiments are recounted from the log");
    return null;
  }
}

function newClock(): PartitionClock {
  return { settled: -Infinity };
}

/** Whether both ids are known and differ. */
function isOther(before: string | null | undefined, now: string | null): boolean {
  return before != null && now !== null && before !== now;
}
