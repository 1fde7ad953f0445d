/** What is built, and from where. */

import type { TaskOptions } from "../../../src/engine/task_options.ts";
import type { LearnerSpec } from "../../service/jobs/learner_job.ts";
import type { ServiceOptions } from "../../service/jobs/options.ts";
import type { Topics } from "../../topics/topics.ts";

/** What is built. */
export interface RebuildOptions {
  /** The learner of the generation, with its own topics. */
  readonly spec: LearnerSpec;
  readonly task: TaskOptions;
  /**
   * Offsets of events up to which it is built, by task: one task per partition, or a multiple that share partitions.
   */
  readonly until: readonly number[];
  /**
   * The learner whose weights this generation starts from, matched by names of inputs; samples that it has learnt are
   * not learnt again.
   *
   * @default {it learns all samples}
   */
  readonly carries?: LearnerSpec | undefined;
  /**
   * Topics of a generation that remembers what the log has dropped: see `remembered.ts`.
   *
   * @default {it begins with what the log has}
   */
  readonly remembers?: Topics | undefined;
  /**
   * Folders of backups, from which events and answers are read that the log has dropped; those that they lack, too,
   * are remembered.
   *
   * @default {none}
   */
  readonly archives?: readonly string[] | undefined;
  /**
   * Memory for user states of all partitions, and what it has written and reads again, bytes.
   *
   * @default {see TaskRuntime.maxStateBytes, and 8 MiB}
   */
  readonly stateBytes?: number | undefined;
  /** Where the local snapshots of its tasks are. @default {it has none} */
  readonly snapshots?: ServiceOptions["snapshots"];
  /** Most events of a round. @default {4096 divided by the number of tasks, at least 1024} */
  readonly roundEvents?: number | undefined;
  /** Yields the thread between two batches. @default {a turn} */
  readonly giveWay?: (() => Promise<unknown>) | undefined;
}
