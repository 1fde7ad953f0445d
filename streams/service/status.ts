/** The status of a service, for observers. */

import type { SourceLag } from "../feeders/followed_topic.ts";
import type { RestoreStatus } from "../task/restoring/restore_meter.ts";
import type { StoreStatus } from "../task/store/state_store.ts";
import type { MonitorStatus } from "./jobs/monitor_job.ts";

/** A partition and its task. */
export interface PartitionStatus {
  /** The partition of `events`. */
  readonly partition: number;
  /** Whether the task is still being restored. */
  readonly restoring: boolean;
  /** Offset below which everything is committed; 0 during the restore. */
  readonly committed: number;
  /** Events not committed yet, including holes in the log. */
  readonly lag: number;
  /** Event time before which all outcomes are final, milliseconds since the epoch; `null` before the first event. */
  readonly watermark: number | null;
  /** Users in memory. */
  readonly users: number;
  /** Signals and positives of other partitions learnt since the task started; 0 where nothing is shared. */
  readonly othersLearnt: number;
  /** Records of other partitions' signals not learnt yet, including holes in the log. */
  readonly othersLag: number;
  /** Progress of the restore; `null` when there is none. */
  readonly restore: RestoreStatus | null;
  /** The local snapshot; `null` when there is none. */
  readonly snapshot: StoreStatus | null;
}

/** The learner, while it runs in this process. */
export interface LearnerStatus {
  /** Newest version. */
  readonly version: number;
  /** Judged rows. */
  readonly rows: number;
  /** Samples not learnt yet, including holes in the log. */
  readonly lag: number;
  /** AUC of the newest rows, or `null`. */
  readonly auc: number | null;
  /** Click rate of the newest rows, or `null`. */
  readonly ctr: number | null;
}

/** The topics of sources. */
export interface SourcesStatus {
  /** Whether they are read now. */
  readonly isReading: boolean;
  /** Why not, or not all of them, for people, if known. */
  readonly fault: string | null;
  /** How far behind each partition was a second ago; empty until they are open. */
  readonly lags: readonly SourceLag[];
}

/** Status of a `Service`. */
export interface ServiceStatus {
  /** Events applied by this process. */
  readonly events: number;
  /** The partitions it holds, ascending. */
  readonly partitions: readonly PartitionStatus[];
  /** Live version of the parameters; 0 before the first and without tasks. */
  readonly version: number;
  /** The learner, if it runs in this process. */
  readonly learner: LearnerStatus | null;
  /** The monitor of experiments, if it runs in this process. */
  readonly monitor: MonitorStatus | null;
  /** The topics of sources, when this process takes them in. */
  readonly sources: SourcesStatus | null;
  /** The generation that this process was started to build, unless it serves, and why the last attempt failed. */
  readonly rebuild: { readonly generation: number; readonly failure: string | null } | null;
}
