/**
 * What can be seen of a service from outside.
 *
 * @module
 */

import type { RestoreStatus } from "../task/restore_meter.ts";
import type { StoreStatus } from "../task/state_store.ts";
import type { MonitorStatus } from "./monitor_job.ts";

/** A partition as its task sees it. */
export interface PartitionStatus {
  /** The partition of `events`. */
  readonly partition: number;
  /** Whether the task is still being restored. */
  readonly restoring: boolean;
  /** Offset up to which everything is committed; 0 while it is restored. */
  readonly committed: number;
  /** Events that are not committed, holes of the log included. */
  readonly lag: number;
  /** No outcome of an older impression will be taken; milliseconds since the epoch, `null` before the first event. */
  readonly watermark: number | null;
  /** Users in memory. */
  readonly users: number;
  /** Signals and positives of other partitions that its task has learnt since it began; 0 where nothing is shared. */
  readonly othersLearnt: number;
  /** Records of other partitions' signals that it has not, holes of the log included. */
  readonly othersLag: number;
  /** How far the restore has come; `null` when there is none. */
  readonly restore: RestoreStatus | null;
  /** The local snapshot; `null` when there is none. */
  readonly snapshot: StoreStatus | null;
}

/** The learner, where it works. */
export interface LearnerStatus {
  /** Newest version made. */
  readonly version: number;
  /** Rows judged. */
  readonly rows: number;
  /** Samples that were not learnt yet, holes of the log included. */
  readonly lag: number;
  /** Of the newest rows, or `null`. */
  readonly auc: number | null;
  /** Share of positives of the newest rows, or `null`. */
  readonly ctr: number | null;
}

/** A service. */
export interface ServiceStatus {
  /** Events applied by this process. */
  readonly events: number;
  /** The partitions it holds, ascending. */
  readonly partitions: readonly PartitionStatus[];
  /** The live parameter version; 0 = none yet, or no tasks here. */
  readonly version: number;
  /** The learner, if it works in this process now. */
  readonly learner: LearnerStatus | null;
  /** The monitor of experiments, if it works in this process now. */
  readonly monitor: MonitorStatus | null;
  /** Events that wait to be keyed by user, holes of the log included, if this process does it now. */
  readonly rekeyLag: number | null;
}
