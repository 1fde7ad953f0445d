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

/** The epoch of a record of which it is not known. */
export const UNKNOWN_EPOCH = -1;

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

/** Remembers the epochs of what a reader has read of a partition: a run for each, as its brokers do, too. */
export class LeaderEpochs {
  readonly #runs: EpochRun[] = [];

  /** Notes a run that was read. */
  note({ from, to, epoch }: EpochRun): void {
    if (epoch < 0) return;
    const at = this.#runs.findLastIndex((run) => run.epoch === epoch && run.from <= to && from <= run.to);
    const touching = this.#runs[at];
    if (touching === undefined) this.#runs.push({ from, to, epoch });
    else this.#runs[at] = { from: Math.min(from, touching.from), to: Math.max(to, touching.to), epoch };
  }

  /** The epoch of the record before an offset. */
  before(offset: number): number {
    return this.#runs.findLast(({ from, to }) => from < offset && offset <= to)?.epoch ?? UNKNOWN_EPOCH;
  }

  /** Where the run with an offset ends; `Infinity` = its epoch is not known. */
  endOf(offset: number): number {
    return this.#runs.findLast(({ from, to }) => from <= offset && offset < to)?.to ?? Infinity;
  }

  /**
   * The first offset at which a leader has none of what was read, or another record.
   *
   * @param kept the last epoch of ours that it has, and where that ends there
   */
  lostFrom(kept: EpochEnd): number {
    return Math.min(
      kept.end,
      ...this.#runs.filter(({ epoch }) => epoch > kept.epoch).map(({ from }) => from),
    );
  }
}
