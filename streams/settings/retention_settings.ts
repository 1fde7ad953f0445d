/**
 * The section `retention` of the configuration.
 *
 * @module
 */

import { absent, type OptionsOf, positive } from "../../src/options/option.ts";

/** How long an embedded log keeps records, hours of the wall's clock. docs/reference/topics.md says what is kept for longer. */
export interface RetentionSettings {
  /** Events. @default {for good} */
  readonly eventsHours?: number | undefined;
  /** Answers. @default {for good} */
  readonly recommendationsHours?: number | undefined;
  /** Samples. @default {for good} */
  readonly samplesHours?: number | undefined;
  /** What tasks tell each other for retrieval. @default {24} */
  readonly signalsHours?: number | undefined;
  /** What could not be used. @default {for good} */
  readonly rejectedHours?: number | undefined;
}

const FOR_GOOD = absent<number | undefined>("for good", undefined);

/** The options of {@linkcode RetentionSettings}. */
export const RETENTION_OPTIONS = {
  eventsHours: positive(
    FOR_GOOD,
    "on SQLite: how long events are kept, once applied; see [topics.md](topics.md#retention)",
  ),
  recommendationsHours: positive(FOR_GOOD, "how long answers are, once figures of experiments have them"),
  samplesHours: positive(FOR_GOOD, "how long samples are, once learnt and counted"),
  signalsHours: positive(24, "how long signals of tasks are, once all others have them"),
  rejectedHours: positive(FOR_GOOD, "how long rejections are"),
} satisfies OptionsOf<RetentionSettings>;
