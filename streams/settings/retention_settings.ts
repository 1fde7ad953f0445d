/** The section `retention` of the configuration. */

import { absent, allReach, type OptionsOf, positive } from "../../src/options/option.ts";

/**
 * How long an embedded log keeps records, hours of wall-clock time. docs/reference/topics.md says what it keeps longer.
 */
export interface RetentionSettings {
  /** Events. @default {for good} */
  readonly eventsHours?: number | undefined;
  /** Answers. @default {for good} */
  readonly recommendationsHours?: number | undefined;
  /** Samples. @default {for good} */
  readonly samplesHours?: number | undefined;
  /** What tasks share for retrieval. @default {24} */
  readonly signalsHours?: number | undefined;
  /** Rejected records. @default {for good} */
  readonly rejectedHours?: number | undefined;
}

const FOR_GOOD = absent<number | undefined>("for good", undefined);

export const RETENTION_OPTIONS = allReach(
  "at-once",
  {
    eventsHours: positive(
      FOR_GOOD,
      "on SQLite: how long events are kept after they were applied; see [topics](topics.md#retention)",
    ),
    recommendationsHours: positive(
      FOR_GOOD,
      "how long answers are kept after the figures of experiments include them",
    ),
    samplesHours: positive(FOR_GOOD, "how long samples are kept after they were learnt and counted"),
    signalsHours: positive(24, "how long signals are kept after all other tasks have learnt them"),
    rejectedHours: positive(FOR_GOOD, "how long rejections are kept"),
  } satisfies OptionsOf<RetentionSettings>,
);
