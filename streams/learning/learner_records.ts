/**
 * A learner's records: versions of its parameters, its checkpoint, the order of its samples and its position in them.
 * They are written atomically.
 */

import { decodeVersion, encodeVersion, type ParameterVersion } from "../../src/serving/version.ts";
import { feederPosition, positionRecord, type TopicPosition } from "../topics/feeder_position.ts";
import { chunkRecords, damagedValue, readChunks } from "../topics/chunks.ts";
import type { GroupOffset, Log, LogError, LogRecord, NewRecord, UngroupedLog, Writer } from "../log/log.ts";
import { keptUntil, readAll } from "../log/reading.ts";
import { corruptRecord, remedyByTombstone, unreadable } from "../log/unreadable.ts";
import type { Topics } from "../topics/topics.ts";
import { decodeOrder, encodeOrder, orderKey, type Stretch } from "./sample_order.ts";
import type { PublishedForm } from "./version_pace.ts";

/** What is written in one commit. */
export interface LearnerCommit {
  /** Positions after the last learnt samples, by partition. */
  readonly positions: readonly number[];
  /** See `GroupOffset.epoch`, of those positions. */
  readonly epochs: readonly (number | undefined)[];
  /** Number of offsets that the log had dropped before they were learnt; written with a checkpoint. */
  readonly lost: number;
  /** The order in which samples were taken since the last checkpoint; written if there are several partitions. */
  readonly order: readonly Stretch[];
  /** Event time of the newest sample, milliseconds since the epoch. */
  readonly time: number;
  /** The newest version, as a delta, a full snapshot or both; may be empty. */
  readonly versions: readonly ParameterVersion[];
  /** Whether it replaces all earlier versions, which are then dropped. */
  readonly supersedes: boolean;
  /** The new checkpoint, if any. */
  readonly checkpoint: Uint8Array | undefined;
}

/** What a commit has written. */
export interface Written {
  /** The forms of the version, in order. */
  readonly forms: readonly PublishedForm[];
  /** Bytes of the order of samples; 0 if it was not written. */
  readonly orderBytes: number;
}

/** The records of one model's learner; while open, no other process can write them. */
export class LearnerRecords implements AsyncDisposable {
  readonly #log: UngroupedLog;
  readonly #topics: Topics;
  readonly #model: string;
  readonly #writer: Writer;
  readonly #samplesId: string | null;
  /** Number of chunks of checkpoints that are on the log. */
  #chunks = 0;
  /** Offset of the newest version with a full snapshot; no record before it is needed. */
  #neededFrom = 0;

  private constructor(
    log: UngroupedLog,
    topics: Topics,
    model: string,
    writer: Writer,
    samplesId: string | null,
  ) {
    this.#samplesId = samplesId;
    this.#log = log;
    this.#topics = topics;
    this.#model = model;
    this.#writer = writer;
  }

  /** Opens the records of a model, and fences any earlier owner. */
  static async open(log: UngroupedLog, topics: Topics, model: string): Promise<LearnerRecords> {
    const samplesId = (await log.identify(topics.samples))?.id ?? null;
    const places = [topics.checkpoints, topics.parameters].map((topic) => ({ topic, partition: 0 }));
    const writer = await log.writer(writerOf(topics, model), places);
    return new LearnerRecords(log, topics, model, writer, samplesId);
  }

  get topic(): string {
    return this.#topics.parameters;
  }

