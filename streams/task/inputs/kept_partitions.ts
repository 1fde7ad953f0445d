/**
 * Hides partitions that were added to topics after tasks began: a user's partition follows from their number, and states
 * cannot move.
 *
 * @module
 */

import type { Log, NewRecord } from "../../log/log.ts";
import { layered } from "../../log/metered_log.ts";
import { partitionOf } from "../../log/partitioner.ts";

/** How many partitions topics had at first, by name. */
export type KeptPartitions = ReadonlyMap<string, number>;

/** The log with the partitions that topics had at first; keyed records go to these. Reads of others are not hidden. */
export function keepPartitions(log: Log, kept: KeptPartitions): Log {
  const within = <T extends { readonly partitions: number }>(topic: string, found: T): T => {
    const partitions = kept.get(topic) ?? Infinity;
    return found.partitions > partitions ? { ...found, partitions } : found;
  };
  const placed = (records: readonly NewRecord[]) =>
    records.map((record) => {
      const { topic, key, partition } = record;
      const partitions = kept.get(topic);
      if (partitions === undefined || partition !== undefined || key === null) return record;
      return { ...record, partition: partitionOf(key, partitions) };
    });
  return layered(log, {
    topics: async () =>
      new Map([...await log.topics()].map(([topic, spec]) => [topic, within(topic, spec)] as const)),
    identify: async (topic) => {
      const identity = await log.identify(topic);
      return identity && within(topic, identity);
    },
    append: (records) => log.append(placed(records)),
    writer: async (id, places) => {
      const writer = await log.writer(id, places);
      return {
        id,
        commit: ({ records, ...commit }) => writer.commit({ ...commit, records: placed(records) }),
        [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
      };
    },
  });
}

/** How many partitions topics have that were added, and that no task reads. @param now partitions by topic, where known */
export function unreadPartitions(
  kept: KeptPartitions,
  now: ReadonlyMap<string, { readonly partitions: number } | null>,
): number {
  return [...kept].reduce(
    (sum, [topic, partitions]) => sum + Math.max(0, (now.get(topic)?.partitions ?? 0) - partitions),
    0,
  );
}
