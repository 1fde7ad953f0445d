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
 */

import { getLogger } from "@logtape/logtape";
import { isNewerFormat } from "../../src/codec/formats.ts";
import type { ExperimentRecord } from "../../src/assignment/experiment.ts";
import { MAX_TIME_MS } from "../../src/events/limits.ts";
import { isRecordTime } from "../log/checks.ts";
import { InTurn } from "../log/in_turn.ts";
import type { GroupOffset, Log, LogRecord, NewRecord } from "../log/log.ts";
import { lagOf, partitionsOf } from "../log/reading.ts";
import { unreadable } from "../log/unreadable.ts";
import { monitorGroup, prefixOf, type Topics } from "../topics/topics.ts";
import type { ExperimentStatus } from "./followed.ts";
import {
  decodeHead,
  decodeIds,
  encodeHead,
  FIGURES_FORMATS,
  type FiguresRecord,
  IDS,
  MONITOR_KEY,
  type MonitorHead,
  readFigures,
} from "./figures.ts";
import { MergedReader, type Place } from "./merged_reader.ts";
import { MonitorFigures } from "./monitor_figures.ts";
import { ofNewerVersion } from "./monitor_inputs.ts";
import type { ExperimentRegistry } from "./registry.ts";

const logger = getLogger(["meander", "experiments"]);

/** Options of {@linkcode ExperimentMonitor.open}. */
export interface MonitorReadOptions {
  /** Whether figures are never written, so that changes need no tracking. @default {false} */
  readonly readOnly?: boolean;
}

export class ExperimentMonitor {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #experiments: ExperimentRegistry;
  readonly #figures: MonitorFigures;
  readonly #places: readonly Place[];
  readonly #isReadOnly: boolean;
  /** Ids of the topics read, by name; `null` where the log has none. */
  readonly #ids: ReadonlyMap<string, string | null>;
  #reader: MergedReader;
  #records: ReadonlyMap<string, ExperimentRecord> = new Map();
  /** End of the experiments topic when its records were read. */
  #recordsEnd = -1;
  /** Newest time of a record. */
  #time = 0;
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
    this.#figures = new MonitorFigures(partitions, !readOnly);
    this.#ids = ids;
    this.#places = [topics.recommendations, topics.samples].flatMap((topic) =>
      Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
    );
    this.#reader = new MergedReader(log, this.#places);
  }

  /** Resumes from the written figures; without any, starts at the beginning of the log. */
  static async open(
    log: Log,
    topics: Topics,
    registry: ExperimentRegistry,
    { readOnly = false }: MonitorReadOptions = {},
  ): Promise<ExperimentMonitor> {
    const existing = await log.topics(prefixOf(topics));
    const partitions = readOnly
      ? existing.get(topics.samples)?.partitions ?? 0
      : await partitionsOf(log, topics.samples);
    const ids = new Map<string, string | null>();
    for (const topic of [topics.recommendations, topics.samples]) {
      ids.set(topic, (await log.identify(topic))?.id ?? null);
    }
    const monitor = new ExperimentMonitor(log, topics, registry, { partitions, ids, readOnly });
    const written = existing.has(topics.figures) ? await readFigures(log, topics.figures) : new Map();
    await monitor.#follow();
    await monitor.#restore(written);
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
      if (this.#figures.isIdle) return 0;
      return await this.#reader.take(max, (record, place) => this.#take(record, this.#places[place]!));
    });
  }

  /** The current status of all experiments. */
  status(): ExperimentStatus[] {
    return this.#figures.status();
  }

  /** Whether there are unwritten changes. */
  get isChanged(): boolean {
    return this.#figures.changes.any;
  }

  /** Offsets of recommendations and samples that the log dropped before they were counted, since the first figures. */
  get lost(): number {
    return this.#reader.lost;
  }

  /** Unread offsets of recommendations and samples, including gaps. */
  async lag(): Promise<number> {
    if (this.#figures.isIdle) return 0;
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
    const { clocks } = this.#figures;
    const records = this.#figures.takeChanges().map(([key, value]) => record(key, value));
    records.push({
      ...record(MONITOR_KEY, encodeHead({ time: this.#time, clocks, positions, lost })),
      headers: { [IDS]: JSON.stringify(Object.fromEntries(this.#ids)) },
    });
    return records;
  }

  /** The positions up to which the log was read. */
  get positions(): readonly GroupOffset[] {
    const { positions, epochs } = this.#reader;
    return this.#places.map((place, at) => ({ ...place, offset: positions[at]!, epoch: epochs[at] }));
  }

  /** Applies changed experiment records. */
  async #follow(): Promise<void> {
    const { end } = await this.#log.bounds(this.#topics.experiments, 0);
    if (end === this.#recordsEnd) return;
    this.#records = await this.#experiments.records();
    this.#recordsEnd = end;
    this.#figures.follow(this.#records.values());
  }

  #take(record: LogRecord, { partition }: Place): void {
    const { topic, key, value, time } = record;
    const figures = this.#figures;
    figures.changes.move();
    if (isRecordTime(time) && time < MAX_TIME_MS) this.#time = Math.max(this.#time, time);
    if (topic === this.#topics.recommendations) {
      if (value !== null) figures.recommended(record, value, partition);
    } else if (value !== null) figures.sampled(record, value, partition);
    else if (key !== null) figures.forget(key);
  }

  /** Continues from written figures, if they can be read. */
  async #restore(written: ReadonlyMap<string, FiguresRecord>): Promise<void> {
    const record = written.get(MONITOR_KEY);
    if (record === undefined) return;
    const read = readHead(record, this.#topics);
    if (read === null) return;
    const { head, ids } = read;
    await this.#restorePositions(head, ids);
    this.#figures.restore(written, head);
  }

  /** @param ids ids of the topics to which the positions refer */
  async #restorePositions(head: MonitorHead, ids: ReadonlyMap<string, string | null>): Promise<void> {
    const { positions, lost } = head;
    this.#time = head.time;
    const anew = new Set(
      [...this.#ids].filter(([topic, id]) => isOther(ids.get(topic), id)).map(([topic]) => topic),
    );
    for (const topic of anew) {
      logger.warn(
        "{topic} was created again: the monitor reads it from its start and keeps the counts from the old one",
        { topic },
      );
    }
    const next = this.#places.map(({ topic, partition }) =>
      anew.has(topic) ? 0 : positions.get(`${topic}/${partition}`) ?? 0
    );
    const group = monitorGroup(this.#topics);
    const epochs = await Promise.all(
      this.#places.map((place, at) =>
        this.#isReadOnly ? undefined : this.#log.committedEpoch?.(group, { ...place, offset: next[at]! })
      ),
    );
    this.#reader = new MergedReader(this.#log, this.#places, next, epochs);
    this.#reader.lost = lost;
    if (anew.size > 0) this.#figures.changes.move(); // the new positions belong to the new id
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

/** Whether both ids are known and differ. */
function isOther(before: string | null | undefined, now: string | null): boolean {
  return before != null && now !== null && before !== now;
}
