/**
 * Merges partitions by the time of their records, with bounded waiting. Pure: the feeder reads and waits.
 *
 * The oldest of the held records always goes first, however old it is, so the past is merged exactly. For a partition
 * that was read to its end, the merge waits until `waitMs` after the arrival of the first of the held records:
 *
 * ```text
 *   impressions               12:00:00 a                 12:00:03 b
 *   clicks, waitMs 2000                    12:00:01 c               read to their end at 12:00:04
 *
 *   a and c go at once; b arrived at 12:00:03, and goes if clicks are still at their end at 12:00:05
 * ```
 *
 * So the merge equals a sort when the records of each partition are in order and each can be read within `waitMs` of
 * its time; and no record waits longer than `waitMs` from its arrival, however idle or late other partitions are.
 *
 * @module
 */

/** The next record of a partition. */
export interface MergeHead {
  /** Its time, milliseconds; −∞ = it has none, and does not wait. */
  readonly time: number;
  /** When it arrived, by a monotonic clock in milliseconds. */
  readonly cameAt: number;
}

export interface MergePartition {
  /** The next record, if there is one. */
  readonly head: MergeHead | undefined;
  /** When it was last found to be at its end, by the clock of `cameAt`; −∞ = never. */
  readonly emptyAt: number;
  /** How long others wait for it when it is at its end, milliseconds. */
  readonly waitMs: number;
}

/** The partition of the next record, or those that must be read again, at `from` or later, before there is one. */
export type Turn<P> =
  | { readonly partition: P }
  | { readonly awaited: readonly P[]; readonly from: number };

/** The partition whose turn it is; `undefined` = none has a record. At equal times, the first partition goes first. */
export function turnOf<P extends MergePartition>(partitions: readonly P[]): Turn<P> | undefined {
  let oldest: P | undefined;
  let cameAt = Infinity;
  let isAnyEmpty = false;
  for (const partition of partitions) {
    const { head } = partition;
    if (head === undefined) {
      isAnyEmpty = true;
      continue;
    }
    cameAt = Math.min(cameAt, head.cameAt);
    if (oldest?.head === undefined || head.time < oldest.head.time) oldest = partition;
  }
  if (oldest?.head === undefined) return undefined;
  if (!isAnyEmpty || oldest.head.time === -Infinity) return { partition: oldest };
  const awaited = partitions.filter(({ head, emptyAt, waitMs }) =>
    head === undefined && emptyAt < cameAt + waitMs
  );
  if (awaited.length === 0) return { partition: oldest };
  return { awaited, from: Math.max(...awaited.map(({ waitMs }) => cameAt + waitMs)) };
}
