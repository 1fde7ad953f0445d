/** A compiled source of the configuration: turns the bytes of a record into events and items. */

import { type ParsedJson, parseJson } from "../../src/events/json.ts";
import { reasonOf } from "../../src/values/reason.ts";
import type { RegistryContext } from "../formats/registry_client.ts";
import type { RegistrySettings } from "../formats/registry_settings.ts";
import { SchemaRegistry } from "../formats/schema_registry.ts";
import type { MappedRecords } from "../../src/mapping/entries.ts";
import { compileMapping, type Mapping } from "../../src/mapping/mapping.ts";
import { MappingError } from "../../src/mapping/mapping_error.ts";
import type { RecordMeta } from "../../src/mapping/scope.ts";
import { isOneOf } from "../../src/values/one_of.ts";
import { CODED_FORMATS, codedMapping } from "./coded_formats.ts";
import { compileExpression } from "./expression.ts";
import { mapOwn } from "./own_format.ts";
import { readRow, repeatedIn } from "./row.ts";
import { settle } from "../../src/options/option.ts";
import { parseStart } from "./start.ts";
import { type RecordFormat, SOURCE_OPTIONS, type SourceSettings, withPreset } from "./source_settings.ts";

/** A source of records. */
export interface RecordSource {
  /** Its name. */
  readonly name: string;
  /** How the bytes of its records are read. */
  readonly format: RecordFormat;
  /** Fields of a row, if records are rows. */
  readonly columns: readonly string[] | undefined;
  /** What separates them; `undefined` = not set. */
  readonly separator?: SourceSettings["separator"];
  /** Fetches what reading a record needs; `undefined` = nothing to wait for. Rejects when the registry does not answer. */
  readonly ready?: ((bytes: Uint8Array) => Promise<void> | undefined) | undefined;
  /** Reads the bytes of a record; records of Avro files are kept as JSON. Does not throw. */
  readonly read: (bytes: Uint8Array) => ParsedJson;
  /** Whether its records are in our format. @default {false} */
  readonly isOwn?: boolean | undefined;
  /** Maps a value, or each value of a list by itself, to events and items. Does not throw. */
  readonly map: Mapping["map"];
}

/**
 * Compiles a source.
 *
 * @throws MappingError with the place in the settings
 *
 * @example
 * ```ts
 * import { compileSource } from "@meander/meander/log";
 * import assert from "node:assert/strict";
 *
 * const source = compileSource("erasures", {
 *   format: "csv",
 *   columns: ["who", "at"],
 *   rules: [{ as: "forget", fields: { user: "who", time: "at" } }],
 * });
 * const row = source.read(new TextEncoder().encode("ann,2026-11-27T10:00:00Z"));
 * const event = { type: "forget", user: "ann", time: Date.UTC(2026, 10, 27, 10) };
 * assert.ok(row.ok);
 * assert.deepEqual(source.map(row.value, {}), { ok: true, records: [{ kind: "event", event }] });
 * ```
 */
export function compileSource(
  name: string,
  settings: SourceSettings,
  context: RegistryContext = {},
): RecordSource {
  const settled = settle(SOURCE_OPTIONS, withPreset(settings));
  const { preset, format, columns, separator, registry, follow, ...mapping } = settled;
  if (follow?.start !== undefined) checkStart(follow.start);
  if (isOneOf(CODED_FORMATS, preset)) {
    const own = Object.keys(settings).find((key) => key !== "preset" && key !== "follow");
    if (own !== undefined) {
      throw new MappingError([own], `preset ${preset} is implemented in code, which has no such setting`);
    }
    return { name, format, columns, read: readJson, map: codedMapping(preset) };
  }
  checkFormat(settled);
  if (follow !== undefined && Object.keys(settings).every((key) => key === "follow")) {
    return ownSource(name);
  }
  if ((mapping.rules ?? []).length === 0) {
    throw new MappingError(["rules"], "it has neither rules nor a preset, so it would map nothing");
  }
  const { map } = compileMapping(mapping, { expressions: compileExpression });
  if (registry !== undefined) {
    const schemas = registryOf(registry, context);
    return {
      name,
      format,
      columns,
      ready: (bytes) => schemas.ready(bytes),
      read: (bytes) => schemas.read(bytes),
      map,
    };
  }
  const quotes = format === "csv";
  const row = { separator: separator ?? (quotes ? "," : "\t"), quotes };
  const read = isRow(format)
    ? (bytes: Uint8Array) => readRow(bytes, columns ?? [], row)
    : (bytes: Uint8Array) => parseJson(bytes, "record", { keepsLongs: true });
  return { name, format, columns, separator, read, map };
}

function isRow(format: string): boolean {
  return format === "csv" || format === "tsv";
}

/** @throws MappingError when settings do not go with the format */
function checkFormat(
  { format, columns, separator, registry, follow }: SourceSettings & { format: string },
): void {
  for (const [key, value] of Object.entries({ columns, separator })) {
    if (!isRow(format) && value !== undefined) {
      throw new MappingError([key], `records of format ${format} have no ${key}`);
    }
  }
  if (isRow(format) && columns === undefined && follow !== undefined) {
    throw new MappingError(["columns"], "rows of a topic have no header: name their columns");
  }
  const twice = repeatedIn(columns ?? []);
  if (twice !== undefined) throw new MappingError(["columns"], `${twice} appears twice`);
  if ((format === "registry") !== (registry !== undefined)) {
    throw new MappingError(["registry"], "format registry requires it, and no other format allows it");
  }
  if (format === "avro" && follow !== undefined) {
    throw new MappingError(
      ["format"],
      "avro is for files; for a topic, whose records name schemas, use registry",
    );
  }
}

/** The source of events and items in our format, possibly from another deployment. */
export function ownSource(name = "meander"): RecordSource {
  return { name, format: "json", columns: undefined, isOwn: true, read: readJson, map: mapOwn };
}

function readJson(bytes: Uint8Array): ParsedJson {
  return parseJson(bytes, "record");
}

function registryOf(settings: RegistrySettings, context: RegistryContext): SchemaRegistry {
  try {
    return new SchemaRegistry(settings, context);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new MappingError(["registry", "url"], error.message);
  }
}

function checkStart(start: string): void {
  try {
    parseStart(start);
  } catch (error) {
    throw new MappingError(["follow", "start"], reasonOf(error));
  }
}

/** Reads and maps the bytes of a record. @param bytes `null` for a tombstone */
export function take(source: RecordSource, bytes: Uint8Array | null, meta: RecordMeta): MappedRecords {
  if (bytes === null) return source.map(null, { ...meta, tombstone: true });
  const parsed = source.read(bytes);
  return parsed.ok ? source.map(parsed.value, meta) : parsed;
}
