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
 * Event times come from clients. A user counts as lost by the samples of the partition, which are written once the
 * engine's clock has passed their windows. A recommendation or sample with a time after that of its record, which is
 * that clock, has a wrong time and counts as of the record.
 *
 * @module
 */

import { getLogger } from "@logtape/logtape";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { type Formats, isNewerFormat } from "../../src/codec/formats.ts";
import { type ExperimentRecord, isExperiment } from "../../src/assignment/experiment.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import type { Sample } from "../../src/samples/sample.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { MAX_TIME_MS } from "../../src/events/limits.ts";
import { decodeSample, SAMPLE_FORMATS } from "../../src/samples/sample_codec.ts";
import { isRecordTime } from "../log/checks.ts";
import { InTurn } from "../log/in_turn.ts";
import { lagOf, newestOf } from "../log/reading.ts";
import type { GroupOffset, Log, LogError, LogRecord, NewRecord } from "../log/log.ts";
import { corruptRecord, type RecordPlace, unreadable } from "../log/unreadable.ts";
import { INPUT } from "../topics/delivery.ts";
import type { Topics } from "../topics/topics.ts";
import { definitionOf, type ExperimentStatus, Followed } from "./followed.ts";
import { MergedReader, type Place } from "./merged_reader.ts";
import type { ExperimentRegistry } from "./registry.ts";

export type { ExperimentStatus, LatencyView } from "./followed.ts";

const FORMAT = 4;
/** Formats of figures. */
export const FIGURES_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };
/** Keys on the topic `figures`: the monitor, experiments, users. */
const MONITOR_KEY = "monitor", EXPERIMENT_KEY = "experiment/", USER_KEY = "user/";

/** Header of the monitor's record: ids of the topics that its positions refer to. */
const IDS = "ids";

/** Part of the JSON of a recommendation to a user in an experiment. */
const EXPOSED = '"experiment":';

const decoder = new TextDecoder();
const logger = getLogger(["meander", "experiments"]);

/** Progress within a partition of events. */
interface PartitionClock {
  /** Newest event time at which an outcome became final. */
  closed: number;
  /** The longest window of an outcome, milliseconds: some are final sooner. */
  windowMs: number;
  /**
   * Offset of the event behind the newest recommendation, and the index among its recommendations; duplicates are not
   * above it.
   */
  newest: readonly [offset: number, index: number];
}

/** Options of {@linkcode ExperimentMonitor.open}. */
export interface MonitorReadOptions {
  /** Whether figures are never written, so that changes need no tracking. @default {false} */
  readonly readOnly?: boolean;
}

