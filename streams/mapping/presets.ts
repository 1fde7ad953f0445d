/** Mappings of widespread formats, each a file with the settings of a source. */

import cloudevents from "./presets/cloudevents.json" with { type: "json" };
import debezium from "./presets/debezium.json" with { type: "json" };
import segment from "./presets/segment.json" with { type: "json" };
import snowplow from "./presets/snowplow.json" with { type: "json" };

/** Names of the presets. */
export const PRESET_NAMES = ["cloudevents", "debezium", "segment", "snowplow"] as const;

/** One of {@linkcode PRESET_NAMES}. */
export type PresetName = (typeof PRESET_NAMES)[number];

/** Contents of the files of the presets. */
export const PRESETS: Readonly<Record<PresetName, unknown>> = { cloudevents, debezium, segment, snowplow };
