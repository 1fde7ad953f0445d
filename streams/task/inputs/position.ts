/**
 * Where a task continues: its own record, compared with the log. Everything here is pure.
 *
 * ```text
 *   statistics   … task: next 17, ids of topics, partitions     committed together with states and outputs: decides
 *   group        … offset 17                                    likewise, but brokers expire it: only compared
 *   events       … id, partitions, [start, end)                 the present state of the topic
 * ```
 */

import { isRecord } from "../../../src/values/record.ts";
import { type Bounds, LogError, type TopicIdentity } from "../../log/log.ts";

/** Header of the task's record: see {@linkcode encodeInputs}. */
export const INPUTS = "inputs";

/** Header of the task's record: the number of partitions, which determines the users of a partition. */
export const PARTITIONS = "partitions";

/** Header of the task's record: see `RetrievalState.namedFrom`; absent if its records name no erased user. */
export const NAMED_FROM = "named-from";

/** The topics whose ids a task's record holds: those that it reads, and those that it is restored from. */
export const INPUT_TOPICS = ["events", "items", "signals", "state", "statistics"] as const;

export type InputTopic = (typeof INPUT_TOPICS)[number];

/** Ids of topics; `null` or absent if the log gives them none. */
export type TopicIds = Readonly<Partial<Record<InputTopic, string | null>>>;

/** The position in a task's own record. */
export interface OwnPosition {
  /** Offset of the next event. */
  readonly next: number;
  /** The topics to which the record refers. */
  readonly ids: TopicIds;
  /** Number of partitions of the events. */
  readonly partitions: number;
}

/** Encodes the value of the header {@linkcode INPUTS}. */
export function encodeInputs(next: number, ids: TopicIds): string {
  return JSON.stringify({ next, ids });
}

/**
 * Reads the position in the headers of a task's record. @throws SyntaxError when it is damaged, or of an older release
 */
export function decodePosition(headers: Readonly<Record<string, string>>): OwnPosition {
  const [inputs, partitions] = [headers[INPUTS] ?? "null", Number(headers[PARTITIONS])];
  const position: unknown = JSON.parse(inputs);
  const { next, ids }: { next?: unknown; ids?: unknown } = isRecord(position) ? position : {};
  if (!Number.isSafeInteger(next) || typeof ids !== "object" || ids === null || !(partitions >= 1)) {
    const found = `${inputs} of ${headers[PARTITIONS]} partitions`;
    throw new SyntaxError(`Cannot read the position in a task's record: current value is ${found}`);
  }
  return { next: next as number, ids: ids as TopicIds, partitions }; // ids are only compared
}

/** Everything on which a task's position depends. */
export interface PositionSides {
  /** Name of the topic of events. */
  readonly topic: string;
  /** The task's partition. */
  readonly partition: number;
  /** Name of the topic that holds the task's record. */
  readonly statistics: string;
  readonly group: string;
  /** The task's own record, or `null` when there is none. */
  readonly own: OwnPosition | null;
  /** Offset of the group, or `null` when there is none. */
  readonly committed: number | null;
  /** Present identity of the topic of events. */
  readonly now: TopicIdentity;
  /** Present readable range of the partition. */
  readonly bounds: Bounds;
}

/** Where a task continues. */
export interface Position {
  /** Offset of the next event. */
  readonly next: number;
  /** A remark about a group that disagrees, or `null`. */
  readonly remark: string | null;
}

/**
 * Decides where a task continues: where its own record says. If the offset of the group differs or is missing, it was
 * set manually or lost; the record was committed together with states and outputs, so it is right.
 *
 * @throws LogError `topic-mismatch` when the task cannot resume at its record; the message names both sides
 */
export function positionOf(sides: PositionSides): Position {
  const { topic, partition, group, own, committed, now, bounds } = sides;
  const place = `${topic}/${partition}`;
  if (own === null) {
    if (committed === null) return { next: bounds.start, remark: null };
    throw new LogError(
      "topic-mismatch",
      `Cannot resume ${place} at ${committed}, where group ${group} is: ${sides.statistics}/${partition} has no ` +
        `record of the task, so its states are lost; restore ${sides.statistics}, or delete the group ` +
        `(kafka-consumer-groups.sh --delete --group ${group}) to apply all of ${topic} again, from ${bounds.start}`,
    );
  }
  const { next } = own;
  const change = changeOf(topic, { id: own.ids.events ?? null, partitions: own.partitions }, now);
  if (change !== null) throw change;
  if (next > bounds.end) {
    throw new LogError(
      "topic-mismatch",
      `Cannot resume ${place} at ${next}, the position in the task's record: from ${bounds.end} on, the log has ` +
        `lost events that were applied (was a leader elected without them, or an older copy of the data restored?); bring them back, or ` +
        remedyByNewPrefix(topic),
    );
  }
  if (committed === next) return { next, remark: null };
  const says = committed === null ? "has no offset: it expired or was deleted" : `says ${committed}`;
  return {
    next,
    remark: `resumes ${place} at ${next}, as in its own record; group ${group} ${says}, and is corrected`,
  };
}

/**
 * The error for a topic that has changed; `null` = it has not.
 *
 * @param now its present identity; `null` when there is no such topic
 * @param remedy what to do about it
 */
export function changeOf(
  topic: string,
  before: TopicIdentity,
  now: TopicIdentity | null,
  remedy: string = remedyByNewPrefix(topic),
): LogError | null {
  if (now === null) {
    return new LogError("topic-mismatch", `Cannot resume ${topic}: it was deleted; ${remedy}`);
  }
  if (before.id !== null && now.id !== null && before.id !== now.id) {
    return new LogError(
      "topic-mismatch",
      `Cannot resume ${topic}: it was deleted and created again (its id was ${before.id}, and is ${now.id}), or is a ` +
        "copy on another cluster (to move there, use meander backup and restore), so positions in it are meaningless; " +
        remedy,
    );
  }
  if (before.partitions === now.partitions) return null;
  return new LogError(
    "topic-mismatch",
    `Cannot resume ${topic} with ${before.partitions} partitions: it has ${now.partitions} now; ${remedy}`,
  );
}

/** The remedy for a lost changelog: unlike other topics, it cannot just be read again, as it holds the states. */
export function withoutStates(events: string): string {
  return `restore it from a copy, or ${remedyByNewPrefix(events)}`;
}

/** The remedy when a task cannot continue. */
export function remedyByNewPrefix(topic: string): string {
  return `start afresh under another --prefix, and follow ${topic} to take in all its records: ` +
    "docs/how-to/deploy-on-kafka.md#events-that-are-keyed-by-something-else";
}
