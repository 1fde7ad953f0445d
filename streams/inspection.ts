/**
 * A look at a deployment from outside, by its log alone.
 *
 * @module
 */

import { decodeVersion } from "../src/learner/version.ts";
import type { Log, LogRecord } from "./log/log.ts";
import { readAll } from "./log/read_all.ts";
import { topicNames, topicSpecs } from "./topics.ts";

/** A topic that there should be. */
export interface TopicView {
  /** Its name. */
  readonly name: string;
  /** Its partitions; 0 = it is missing. */
  readonly partitions: number;
  /** Offsets from the first record that can be read to the end, of all partitions; holes of the log included. */
  readonly records: number;
}

/** A partition of `events`, seen from outside. */
export interface PartitionView {
  /** The partition. */
  readonly partition: number;
  /** Offset behind the last event. */
  readonly end: number;
  /** Offset up to which its task has committed; `null` = no task ever did. */
  readonly committed: number | null;
  /** Newest event time that its task has committed, milliseconds since the epoch, or `null`. */
  readonly eventTime: number | null;
}

/** A deployment, seen from outside. */
export interface Inspection {
  /** The topics in the order of their use. */
  readonly topics: readonly TopicView[];
  /** The partitions of `events`. */
  readonly partitions: readonly PartitionView[];
  /** Newest parameter version by model. */
  readonly versions: ReadonlyMap<string, number>;
  /** What is missing, in words; empty = all is well. */
  readonly problems: readonly string[];
}

/** Looks at the deployment under a prefix. */
export async function inspect(log: Log, prefix?: string): Promise<Inspection> {
  const names = topicNames(prefix);
  const existing = await log.topics();
  const problems: string[] = [];
  const topics = await Promise.all(
    topicSpecs(names, 1).map(async ({ name, cleanup }) => {
      const spec = existing.get(name);
      if (spec === undefined) problems.push(`topic ${name} is missing`);
      else if (spec.cleanup !== cleanup) {
        problems.push(`topic ${name} has cleanup ${spec.cleanup}, not ${cleanup}`);
      }
      const partitions = spec?.partitions ?? 0;
      let records = 0;
      for (let p = 0; p < partitions; p++) {
        const { start, end } = await log.bounds(name, p);
        records += end - start;
      }
      return { name, partitions, records };
    }),
  );
  const partitions: PartitionView[] = [];
  for (let partition = 0; partition < (existing.get(names.events)?.partitions ?? 0); partition++) {
    const { end } = await log.bounds(names.events, partition);
    const committed = await log.committed(`${names.events}-tasks`, names.events, partition);
    if (committed === null && end > 0) problems.push(`no task has committed partition ${partition}`);
    // Each commit of a task ends with the task's own record, at its newest event time.
    const last = existing.has(names.statistics) ? await newest(log, names.statistics, partition) : undefined;
    partitions.push({ partition, end, committed, eventTime: last === undefined ? null : last.time });
  }
  const versions = new Map<string, number>();
  if (existing.has(names.parameters)) {
    for await (const { key, value } of readAll(log, names.parameters, 0)) {
      if (key !== null && value !== null) versions.set(key, decodeVersion(value).version);
    }
    if (versions.size === 0) problems.push("no parameters are published: is there a learner?");
  }
  return { topics, partitions, versions, problems };
}

/** The last record of a partition. */
async function newest(log: Log, topic: string, partition: number): Promise<LogRecord | undefined> {
  const { start, end } = await log.bounds(topic, partition);
  // Offsets have holes, such as the marker that ends a transaction.
  for (let back = 2;; back *= 4) {
    const from = Math.max(start, end - back);
    let last: LogRecord | undefined;
    for await (const record of readAll(log, topic, partition, from)) last = record;
    if (last !== undefined || from === start) return last;
  }
}
