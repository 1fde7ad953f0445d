/**
 * How a task is set up, and its rounds and steps.
 *
 * @module
 */

import type { Serving } from "../../src/features/serving.ts";
import type { PinSource } from "../topics/pinned_models.ts";
import type { SampleHandover } from "../topics/sample_handover.ts";
import type { Delivery } from "../topics/delivery.ts";
import type { RestoreMeter } from "./restore_meter.ts";
import type { TimeShare } from "./time_share.ts";
import type { StateStoreOptions } from "./state_store.ts";

/** Where and how a task runs. */
export interface TaskRuntime {
  /**
   * Memory for user states as objects; beyond it the least recently active ones leave it.
   *
   * @default {no bound on logs with an index of keys, 64 MiB on others}
   */
  readonly maxStateBytes?: number;
  /** Where the local snapshot is; not used on logs that have an index of keys. @default {none} */
  readonly snapshot?: StateStoreOptions | undefined;
  /** Models that variants of experiments may want, beside the own one. @default {none} */
  readonly variants?: Iterable<Serving>;
  /** Versions that experiments pin; without, variants that want one are left out. @default {none} */
  readonly pins?: PinSource;
  /** Told how far the restore has come. @default {nobody} */
  readonly meter?: RestoreMeter;
  /** Whether answers wait for the commit. @default {"exactly-once"} */
  readonly delivery?: Delivery;
  /** Number of partitions of the events. @default {what the log says} */
  readonly partitions?: number;
  /** Gets the samples that are committed, for a learner in the same process. @default {nobody} */
  readonly handover?: SampleHandover;
  /** When there is time to learn from other partitions; tasks of one thread share it. @default {its own} */
  readonly othersTime?: TimeShare;
  /** Ends the restore: opening then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
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
  /** Events read. */
  readonly events: number;
  /** Whether the round came to its end; if not, the log had no more events, and nothing was committed. */
  readonly complete: boolean;
}

/** Options of {@linkcode Task.step}. */
export interface StepOptions {
  /** A clock in milliseconds that never goes back, for the times below. */
  readonly now: () => number;
  /** Events to read at most. @default {256} */
  readonly maxEvents?: number;
  /** How long to wait for a first event, milliseconds; at most until a commit is due. @default {0} */
  readonly waitMs?: number;
  /** Time from a commit to the next, and the longest that an event waits for its own, milliseconds. @default {100} */
  readonly commitIntervalMs?: number;
  /** The same when an answer waits for the commit. @default {commitIntervalMs} */
  readonly answerIntervalMs?: number;
  /** Events after which a commit is due in any case. @default {1000} */
  readonly commitEvents?: number;
  /** Time after which a step ends, with more to do, so that others get their turn; milliseconds. @default {Infinity} */
  readonly sliceMs?: number;
  /** Ends the wait: the step then rejects with the signal's reason, and nothing is lost. */
  readonly signal?: AbortSignal;
}
