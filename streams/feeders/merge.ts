/**
 * Merges partitions by the time of their records, with bounded waiting. Pure: the feeder reads and waits.
 *
 * A partition that holds records is never passed by a later one, however old they are, so that what is read from the past
 * is merged exactly. A partition that was read to its end is waited for, `waitMs` from the arrival of the first of the
 * records that are held up by it:
 *
 * ```text
 *   impressions               12:00:00 a                 12:00:03 b
 *   clicks, waitMs 2000                    12:00:01 c               read to their end at 12:00:04
 *
 *   a and c go at once; b came at 12:00:03, and goes when clicks are still at their end at 12:00:05
 * ```
 *
 * So the merge is the sort when the records of each partition are in order and each can be read within `waitMs` of its
 * time; and no record waits for longer than `waitMs` from its arrival, however idle or late other partitions are.
 *
 * @module
 */

/** The next record of a partition. */
export interface MergeHead {
  /** Its time, milliseconds; −∞ = it has none, and does not wait. */
  readonly time: number;
  /** When it came, by a clock in milliseconds that never goes back. */
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

/** Which partition gives the next record; or those that must be read again, at `from` or later, before one does. */
export type Turn<P> =
  | { readonly partition: P }
  | { readonly awaited: readonly P[]; readonly from: number };

/** Whose turn it is; `undefined` = no partition has a record. Of records of the same time, the first partition's goes. */
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
