/**
 * Mappings of widespread formats, each a file of the settings that a source of the configuration has.
 *
 * @module
 */

import cloudevents from "./presets/cloudevents.json" with { type: "json" };
import debezium from "./presets/debezium.json" with { type: "json" };
import segment from "./presets/segment.json" with { type: "json" };
import snowplow from "./presets/snowplow.json" with { type: "json" };

/** Names of the presets. */
export const PRESET_NAMES = ["cloudevents", "debezium", "segment", "snowplow"] as const;

/** One of {@linkcode PRESET_NAMES}. */
export type PresetName = (typeof PRESET_NAMES)[number];

/** The files of the presets, as they are. */
export const PRESETS: Readonly<Record<PresetName, unknown>> = { cloudevents, debezium, segment, snowplow };
