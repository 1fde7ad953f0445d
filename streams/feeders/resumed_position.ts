/** Where to resume a topic of another system. */

import { getLogger } from "@logtape/logtape";
import { type Bounds, type Log, LogError, type TopicIdentity } from "../log/log.ts";
import { endsOfTopic, readAll } from "../log/reading.ts";
import type { RecordSource } from "../mapping/record_source.ts";
import { DEFAULT_START, type Start } from "../mapping/start.ts";
import { changeOf } from "../task/inputs/position.ts";
import { feederPosition, feederWriter, isFed, type TopicPosition } from "../topics/feeder_position.ts";
import type { Topics } from "../topics/topics.ts";
import { feederGroup, feederId } from "./feeder.ts";
import { whileThere } from "./source_partition.ts";
import { startOffset } from "./start_offset.ts";
import type { StuckSince } from "./stuck.ts";

const logger = getLogger(["meander", "feeder"]);

/** A topic of another system. */
export interface ForeignTopic {
  /** The log that holds it: the deployment's own or another, which may be opened when it is needed, by each caller. */
  readonly log: Log | (() => Promise<Log>);
  /** Name of the topic. */
  readonly topic: string;
  /** Reads its records. */
  readonly format: RecordSource;
  /** Name under which the position is kept. @default {that of a feeder of one topic, else format and topic} */
  readonly name?: string | undefined;
  /**
   * Names of other feeders of the topic. If this feeder has no position yet, it resumes at that of the first of these
   * that has one.
   *
   * @default {none}
   */
  readonly after?: readonly string[] | undefined;
  /** Where to start when no position is stored. @default {"earliest"} */
  readonly start?: Start | undefined;
  /**
   * How long records of other topics wait for the next record of a partition that is at its end, milliseconds from
   * their arrival. @default {0}
   */
  readonly waitMs?: number | undefined;
  /** How much older than the topic's newest event an event may be; older ones are rejected. @default {Infinity} */
  readonly lateMs?: number | undefined;
}

export interface OpenTopic extends ForeignTopic {
  readonly log: Log;
}

/** The deployment that follows a topic. */
export interface FollowContext {
  /** The log of the deployment. */
  readonly log: Log;
  readonly topics: Topics;
  /** The group that stores the offsets of all topics. */
  readonly group: string;
  /** Wall clock, milliseconds since the epoch. */
  readonly now: () => number;
  /** A monotonic clock, milliseconds. */
  readonly clock: () => number;
  /** Most bytes to hold for all topics together. */
  readonly maxBytes: number;
  readonly stuckSince: StuckSince;
}

/** Where to resume a topic. */
export interface ResumedPosition {
  /** The key of its position. */
  readonly id: string;
  /** The topic's identity now. */
  readonly identity: TopicIdentity;
  /** Its newest event time, as written by `Lateness`; absent at the start. */
  readonly clock: TopicPosition["clock"];
  /** What is left of its allowance of rejections; absent = all. */
  readonly allowance: TopicPosition["allowance"];
  /** Offsets to read next, by partition. */
  readonly nexts: readonly number[];
  /** See `TopicPosition.epochs`. */
  readonly epochs: NonNullable<TopicPosition["epochs"]>;
  /** See `SourceLag.lost`, by partition; missing numbers are 0. */
  readonly unfed: readonly number[];
  /** Whether to save it before anything is read: otherwise a restart before the first record would start elsewhere. */
  readonly isUnsaved: boolean;
}

/**
 * Finds where to resume a topic. Partitions added since are read from their start.
 *
 * @param name under which its position is kept
 * @throws LogError `topic-mismatch` when it does not exist, or is not the topic that was fed before
 */
export async function resumedPosition(
  source: OpenTopic,
  name: string,
  context: FollowContext,
): Promise<ResumedPosition> {
  const { topic, start = DEFAULT_START } = source;
  const { log, topics } = context;
  const identity = await source.log.identify(topic);
  if (identity === null) {
    throw new LogError(
      "topic-mismatch",
      `Cannot feed topic ${topic}: it does not exist, or we may not see it`,
    );
  }
  const id = feederId(topics, name);
  const saved = await feederPosition<TopicPosition>(log, topics, id);
  const own = saved ?? await positionAfter(source, context);
  const change = own && changeOf(topic, { ...identity, id: own.id }, identity);
  if (change) throw anotherTopic(topic, name, change);
  const before = own?.next ?? await committedBefore(source, context, name, identity);
  const nexts: number[] = [];
  try {
    for (let partition = 0; partition < identity.partitions; partition++) {
      const from = before.length === 0 ? start : "earliest";
      const next = before[partition] ?? await startOffset(source.log, { topic, partition }, from);
      checkEnd(topic, partition, next, await source.log.bounds(topic, partition));
      nexts.push(next);
    }
  } catch (error) {
    throw whileThere(error, topic); // it has new partitions that not all brokers know yet
  }
  const isUnsaved = saved === null && (own !== null || start !== "earliest" && before.length === 0);
  const { clock, allowance, epochs = [], unfed = [] } = own ?? {};
  return { id, identity, clock, allowance, nexts, epochs, unfed, isUnsaved };
}

