/** The section `sources` of the configuration: what other systems write, and how it is mapped. */

import { MAPPING_OPTIONS, type MappingSettings } from "../../src/mapping/mapping_options.ts";
import {
  by,
  choice,
  group,
  list,
  type Option,
  type OptionsOf,
  orAbsent,
  text,
} from "../../src/options/option.ts";
import { REGISTRY_OPTIONS, type RegistrySettings } from "../formats/registry_settings.ts";
import { CODED_FORMATS, type CodedFormat } from "./coded_formats.ts";
import { SEPARATORS } from "./row.ts";
import { FOLLOW_OPTIONS, type FollowSettings } from "./follow_settings.ts";
import { isOneOf } from "../../src/values/one_of.ts";
import { PRESET_NAMES, type PresetName, PRESETS } from "./presets.ts";

/** How the bytes of records are read. */
export const RECORD_FORMATS = ["json", "csv", "tsv", "avro", "registry"] as const;

/** One of {@linkcode RECORD_FORMATS}. */
export type RecordFormat = (typeof RECORD_FORMATS)[number];

/** A source. */
export interface SourceSettings extends MappingSettings {
  /**
   * A preset: its rules follow those given here, and its other settings are defaults. A format that code maps takes
   * neither rules nor settings.
   */
  readonly preset?: PresetName | CodedFormat | undefined;
  /** How the bytes of its records are read. @default {"json"} */
  readonly format?: RecordFormat | undefined;
  /** The registry with the schemas that records name, for format `registry`. */
  readonly registry?: RegistrySettings | undefined;
  /** The topic that `run` follows. @default {none} */
  readonly follow?: FollowSettings | undefined;
  /** Names of the fields of a row. @default {the header of the file} */
  readonly columns?: readonly string[] | undefined;
  /** What separates the fields of a row. @default {detected in a file's header; else a comma, or a tab for `tsv`} */
  readonly separator?: "," | ";" | "\t" | "|" | undefined;
}

/** Sources by name. */
export type SourcesSettings = Readonly<Record<string, SourceSettings>>;

export const SOURCE_OPTIONS = {
  preset: orAbsent(
    choice(
      [...PRESET_NAMES, ...CODED_FORMATS],
      "segment",
      "a known format: its rules follow the given ones, its settings are the defaults; `metarank`, `gorse` and `easyrec` allow no further settings",
    ),
  ),
  format: choice(
    RECORD_FORMATS,
    "json",
    "format of records; `csv` and `tsv`: one row each, quoted only in `csv`; `avro`: an Avro file; `registry`: Confluent's wire format of Avro, Protobuf and JSON",
  ),
  registry: orAbsent(group(REGISTRY_OPTIONS)) as unknown as Option<RegistrySettings | undefined>, // all or none
  follow: orAbsent(group(FOLLOW_OPTIONS)) as unknown as Option<FollowSettings | undefined>, // all or none
  columns: list(
    text<string>("", ""),
    { minimum: 1 },
    "fields of a row; in a file, the default is its header",
  ),
  separator: orAbsent(
    choice(
      SEPARATORS,
      ",",
      "separates the fields of a row; by default detected in the header of a file, else a comma, or a tab for `tsv`",
    ),
  ),
  ...MAPPING_OPTIONS,
} satisfies OptionsOf<SourceSettings>;

/** The option of the section. */
export const SOURCES: Option<SourcesSettings | undefined> = by(
  group(SOURCE_OPTIONS) as unknown as Option<SourceSettings>, // a group types every option as optional
  "sources of other formats, by name; see [map your topics](../how-to/map-your-topics.md)",
);

/** A source merged with its preset, unless code maps that. */
export function withPreset(settings: SourceSettings): SourceSettings {
  const { preset, rules = [], ...own } = settings;
  if (!isOneOf(PRESET_NAMES, preset)) return settings;
  const { rules: further = [], ...base } = PRESETS[preset] as SourceSettings; // a test parses each
  return { ...base, ...own, rules: [...rules, ...further] };
}
