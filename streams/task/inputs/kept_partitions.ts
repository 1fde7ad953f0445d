/**
 * Hides partitions that were added to topics after tasks began: a user's partition follows from their number, and states
 * cannot move.
 *
 * @module
 */

import type { GroupHandlers, Log, NewRecord } from "../../log/log.ts";
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
    // A member that joins again may be given added partitions.
    join: (group, topics, handlers) =>
      log.join(
        group,
        topics,
        handlersBelow(Math.min(...topics.map((topic) => kept.get(topic) ?? Infinity)), handlers),
      ),
  });
}

/** Handlers that see only partitions below `count`. */
export function handlersBelow(count: number, handlers: GroupHandlers): GroupHandlers {
  const within = async (partitions: readonly number[], tell: (own: readonly number[]) => Promise<void>) => {
    const own = partitions.filter((partition) => partition < count);
    if (own.length > 0) await tell(own);
  };
  return {
    assigned: (partitions) => within(partitions, (own) => handlers.assigned(own)),
    revoked: (partitions, why) => within(partitions, (own) => handlers.revoked(own, why)),
  };
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
