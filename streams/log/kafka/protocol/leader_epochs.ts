/**
 * By which leaders of a partition the records were written that we have read (KIP-320).
 *
 * A leader that was elected although it lacks records writes others at their offsets, in a later epoch. Told the epoch
 * of the record before a position, a broker tells that it has another one there:
 *
 * ```text
 *   we have read     0 1 2 3 4 5 6 7|           position 8, after a record of epoch 1
 *   the leader has   0 1 2 3 4 5 a b c d e      a ... e of epoch 2; epoch 1 ends at 6 < 8
 * ```
 */

import type { Place } from "../../log.ts";

/** The epoch of a record of which it is not known. */
export const UNKNOWN_EPOCH = -1;
/** How many runs to remember per partition: those extended last. */
const MAX_RUNS = 8;

/** Records from `from`, below `to`, that were written in one epoch. */
export interface EpochRun {
  readonly from: number;
  readonly to: number;
  readonly epoch: number;
}

/** Where the records of an epoch end. */
export interface EpochEnd {
  readonly epoch: number;
  readonly end: number;
}

/** Remembers the epochs of what was read, by topic id and partition. */
export class LeaderEpochs {
  readonly #runs = new Map<string, readonly EpochRun[]>();

  /** Notes a run that was read. @param topicId `null` and `undefined` = it has none, or it is not known */
  note(topicId: string | null | undefined, partition: number, { from, to, epoch }: EpochRun): void {
    if (topicId === null || topicId === undefined || epoch < 0) return;
    const key = `${topicId}/${partition}`;
    const known = this.#runs.get(key) ?? [];
    const touching = known.find((run) => run.epoch === epoch && run.from <= to && from <= run.to);
    const run = touching === undefined
      ? { from, to, epoch }
      : { from: Math.min(from, touching.from), to: Math.max(to, touching.to), epoch };
    this.#runs.set(key, [...known.filter((other) => other !== touching), run].slice(-MAX_RUNS));
  }

  /** The epoch of the record before an offset. */
  before(topicId: string | null | undefined, partition: number, offset: number): number {
    const known = this.#runs.get(`${topicId}/${partition}`) ?? [];
    return known.findLast(({ from, to }) => from < offset && offset <= to)?.epoch ?? UNKNOWN_EPOCH;
  }

  /**
   * Forgets what a partition had, because a leader has other records.
   *
   * @param kept the last epoch of ours that it has, and where that ends there
   * @returns the first offset at which it has none of what was read, or another record
   */
  forget(topicId: string | null | undefined, partition: number, kept: EpochEnd): number {
    const known = this.#runs.get(`${topicId}/${partition}`) ?? [];
    this.#runs.delete(`${topicId}/${partition}`);
    return Math.min(kept.end, ...known.filter(({ epoch }) => epoch > kept.epoch).map(({ from }) => from));
  }
}

/** A {@linkcode Place}'s offset to store for a group, with the epoch of the record before it. */
export interface StoredOffset extends Place {
  readonly offset: number;
  /** @default {UNKNOWN_EPOCH} */
  readonly epoch?: number;
}
