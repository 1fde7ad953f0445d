/**
 * The section `retention` of the configuration.
 *
 * @module
 */

import { z } from "zod";
import { absent, field } from "./config_field.ts";

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

/** Default of {@linkcode RetentionSettings.signalsHours}. */
export const SIGNALS_HOURS = 24;

const hours = z.number().positive();
const FOR_GOOD = absent("for good");

/** The schema of {@linkcode RetentionSettings}. */
export const retentionSchema: z.ZodType<RetentionSettings> = z.strictObject({
  eventsHours: field(
    hours,
    "on SQLite: how long events are kept, once applied; see [topics.md](topics.md#retention)",
    FOR_GOOD,
  ),
  recommendationsHours: field(hours, "how long answers are, once figures of experiments have them", FOR_GOOD),
  samplesHours: field(hours, "how long samples are, once learnt and counted", FOR_GOOD),
  signalsHours: field(hours, "how long signals of tasks are, once all others have them", SIGNALS_HOURS),
  rejectedHours: field(hours, "how long rejections are", FOR_GOOD),
}).partial();
