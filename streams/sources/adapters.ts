/**
 * Maps foreign JSON records, from a file or a topic, to events and items.
 *
 * @module
 */

import { parseEasyRec } from "../../src/adapters/easyrec.ts";
import { parseGorse } from "../../src/adapters/gorse.ts";
import type { Mapped } from "../../src/adapters/mapped.ts";
import { parseMetarank } from "../../src/adapters/metarank.ts";
import { checkEvent, checkItem } from "../../src/events/check.ts";
import { parseJson } from "../../src/events/json.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import { reject } from "../../src/events/rejected.ts";
import { mapEach, type MappedRecords } from "../../src/mapping/entries.ts";
import type { RecordMeta } from "../../src/mapping/scope.ts";
import { mapOwn } from "../mapping/own_format.ts";
import { type RecordSource, take } from "../mapping/record_source.ts";

/** Maps a JSON value of a format; `time` is used where the value has none. Throws a SyntaxError when it cannot. */
export type JsonAdapter = (value: unknown, options: { readonly time: number }) => Mapped;

/** Formats with JSON records, which can therefore be read from a topic. */
export const JSON_FORMATS = ["meander", "metarank", "gorse", "easyrec"] as const;

/** One of {@linkcode JSON_FORMATS}. */
export type JsonFormat = (typeof JSON_FORMATS)[number];

const FOREIGN: Readonly<Record<Exclude<JsonFormat, "meander">, JsonAdapter>> = {
  metarank: parseMetarank,
  gorse: parseGorse,
  easyrec: parseEasyRec,
};

/** The records mapped from a foreign one, or why it is rejected. */
export type Adapted = MappedRecords;

/**
 * Runs an adapter and validates its output, which is accepted as a whole or not at all. A `SyntaxError` of the adapter
 * is a rejection.
 */
export function adapt(map: () => Mapped): Adapted {
  let mapped: Mapped;
  try {
    mapped = map();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return reject("malformed-row", error.message);
  }
  const records: OwnRecord[] = [];
  for (const item of mapped.items ?? []) {
    const checked = checkItem(item);
    if (!checked.ok) return checked;
    records.push({ kind: "item", item });
  }
  for (const event of mapped.events ?? []) {
    const checked = checkEvent(event);
    if (!checked.ok) return checked;
    records.push({ kind: "event", event });
  }
  return { ok: true, records };
}

/** Makes events and items from the records of a topic. */
export interface RecordAdapter {
  /** Name of the format, or of the source in the configuration. */
  readonly name: string;
  /** Fetches what adapting a record needs; `undefined` = nothing to wait for. @default {nothing} */
  readonly ready?: ((bytes: Uint8Array) => Promise<void> | undefined) | undefined;
  /** Whether the records are in our format, possibly from another deployment. @default {false} */
  readonly isOwn?: boolean | undefined;
  /** Maps the bytes of a record, or a tombstone (`null`). Does not throw. */
  readonly adapt: (bytes: Uint8Array | null, meta: RecordMeta & { readonly time: number }) => Adapted;
}

export function formatAdapter(format: JsonFormat): RecordAdapter {
  if (format === "meander") return OWN;
  const adapter = FOREIGN[format];
  return {
    name: format,
    adapt: (bytes, { time }) => bytes === null ? { ok: true, records: [] } : adaptJson(bytes, adapter, time),
  };
}

/** Takes events and items in our format. */
const OWN: RecordAdapter = {
  name: "meander",
  isOwn: true,
  adapt(bytes, meta) {
    if (bytes === null) return mapOwn(null, { ...meta, tombstone: true });
    const parsed = parseJson(bytes, "record");
    return parsed.ok ? mapOwn(parsed.value, meta) : parsed;
  },
};

/**
 * The adapter of a source of the configuration.
 *
 * @example
 * ```ts
 * import { compileSource, sourceAdapter } from "@meander/meander/log";
 * import assert from "node:assert/strict";
 *
 * const source = compileSource("erasures", { rules: [{ as: "forget", fields: { user: "gone" } }] });
 * const adapted = sourceAdapter(source).adapt(new TextEncoder().encode('{"gone": 7}'), { time: 1_795_773_600_000 });
 * assert.ok(adapted.ok);
 * assert.equal(adapted.records.length, 1);
 * ```
 */
export function sourceAdapter(source: RecordSource): RecordAdapter {
  const { name, ready, isOwn } = source;
  return { name, ready, isOwn, adapt: (bytes, meta) => take(source, bytes, meta) };
}

/** An adapter that also passes each record that it makes to `see`. */
export function watched(adapter: RecordAdapter, see: (record: OwnRecord) => void): RecordAdapter {
  return {
    ...adapter,
    adapt(bytes, meta) {
      const adapted = adapter.adapt(bytes, meta);
      if (adapted.ok) adapted.records.forEach(see);
      return adapted;
    },
  };
}

/** Adapts JSON bytes: a value, or each value of a list by itself. */
export function adaptJson(bytes: Uint8Array, adapter: JsonAdapter, time: number): Adapted {
  const parsed = parseJson(bytes, "record");
  if (!parsed.ok) return parsed;
  const { value } = parsed;
  const one = (value: unknown) => adapt(() => adapter(value, { time }));
  return Array.isArray(value) ? mapEach(value, one) : one(value);
}
