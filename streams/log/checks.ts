/** Argument checks that all logs share, so that their messages agree. */

import { type GroupOffset, LogError, type NewRecord, type Place, type TopicSpec } from "./log.ts";
import { partitionOf } from "./partitioner.ts";

const MAX_PARTITIONS = 1024;

/** Checks the spec of a new topic. @throws RangeError when it is invalid */
export function checkSpec({ name, partitions, cleanup }: TopicSpec): void {
  if (!/^[a-zA-Z0-9._-]{1,249}$/.test(name) || name === "." || name === "..") {
    throw new RangeError(
      `Cannot create topic ${JSON.stringify(name)}: a name has 1 to 249 of the characters a-z A-Z 0-9 . _ -`,
    );
  }
  if (!Number.isInteger(partitions) || partitions < 1 || partitions > MAX_PARTITIONS) {
    throw new RangeError(
      `Cannot create topic ${name} with ${partitions} partitions: the number has to be 1 to ${MAX_PARTITIONS}`,
    );
  }
  if (cleanup !== "delete" && cleanup !== "compact") {
    throw new RangeError(`Cannot create topic ${name}: its cleanup is ${cleanup}, not delete or compact`);
  }
}

/** Checks that an existing topic has the wanted spec. @throws LogError `topic-mismatch` when it differs */
export function checkSame(existing: TopicSpec, wanted: TopicSpec): void {
  const { name, partitions, cleanup } = wanted;
  if (existing.partitions === partitions && existing.cleanup === cleanup) return;
  const way = existing.partitions === partitions
    ? `change that (on Kafka, kafka-configs.sh --alter --entity-type topics --entity-name ${name} ` +
      `--add-config cleanup.policy=${cleanup}) before records are lost`
    : "use that";
  throw new LogError(
    "topic-mismatch",
    `Cannot create topic ${name} with ${describeSpec(wanted)}: it exists with ${describeSpec(existing)}; ` +
      `${way}, or choose another prefix or log`,
  );
}

/** A spec in words, without the name. */
function describeSpec({ partitions, cleanup }: TopicSpec): string {
  return `${partitions} partition${partitions === 1 ? "" : "s"}, cleanup ${cleanup}`;
}

/** Checks that a topic has a partition. @throws LogError `unknown-partition` when it does not */
export function checkPartition({ name, partitions }: TopicSpec, partition: number): void {
  if (Number.isInteger(partition) && partition >= 0 && partition < partitions) return;
  throw new LogError(
    "unknown-partition",
    `Cannot find partition ${partition} of ${name}: it has partitions 0 to ${partitions - 1}`,
  );
}

/** Whether a number can be the time of a record, milliseconds since the epoch. Kafka uses -1 for none. */
export function isRecordTime(time: number): boolean {
  return Number.isSafeInteger(time) && time >= 0;
}

/**
 * Validates a record and returns its partition.
 *
 * @param spec of the record's topic
 * @throws TypeError or RangeError when the record is not as {@linkcode NewRecord} requires
 * @throws LogError `unknown-partition`
 */
export function placeOf({ topic, key, time, headers, partition }: NewRecord, spec: TopicSpec): number {
  if (key === null ? spec.cleanup === "compact" : !key.isWellFormed()) {
    throw new TypeError(
      key === null
        ? `Cannot append to compact topic ${topic}: the key is null`
        : `Cannot append to ${topic}: the key ${JSON.stringify(key)} has a lone surrogate`,
    );
  }
  if (!isRecordTime(time)) {
    throw new RangeError(`Cannot append to ${topic}: the time is ${time}, not milliseconds since 1970`);
  }
  for (const name in headers) {
    if (name.isWellFormed() && headers[name]!.isWellFormed()) continue;
    throw new TypeError(`Cannot append to ${topic}: a header has a lone surrogate`);
  }
  const place = partition ?? (key === null ? 0 : partitionOf(key, spec.partitions));
  checkPartition(spec, place);
  return place;
}

/** Checks an offset to commit. @throws RangeError when it is not an offset */
export function checkOffset(group: string, { topic, partition, offset }: GroupOffset): void {
  if (Number.isSafeInteger(offset) && offset >= 0) return;
  throw new RangeError(`Cannot commit offset ${offset} of ${topic}/${partition} for group ${group}`);
}

/**
 * The number of partitions that co-partitioned topics share.
 *
 * @throws TypeError when there are no topics
 * @throws LogError `topic-mismatch` when they differ
 */
export function coPartitions(group: string, specs: readonly TopicSpec[]): number {
  const [first, ...others] = specs;
  if (first === undefined) throw new TypeError(`Cannot join group ${group}: no topics are given`);
  const odd = others.find(({ partitions }) => partitions !== first.partitions);
  if (odd === undefined) return first.partitions;
  throw new LogError(
    "topic-mismatch",
    `Cannot co-partition ${odd.name} with ${first.name}: it has ${odd.partitions} partitions, not ${first.partitions}`,
  );
}

/**
 * Checks a position to read from.
 *
 * @param end `Infinity` = it is not known yet
 * @throws RangeError when it is not an offset
 * @throws LogError `beyond-end` when it is above the end
 */
export function checkStart({ topic, partition }: Place, from: number, end: number): void {
  if (!Number.isSafeInteger(from)) {
    throw new RangeError(`Cannot read ${topic}/${partition} from ${from}: it is not an offset`);
  }
  if (from > end) throw beyondEnd({ topic, partition }, from, end);
}

/** The error for a position above the end: the log never returned it, or has lost records. */
export function beyondEnd({ topic, partition }: Place, from: number, end: number): LogError {
  return new LogError("beyond-end", `Cannot read ${topic}/${partition} from ${from}: its end is ${end}`, {
    end,
  });
}

/** The error for a position after records that the log has lost, and replaced. @param end the offset of the first */
export function replaced({ topic, partition }: Place, from: number, end: number): LogError {
  return new LogError(
    "beyond-end",
    `Cannot read ${topic}/${partition} from ${from}: it has lost what was read from ${end} on, and has other records there`,
    { end },
  );
}

/** Checks that a partition can be trimmed there. @throws RangeError or LogError `topic-mismatch` when it cannot */
export function checkTrim(spec: TopicSpec, partition: number, before: number, end: number): void {
  if (spec.cleanup !== "delete") {
    throw new LogError("topic-mismatch", `Cannot trim ${spec.name}: its cleanup is ${spec.cleanup}`);
  }
  if (!Number.isInteger(before) || before > end) {
    throw new RangeError(`Cannot trim ${spec.name}/${partition} before ${before}: its end is ${end}`);
  }
}