/** Where users can set another name, for messages. */
const OTHER_NAME = "of a source in the configuration";

/** The error of a topic that is not the one that was fed. */
export function anotherTopic(topic: string, name: string, { message }: LogError): LogError {
  const way = `feed the new one under another name (${OTHER_NAME}), or under another --prefix`;
  return new LogError("topic-mismatch", `Cannot feed ${topic} as ${name}: ${message.split("; ")[0]}; ${way}`);
}

/** @throws LogError `topic-mismatch` when a topic ends before the position of its feeder */
export function checkEnd(topic: string, partition: number, next: number, { end }: Bounds): void {
  if (next <= end) return;
  throw new LogError(
    "topic-mismatch",
    `Cannot feed ${topic}/${partition} from ${next}, where feeding stopped: it ends at ${end}, so it is another topic, or ` +
      `has lost its end: feed it under another name (${OTHER_NAME})`,
  );
}

/** The position of the feeder that this one replaces, and fences; `null` if there was none. */
async function positionAfter(
  { after = [] }: ForeignTopic,
  { log, topics }: FollowContext,
): Promise<TopicPosition | null> {
  for (const name of after) {
    const id = feederId(topics, name);
    if (await feederPosition<TopicPosition>(log, topics, id) === null) continue;
    await (await feederWriter(log, topics, id))[Symbol.asyncDispose]();
    return await feederPosition<TopicPosition>(log, topics, id);
  }
  return null;
}

/** Offsets of a topic without a position record: those of the group of its name, where earlier releases kept it. */
async function committedBefore(
  source: OpenTopic,
  context: FollowContext,
  name: string,
  identity: TopicIdentity,
): Promise<readonly number[]> {
  const { log, topics } = context;
  const topic = source.log === log ? source.topic : `${topics.events}-from-${source.topic}`;
  const before = await offsetsOf(log, feederGroup(topics, name), topic, identity.partitions);
  if (before.length > 0) return before;
  const lost = await lostPosition(source, context, identity);
  if (lost === null) return before;
  logger.warn("{what}: {remedy}", { what: lost.what, remedy: lost.remedy });
  return lost.next;
}

/** A topic that has probably lost its position. */
export interface LostPosition {
  /** Offsets of the feeder's group, at which it resumes; empty = it begins at its start. */
  readonly next: readonly number[];
  /** What was lost. */
  readonly what: string;
  /** What happens, and what to do about it. */
  readonly remedy: string;
}

/**
 * Finds out whether a topic without a position record was fed before: the feeder's group has offsets of it, but no
 * feeder of any name a record; or, on another log, there are events and no position at all.
 */
export async function lostPosition(
  { log: from, topic, start = DEFAULT_START }: Pick<OpenTopic, "log" | "topic" | "start">,
  { log, topics, group }: Pick<FollowContext, "log" | "topics" | "group">,
  { id, partitions }: TopicIdentity,
): Promise<LostPosition | null> {
  const { positions } = topics;
  if (from === log) {
    const next = await offsetsOf(log, group, topic, partitions);
    if (next.length === 0 || id === null || await isFed(log, topics, id)) return null;
    const at = `resumes at ${next.join(",")}, the offsets of ${group}`;
    return {
      next,
      what: `${positions} has lost the position in ${topic}`,
      remedy: `${at}; to feed it again, delete that group`,
    };
  }
  const { done: isEmpty } = await readAll(log, positions, 0).next(); // there may be offsets without a record
  if (!isEmpty) return null;
  const ends = await endsOfTopic(log, topics.events, (await log.identify(topics.events))?.partitions ?? 0);
  if (ends.every((end) => end === 0)) return null;
  const begin = typeof start === "string" ? start : "its configured start";
  const what = `${topic} is fed from ${begin}, because ${positions} has no positions at all`;
  return { next: [], what, remedy: "if it was fed before, its events are applied twice" };
}

async function offsetsOf(
  log: Log,
  group: string,
  topic: string,
  partitions: number,
): Promise<readonly number[]> {
  const known = (await log.identify(topic))?.partitions ?? 0;
  const next: number[] = [];
  for (let partition = 0; partition < Math.min(known, partitions); partition++) {
    const committed = await log.committed(group, topic, partition);
    if (committed !== null) next[partition] = committed;
  }
  return next;
}
