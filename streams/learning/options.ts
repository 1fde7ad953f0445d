/** Options of a learner that runs on a log. */

import { GUARD_OPTIONS, type GuardOptions } from "../../src/learner/guard/guard.ts";
import { PROOF_OPTIONS, type ProofOptions } from "../../src/learner/proof.ts";
import { absent, count, natural, type OptionsOf, orNull, part, reaches } from "../../src/options/option.ts";
import type { SampleHandover } from "../topics/sample_handover.ts";

/** Options of a `Learning`. */
export interface LearningOptions {
  /** Rows after which a batch is full. @default {64} */
  readonly batchRows?: number | undefined;
  /** Batches between two checkpoints. @default {100} */
  readonly checkpointBatches?: number | undefined;
  /** Shortest time between two checkpoints of a service, milliseconds. @default {10000} */
  readonly checkpointIntervalMs?: number | undefined;
  /** Shortest time between two published versions of a service, milliseconds. @default {1000} */
  readonly publishIntervalMs?: number | undefined;
  /** Minimum versions between two full snapshots; `null` keeps every version, even after an erasure. @default {50} */
  readonly snapshotVersions?: number | null | undefined;
  /** Consecutive usable batches after which publishing resumes. @default {5} */
  readonly recoveryBatches?: number | undefined;
  /** Whether to drop samples that no checkpoint needs. @default {false} */
  readonly trimSamples?: boolean | undefined;
  /** Minimum number of judged rows kept for metrics; every checkpoint holds them. @default {all} */
  readonly keepRows?: number | undefined;
  /** The band in which served predictions must stay; `null` turns the guard off. @default {{}} */
  readonly guard?: GuardOptions | null | undefined;
  /** How the model proves that it ranks better than the prior; `null` skips the proof. @default {{}} */
  readonly proof?: ProofOptions | null | undefined;
  /** Name of the model if it belongs to a variant. @default {the deployment's own model} */
  readonly variant?: string | undefined;
  /** @internal Yields the thread between two batches of a round of a build. @default {a turn} */
  readonly giveWay?: (() => Promise<unknown>) | undefined;
  /** @internal Samples of the only partition that a task in this process has just written. @default {none} */
  readonly handover?: SampleHandover | undefined;
}

/** Options of a `Learning`, and where it runs. */
export interface LearningRuntime extends LearningOptions {
  /** A clock in milliseconds. @default {performance.now} */
  readonly now?: (() => number) | undefined;
  /** Ends the opening: it then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Number of judged rows that a service keeps, because it may run for years. */
const DEFAULT_SERVICE_ROWS = 20_000;

/** The options of {@linkcode LearningOptions} that can be configured. */
export const LEARNING_OPTIONS = {
  batchRows: reaches("onward", count(64, "rows of a batch of the learner; also ends a round of the task")),
  checkpointBatches: reaches(
    "at-once",
    count(
      100,
      "batches between two checkpoints; more in a build or a replay, if checkpoints are large",
    ),
  ),
  checkpointIntervalMs: reaches(
    "at-once",
    natural(10_000, "in a service: shortest time between two checkpoints"),
  ),
  publishIntervalMs: reaches("at-once", natural(1000, "in a service: shortest time between two versions")),
  snapshotVersions: reaches(
    "at-once",
    orNull(
      count(
        50,
        "minimum number of versions between full snapshots; a large snapshot waits until the deltas outweigh it; it " +
          "replaces older versions, also after an erasure; `null`: all versions stay, and may name erased users",
      ),
    ),
  ),
  keepRows: reaches(
    "at-once",
    count(
      absent(`all; ${DEFAULT_SERVICE_ROWS} in a service`, Infinity),
      "number of the newest judged rows to keep for metrics",
    ),
  ),
  proof: reaches(
    "at-once",
    part(
      PROOF_OPTIONS,
      "how a model proves that it predicts better than the prior; `null` = no proof is needed",
    ),
  ),
  guard: reaches(
    "at-once",
    part(GUARD_OPTIONS, "the band in which served predictions must stay; `null` = none"),
  ),
} satisfies OptionsOf<
  Omit<LearningOptions, "recoveryBatches" | "trimSamples" | "variant" | "handover" | "giveWay">
>;

/** The learning options of a service, with its own defaults where nothing is configured. */
export function serviceLearning(configured: LearningOptions = {}): LearningOptions {
  return { ...configured, keepRows: configured.keepRows ?? DEFAULT_SERVICE_ROWS };
}