  /**
   * What was recorded with the last checkpoint: whether there has been one, whether the topic of samples was created
   * again since, and how many offsets had been lost.
   */
  async atCheckpoint(): Promise<
    { readonly areSamplesNew: boolean; readonly lost: number; readonly hadOne: boolean }
  > {
    const before = await feederPosition<TopicPosition>(this.#log, this.#topics, this.#writer.id);
    const [was, is] = [before?.id ?? null, this.#samplesId];
    return {
      areSamplesNew: was !== null && is !== null && was !== is,
      lost: before?.lost ?? 0,
      hadOne: before !== null,
    };
  }

  /** The versions on the log, oldest first, with the bytes of their records; `null` for one that cannot be read. */
  async *versions(): AsyncGenerator<PublishedForm & Pick<ParameterVersion, "version"> | null> {
    let version: number | undefined, first = 0;
    for await (const record of readAll(this.#log, this.#topics.parameters, 0)) {
      if (record.value === null) continue;
      const found = decoded(record, record.value);
      if (found?.version !== version) [version, first] = [found?.version, record.offset];
      if (found?.kind === "full") this.#neededFrom = first;
      yield found && { version: found.version, kind: found.kind, bytes: record.value.length };
    }
  }

  /** Drops the versions that a full snapshot has replaced, if the previous run was killed before it could. */
  async dropReplaced(): Promise<void> {
    const { parameters } = this.#topics;
    const { start } = await this.#log.bounds(parameters, 0);
    if (start < this.#neededFrom) await this.#log.trim(parameters, 0, this.#neededFrom);
  }

  /** Whether the newest full snapshot is still there: retention or an administrator may have dropped it. */
  async hasSnapshot(): Promise<boolean> {
    const { start, end } = await this.#log.bounds(this.#topics.parameters, 0);
    return start <= this.#neededFrom && this.#neededFrom < end;
  }

  /** The newest checkpoint, or `null`. @throws LogError `corrupt` when it is damaged */
  async checkpoint(): Promise<Uint8Array | null> {
    return await readChunks(this.#log, this.#topics.checkpoints, this.#model, (chunks) => {
      this.#chunks = chunks;
    });
  }

  /** The error for a checkpoint that is complete but invalid. */
  damagedCheckpoint(cause: unknown): LogError {
    return damagedValue(this.#topics.checkpoints, this.#model, cause);
  }

  /** The newest order, or an empty one. @throws LogError `corrupt` when it is damaged */
  async order(): Promise<Stretch[]> {
    const key = orderKey(this.#model);
    let newest: LogRecord | undefined;
    for await (const record of readAll(this.#log, this.#topics.checkpoints, 0)) {
      if (record.key === key) newest = record;
    }
    if (newest === undefined || newest.value === null) return [];
    try {
      return decodeOrder(newest.value);
    } catch (cause) {
      const remedy = remedyByTombstone(
        newest,
        "samples may be learnt in another order than before the restart",
      );
      throw corruptRecord(`resume the learner of ${this.#model}`, newest, cause, remedy);
    }
  }

  /**
   * Up to where the log has the samples of a partition that the previous run read, `Infinity` = it has lost none; and
   * what the group has stored.
   *
   * @param read how far they were read at least
   */
  async samplesKept(
    partition: number,
    read: number,
  ): Promise<Pick<GroupOffset, "offset" | "epoch"> & { readonly kept: number }> {
    const place = { topic: this.#topics.samples, partition };
    const group = this.#writer.id;
    const offset = await this.#log.committed(group, place.topic, partition) ?? 0;
    const epoch = offset < read ? undefined : await this.#log.committedEpoch?.(group, { ...place, offset });
    const end = epoch === undefined ? read : offset;
    const kept = await keptUntil(this.#log, { ...place, offset: end, epoch });
    return { offset, epoch, kept: kept < end ? kept : Infinity };
  }

  /** Writes a commit atomically, and drops the versions that it replaces. */
  async commit(commit: LearnerCommit): Promise<Written> {
    const { positions, epochs, lost, order, time, versions, supersedes, checkpoint } = commit;
    const { parameters, samples, checkpoints } = this.#topics;
    const before = supersedes ? (await this.#log.bounds(parameters, 0)).end : 0;
    const records: NewRecord[] = [];
    const forms: PublishedForm[] = [];
    for (const version of versions) {
      const value = encodeVersion(version);
      records.push({ topic: parameters, partition: 0, key: this.#model, value, time });
      forms.push({ kind: version.kind, bytes: value.length });
    }
    let orderBytes = 0;
    if (checkpoint !== undefined) {
      // Leftover chunks of a longer checkpoint are deleted, as they may name users who have been erased since.
      const chunks = chunkRecords(checkpoints, this.#model, checkpoint, time, this.#chunks);
      this.#chunks = chunks.filter(({ value }) => value !== null).length;
      records.push(...chunks);
      records.push(
        positionRecord(this.#topics, this.#writer.id, { id: this.#samplesId, next: positions, lost }),
      );
    }
    if (positions.length > 1) {
      const value = encodeOrder(order);
      orderBytes = value.length;
      records.push({ topic: checkpoints, partition: 0, key: orderKey(this.#model), value, time });
    }
    const offsets = await this.#writer.commit({
      records,
      group: writerOf(this.#topics, this.#model),
      offsets: positions.map((offset, partition) => (
        { topic: samples, partition, offset, epoch: epochs[partition] }
      )),
    });
    if (forms.some(({ kind }) => kind === "full")) this.#neededFrom = offsets[0] ?? 0;
    if (supersedes) await this.#log.trim(parameters, 0, before);
    return { forms, orderBytes };
  }

  /** Records what the initial weights have learnt, for {@linkcode learntBefore}. */
  async noteLearnt(before: readonly number[]): Promise<void> {
    const record = positionRecord(this.#topics, learntBy(this.#topics, this.#model), {
      id: null,
      next: before,
    });
    await this.#writer.commit({ records: [record], group: this.#writer.id, offsets: [] });
  }

  /** Drops the samples before `positions`, by partition. */
  async trimSamples(positions: readonly number[]): Promise<void> {
    for (const [partition, before] of positions.entries()) {
      await this.#log.trim(this.#topics.samples, partition, before);
    }
  }

  /** Closes the writer. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer[Symbol.asyncDispose]();
  }
}

function decoded(record: LogRecord, value: Uint8Array): ParameterVersion | null {
  try {
    return decodeVersion(value);
  } catch (cause) {
    unreadable.leaveOut(record, cause, "the learner publishes a full snapshot next");
    return null;
  }
}

/** Positions of samples, by partition, from which a model's learner resumes after a crash; `null` = from the start. */
export async function checkpointedSamples(
  log: Pick<Log, "latest" | "read" | "bounds" | "identify">,
  topics: Topics,
  model: string,
): Promise<readonly number[] | null> {
  const position = await feederPosition<TopicPosition>(log, topics, writerOf(topics, model));
  if (position === null) return null;
  // If the topic was created again, nothing on it has been learnt yet.
  return position.id === ((await log.identify(topics.samples))?.id ?? null) ? position.next : null;
}

/** Number of offsets of samples that a learner had lost as of its last checkpoint. */
export async function lostSamples(
  log: Pick<Log, "latest" | "read" | "bounds" | "identify">,
  topics: Topics,
  model: string,
): Promise<number> {
  return (await feederPosition<TopicPosition>(log, topics, writerOf(topics, model)))?.lost ?? 0;
}

/**
 * Offsets of events, by task of the generation that the initial weights come from: they have learnt the samples of
 * events before these. `null` = the learner started from scratch.
 */
export async function learntBefore(
  log: Pick<Log, "latest" | "read" | "bounds" | "identify">,
  topics: Topics,
  model: string,
): Promise<readonly number[] | null> {
  return (await feederPosition<TopicPosition>(log, topics, learntBy(topics, model)))?.next ?? null;
}

/** Key of the record of what a learner's initial weights have learnt. */
function learntBy(topics: Topics, model: string): string {
  return `${writerOf(topics, model)}-learnt`;
}

/** Id of a learner's writer, and name of the group that holds its positions. */
export function writerOf({ samples }: Topics, model: string): string {
  return `${samples}-learner-${model}`;
}