/** Follows all experiments. */
export class ExperimentMonitor {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #experiments: ExperimentRegistry;
  readonly #followed = new Map<string, Followed>();
  readonly #prePeriod = new PrePeriod();
  readonly #places: readonly Place[];
  readonly #clocks: PartitionClock[];
  readonly #isReadOnly: boolean;
  /** Ids of the topics read, by name; `null` where the log has none. */
  readonly #ids: ReadonlyMap<string, string | null>;
  #reader: MergedReader;
  #records: ReadonlyMap<string, ExperimentRecord> = new Map();
  /** End of the experiments topic when its records were read. */
  #recordsEnd = -1;
  /** Newest time of a record. */
  #time = 0;
  /** Changes since the last write. */
  readonly #changedUsers = new Set<string>();
  readonly #changedExperiments = new Set<string>();
  #isChanged = false;
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
    const monitor = new ExperimentMonitor(log, topics, registry, { partitions, ids, readOnly });
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
    return this.#isChanged || this.#changedUsers.size > 0 || this.#changedExperiments.size > 0;
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
    if (this.#isReadOnly) throw new TypeError("Cannot write figures down: this monitor only reads");
    const record = (key: string, value: Uint8Array | null): NewRecord => ({
      topic: this.#topics.figures,
      partition: 0,
      key,
      value,
      time: this.#time,
    });
    const records = [...this.#changedUsers].map((user) => record(USER_KEY + user, this.#encodeUser(user)));
    for (const name of this.#changedExperiments) {
      const followed = this.#followed.get(name);
      if (followed !== undefined) records.push(record(EXPERIMENT_KEY + name, followed.encode()));
    }
    records.push({
      ...record(MONITOR_KEY, this.#encode()),
      headers: { [IDS]: JSON.stringify(Object.fromEntries(this.#ids)) },
    });
    this.#changedUsers.clear();
    this.#changedExperiments.clear();
    this.#isChanged = false;
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
        this.#isChanged ||= !this.#isReadOnly && known.experiment.revision !== record.revision;
        known.experiment = record;
        continue;
      }
      for (const user of known?.users ?? []) this.#change(name, user);
      this.#followed.set(name, new Followed(record, this.#prePeriod));
    }
  }

  #take(record: LogRecord, { partition }: Place): void {
    const { topic, key, value, time, headers } = record;
    this.#isChanged = !this.#isReadOnly;
    if (isRecordTime(time) && time < MAX_TIME_MS) this.#time = Math.max(this.#time, time);
    const clock = this.#clocks[partition]!;
    if (topic === this.#topics.recommendations) {
      if (value === null || isRepeat(clock, headers[INPUT])) return;
      const text = decoder.decode(value);
      if (!text.includes(EXPOSED)) return; // most users are in no experiment, which is cheaper to detect than to parse
      const recommendation = parseRecommendation(text);
      if (recommendation === null) {
        return unreadable.leaveOut(record, "it is no recommendation", "no experiment counts it");
      }
      for (const [name, one] of this.#followed) {
        if (one.recommended(asOf(time, recommendation), partition)) this.#change(name, recommendation.user);
      }
      return;
    }
    if (value === null) {
      if (key !== null) this.#forget(key);
      return;
    }
    const read = decode(record, value);
    if (read === null) return;
    const sample = asOf(time, read);
    if (sample.purpose === "learn") return; // the impression comes again when its outcome is final
    for (const [name, one] of this.#followed) {
      if (one.sampled(sample, partition)) this.#change(name, sample.user);
    }
    this.#prePeriod.update(sample);
    this.#note(sample.user);
    if (sample.closedTime <= time) {
      clock.closed = Math.max(clock.closed, sample.closedTime);
      clock.windowMs = Math.max(clock.windowMs, sample.closedTime - sample.time);
    }
    // All outcomes of impressions up to this time are final.
    const passed = clock.closed - clock.windowMs;
    for (const [name, one] of this.#followed) {
      for (const user of one.advance(passed, partition)) this.#change(name, user);
    }
    for (const user of this.#prePeriod.prune(passed)) this.#note(user);
  }

  #change(name: string, user: string): void {
    if (!this.#isReadOnly) this.#changedExperiments.add(name);
    this.#note(user);
  }

  #note(user: string): void {
    if (!this.#isReadOnly) this.#changedUsers.add(user);
  }

  #forget(user: string): void {
    for (const one of this.#followed.values()) one.forget(user);
    this.#prePeriod.forget(user);
    this.#note(user);
  }

  #encode(): Uint8Array {
    const { positions } = this.#reader;
    const to = new ByteWriter().u8(FORMAT).f64(this.#time).uint(this.#clocks.length);
    for (const { closed, windowMs, newest: [offset, index] } of this.#clocks) {
      to.f64(closed).f64(windowMs).int(offset).int(index);
    }
    for (const position of positions) to.uint(position);
    to.uint(this.#reader.lost);
    return to.toBytes();
  }

  /** Encodes the state of a user; `null` without any. */
  #encodeUser(user: string): Uint8Array | null {
    const to = new ByteWriter();
    this.#prePeriod.encodeUser(to, user);
    const own = [...this.#followed].filter(([, { users }]) => users.has(user))
      .sort(([a], [b]) => a < b ? -1 : 1);
    for (const [name, followed] of own) to.string(name).bytes(followed.encodeUser(user));
    const bytes = to.toBytes();
    return own.length === 0 && bytes[0] === 0 ? null : bytes;
  }

  #restore(written: ReadonlyMap<string, FiguresRecord>): void {
    const record = written.get(MONITOR_KEY);
    if (record === undefined) return;
    let head: MonitorHead;
    let ids: ReadonlyMap<string, string | null>;
    try {
      head = decodeHead(record.value, this.#topics);
      ids = decodeIds(record.headers[IDS]);
    } catch (cause) {
      if (isNewerFormat(record.value, FIGURES_FORMATS)) throw ofNewerVersion(record, cause);
      return unreadable.leaveOut(
        record,
        cause,
        "figures of all experiments are counted anew from what is on the log",
      );
    }
    const { positions, lost } = head;
    this.#time = head.time;
    // Partitions may have been added since; none can be removed.
    for (const [partition, clock] of head.clocks.entries()) this.#clocks[partition] = clock;
    const anew = new Set(
      [...this.#ids].filter(([topic, id]) => isOther(ids.get(topic), id)).map(([topic]) => topic),
    );
    for (const topic of anew) {
      logger.warn(
        "{topic} was created again: the monitor reads it from its start, on top of what it has counted of the old one",
        { topic },
      );
    }
    const next = this.#places.map(({ topic, partition }) =>
      anew.has(topic) ? 0 : positions.get(`${topic}/${partition}`) ?? 0
    );
    this.#reader = new MergedReader(this.#log, this.#places, next);
    this.#reader.lost = lost;
    this.#isChanged ||= !this.#isReadOnly && anew.size > 0; // the new positions belong to the new id
    const known = new Map<string, Followed>();
    for (const [name, followed] of this.#followed) {
      const record = written.get(EXPERIMENT_KEY + name);
      if (record === undefined) continue;
      try {
        if (followed.decode(record.value)) known.set(name, followed);
      } catch (cause) {
        unreadable.leaveOut(record, cause, `figures of experiment ${name} begin anew`);
        this.#followed.set(name, new Followed(followed.experiment, this.#prePeriod));
      }
    }
    for (const [key, record] of written) {
      if (!key.startsWith(USER_KEY)) continue;
      const user = key.slice(USER_KEY.length);
      try {
        this.#decodeUser(user, record.value, known);
      } catch (cause) {
        unreadable.leaveOut(record, cause, "its user stays counted, and counts anew");
        this.#forget(user);
      }
    }
    for (const followed of known.values()) followed.settle();
  }

  #decodeUser(user: string, bytes: Uint8Array, known: ReadonlyMap<string, Followed>): void {
    const from = new ByteReader(bytes);
    this.#prePeriod.decodeUser(from, user);
    while (!from.done) {
      const followed = known.get(from.string());
      const own = from.bytes();
      if (followed !== undefined) followed.decodeUser(own, user);
      else this.#note(user); // its figures have restarted
    }
  }
}

/** Parses the fields of a recommendation that are used here; `null` when invalid. */
function parseRecommendation(text: string): Recommendation | null {
  try {
    const recommendation = JSON.parse(text) as Recommendation; // what is used is checked below
    const { user, time, tookMicros, exposures = [] } = recommendation;
    const isValid = typeof user === "string" && Number.isSafeInteger(time) && tookMicros >= 0 &&
      exposures.every(({ experiment, variant }) =>
        typeof experiment === "string" && typeof variant === "string"
      );
    return isValid ? recommendation : null;
  } catch {
    return null;
  }
}

/** Decodes a sample; `null` when invalid. @throws LogError `corrupt` when a newer version of Meander wrote it */
function decode(record: LogRecord, value: Uint8Array): Sample | null {
  try {
    return decodeSample(value);
  } catch (cause) {
    if (isNewerFormat(value, SAMPLE_FORMATS)) {
      throw ofNewerVersion(record, cause);
    }
    unreadable.leaveOut(record, cause, "no experiment counts it");
    return null;
  }
}

function ofNewerVersion(record: RecordPlace, cause: unknown): LogError {
  return corruptRecord("watch experiments", record, cause, "a newer version has written it: run that one");
}

function newClock(): PartitionClock {
  return { closed: -Infinity, windowMs: 0, newest: [-1, -1] };
}

/** Caps the time of a recommendation or sample at that of its record. */
function asOf<T extends { readonly time: number }>(time: number, one: T): T {
  return one.time <= time ? one : { ...one, time };
}

/** Whether a recommendation is a duplicate of at-least-once delivery; otherwise remembers it. */
function isRepeat(clock: PartitionClock, number: string | undefined): boolean {
  if (number === undefined) return false;
  const [, offset, index] = /^\d+\/(\d{1,15})\/(\d{1,15})$/.exec(number)?.map(Number) ?? [];
  if (offset === undefined || index === undefined) return false;
  const [lastOffset, lastIndex] = clock.newest;
  if (offset < lastOffset || offset === lastOffset && index <= lastIndex) return true;
  clock.newest = [offset, index];
  return false;
}

/** A record of figures. */
interface FiguresRecord extends RecordPlace {
  readonly value: Uint8Array;
  readonly headers: LogRecord["headers"];
}

/** The encoded state of the monitor itself. */
interface MonitorHead {
  readonly time: number;
  readonly clocks: readonly PartitionClock[];
  /** By topic and partition. */
  readonly positions: ReadonlyMap<string, number>;
  /** Offsets dropped before they were counted. */
  readonly lost: number;
}

/** Ids of topics, by name; absent where none were written. @throws SyntaxError when corrupt */
function decodeIds(header: string | undefined): ReadonlyMap<string, string | null> {
  if (header === undefined) return new Map();
  return new Map(Object.entries(JSON.parse(header) ?? {}));
}

/** Whether both ids are known and differ. */
function isOther(before: string | null | undefined, now: string | null): boolean {
  return before != null && now !== null && before !== now;
}

/**
 * Offsets of recommendations and samples that a deployment's monitor has lost, from its last written state; 0 when that
 * is missing or unreadable.
 */
export async function lostFigures(
  log: Pick<Log, "latest" | "read" | "bounds">,
  topics: Topics,
): Promise<number> {
  const value = (await newestOf(log, topics.figures, 0, MONITOR_KEY))?.value;
  try {
    return value == null ? 0 : decodeHead(value, topics).lost;
  } catch {
    return 0; // the monitor reports it when it starts
  }
}

/** @throws SyntaxError when invalid */
function decodeHead(bytes: Uint8Array, { recommendations, samples }: Topics): MonitorHead {
  const from = new ByteReader(bytes);
  const format = from.u8();
  if (format !== FORMAT) {
    throw new SyntaxError(
      `Cannot decode figures: format is ${format}, this reads ${FORMAT}`,
    );
  }
  const time = from.f64();
  const clocks = Array.from({ length: from.count() }, (): PartitionClock => ({
    closed: from.f64(),
    windowMs: from.f64(),
    newest: [from.int(), from.int()],
  }));
  const positions = new Map<string, number>();
  for (const topic of [recommendations, samples]) {
    for (let p = 0; p < clocks.length; p++) positions.set(`${topic}/${p}`, from.uint());
  }
  return { time, clocks, positions, lost: from.uint() };
}

/** Reads the newest value of each key. A concurrent commit is read as a whole. */
async function readFigures(log: Log, topic: string): Promise<Map<string, FiguresRecord>> {
  const values = new Map<string, FiguresRecord>();
  for (let from = 0;;) {
    const { records, next } = await log.read(topic, 0, from);
    for (const { partition, offset, key, value, headers } of records) {
      if (key === null) continue;
      if (value === null) values.delete(key);
      else values.set(key, { topic, partition, offset, value, headers });
    }
    if (records.length === 0) return values;
    from = next;
  }
}
