/** Options of a task, and of its rounds and steps. */

import { absent, count, natural, type OptionsOf, positive } from "../../src/options/option.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { Sample } from "../../src/samples/sample.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { Serving } from "../../src/features/serving.ts";
import type { Log, Place } from "../log/log.ts";
import type { PinSource } from "../topics/pinned_models.ts";
import type { SampleHandover } from "../topics/sample_handover.ts";
import type { Delivery } from "../topics/delivery.ts";
import type { Topics } from "../topics/topics.ts";
import type { Restore } from "./restoring/restore.ts";
import type { RestoreMeter } from "./restoring/restore_meter.ts";
import type { TimeShare } from "./pace/time_share.ts";
import type { StateStoreOptions } from "./store/store_options.ts";

/** Which task to open, and how it runs. */
export interface TaskOpening extends TaskRuntime {
  readonly log: Log;
  readonly topics: Topics;
  readonly partition: number;
  readonly options: TaskOptions;
  /** The model that serves. */
  readonly serving: Serving;
}

/** How a task runs. */
export interface TaskRuntime {
  /**
   * Memory for user states as objects, bytes; beyond it, the least recently active users are evicted.
   *
   * @default {no bound on logs with an index of keys, 64 MiB on others}
   */
  readonly maxStateBytes?: number | undefined;
  /** Where the local snapshot is; not used on logs with an index of keys. @default {none} */
  readonly snapshot?: StateStoreOptions | undefined;
  /** Models for variants of experiments, in addition to the task's own. @default {none} */
  readonly variants?: Iterable<Serving> | undefined;
  /** Versions that experiments pin; without them, variants that need one are left out. @default {none} */
  readonly pins?: PinSource | undefined;
  /** Measures the restore. @default {none} */
  readonly meter?: RestoreMeter | undefined;
  /** Whether answers wait for the commit. @default {"exactly-once"} */
  readonly delivery?: Delivery | undefined;
  /** Endings of the topics to which answers for surfaces are copied, by surface. @default {none} */
  readonly surfaceTopics?: Readonly<Record<string, string>> | undefined;
  /** Encodes lists of users, and answers on topics of surfaces. @default {as JSON} */
  readonly encodeLists?: ((recommendation: Recommendation, topic: string) => Uint8Array) | undefined;
  /**
   * Encodes samples of lists for the topic `recommendations.samples`; `null` = leave this one out.
   *
   * @default {no such topic}
   */
  readonly encodeSamples?: ((sample: Sample) => Uint8Array | null) | undefined;
  /** Number of partitions of the events. @default {as on the log} */
  readonly partitions?: number | undefined;
  /** Whether the weights of a build have learnt the samples of a user's event at this offset. @default {never} */
  readonly isLearnt?: ((offset: number, user: string) => boolean) | undefined;
  /** Receives committed samples, for a learner in the same process. @default {none} */
  readonly handover?: SampleHandover | undefined;
  /** Time available for learning from other partitions, shared by the tasks of a thread. @default {its own} */
  readonly othersTime?: TimeShare | undefined;
  /**
   * Whether all events were handled before: answers and rejections are already on their topics, and no lists are
   * written. @default {false}
   */
  readonly isAnswered?: boolean | undefined;
  /** Other partitions that it reads, which must be up to date when it has fenced other owners. @default {none} */
  readonly follows?: readonly Place[] | undefined;
  /** A restore of the same task, with the same options, to be continued. @default {a new restore} */
  readonly restore?: Restore | undefined;
  /** Yields the thread between portions of a restore or a commit. @default {the thread is not yielded} */
  readonly giveWay?: (() => Promise<unknown>) | undefined;
  /** Ends the restore: opening then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Where a round ends. */
export interface RoundLimits {
  /** Rows of emitted samples after which a round ends. */
  readonly rows: number;
  /** Events after which a round ends. */
  readonly events: number;
}

/** What a round did. */
export interface RoundResult {
  readonly events: number;
  /** Whether the round has ended; if not, the log had no more events, and nothing was committed. */
  readonly complete: boolean;
}

export interface StepOptions {
  /** A clock in milliseconds that never goes back, for the times below. */
  readonly now: () => number;
  /** Maximum number of events to read. @default {256} */
  readonly maxEvents?: number | undefined;
  /** How long to wait for a first event, milliseconds; at most until a commit is due. @default {0} */
  readonly waitMs?: number | undefined;
  /** Time between commits, and the longest that an event waits for its commit, milliseconds. @default {100} */
  readonly commitIntervalMs?: number | undefined;
  /** The same when an answer waits for the commit. @default {commitIntervalMs} */
  readonly answerIntervalMs?: number | undefined;
  /** Events after which a commit is due at the latest. @default {1000} */
  readonly commitEvents?: number | undefined;
  /** Time after which a step ends, milliseconds, so that others can run even if there is more to do. @default {none} */
  readonly sliceMs?: number | undefined;
  /** Ends the wait: the step then rejects with the signal's reason, and nothing is lost. */
  readonly signal?: AbortSignal | undefined;
}

export const STEP_OPTIONS = {
  maxEvents: count(256, "maximum number of events to read"),
  waitMs: natural(0, "how long to wait for a first event"),
  commitIntervalMs: natural(100, "time between commits"),
  commitEvents: count(1000, "events after which a commit is due in any case"),
  sliceMs: positive(absent("none", Infinity), "time after which a step ends, even with more to do"),
} satisfies OptionsOf<Omit<StepOptions, "now" | "answerIntervalMs" | "signal">>;
