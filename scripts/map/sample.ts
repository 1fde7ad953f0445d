/**
 * The first records of a file or a topic.
 *
 * @module
 */

import { type ParsedJson, parseJson } from "../../src/events/json.ts";
import { reject } from "../../src/events/rejected.ts";
import type { RegistrySettings } from "../../streams/formats/registry_settings.ts";
import { SchemaRegistry } from "../../streams/formats/schema_registry.ts";
import { FOREIGN_KIND } from "../../streams/log/kinds/kinds.ts";
import { checkHeader, readRow, type Separator, separatorOf, splitRow } from "../../streams/mapping/row.ts";
import type { SourceSettings } from "../../streams/mapping/source_settings.ts";
import type { TriedRecord } from "../../streams/mapping/trial.ts";
import { JsonSplitter } from "../../streams/sources/json_values.ts";
import { readCsv } from "../../streams/sources/csv.ts";
import { avroValues } from "../../streams/sources/mapped.ts";
import { LineSplitter, readLines, type Splitter } from "../../streams/sources/lines.ts";
import type { LogFlags } from "../flags/log_flags.ts";
import { openLog } from "../flags/service_flags.ts";

/** Records, and their values. */
export interface Sample {
  readonly records: readonly TriedRecord[];
  /** Values of readable records; tombstones have none. */
  readonly values: readonly unknown[];
  /** The header of a file of rows. */
  readonly columns: readonly string[] | undefined;
  /** What separates the fields of its rows, if not what the format usually has. */
  readonly separator?: Separator | undefined;
  /** Why other records cannot be read, a sentence each. */
  readonly unread: readonly string[];
}

/** A column's name in the first line of a file of rows: not a date, a number, or a URL. */
const NAME = /^[\p{L}_$@#][^:/?=]*$/u;

const RETRY_MS = 10_000;

/** What a record that begins with a zero byte may be. */
const FRAMED = "it seems to name a schema: give the schema registry with --registry URL";

/** How the records of a source are read. */
interface Reading extends Pick<SourceSettings, "format" | "separator" | "columns"> {
  /** Whether a source defines this; otherwise the first line of rows is a header if its fields look like names. */
  readonly isGiven: boolean;
}

/** Reads the first records. @param flags how many, and how the brokers are reached */
export async function sampleOf(
  from: string,
  reading: Reading,
  flags: LogFlags & { readonly records: number; readonly registry?: RegistrySettings | undefined },
): Promise<Sample> {
  const { format } = reading;
  const topic = /^kafka:(.+)$/.exec(from)?.[1];
  if (topic !== undefined && flags.registry !== undefined) {
    using schemas = new SchemaRegistry(flags.registry, { env: (name) => Deno.env.get(name) });
    const records = await topicRecords(topic, flags);
    for (const { bytes } of records) if (bytes !== null) await schemas.ready(bytes);
    return sampled(records, undefined, (bytes) => schemas.read(bytes));
  }
  if (topic !== undefined) return sampled(await topicRecords(topic, flags), undefined, readUnframed);
  if (format === "avro") return sampled(await avroRecords(from, flags.records), undefined, readJson);
  if (format === "csv" || format === "tsv") return await rows(from, { ...reading, format }, flags.records);
  return sampled(await fileLines(from, new JsonSplitter(), flags.records), undefined, readJson);
}

/** Rows of a file. */
async function rows(
  from: string,
  { format, separator: named, columns, isGiven }: Reading & { readonly format: "csv" | "tsv" },
  most: number,
): Promise<Sample> {
  const first = await fileLines(from, new LineSplitter(), 1);
  const header = new TextDecoder().decode(first[0]?.bytes ?? undefined).replace(/^\ufeff/, "").trimEnd();
  const quotes = format === "csv";
  const usual = quotes ? "," : "\t";
  const separator = named ?? (quotes && columns === undefined ? separatorOf(header) : usual);
  const names = columns ?? splitRow(header, separator, quotes);
  if (!("ok" in names) && columns === undefined) checkHeader(`${from}:1`, names);
  if ("ok" in names || !(isGiven || names.every((name) => NAME.test(name)))) {
    const why = "the first line does not name columns: name them in the source";
    const lines = await fileLines(from, new LineSplitter(), most);
    return sampled(lines, undefined, () => reject("malformed-row", why));
  }
  const records: TriedRecord[] = [];
  for await (
    const { line } of readCsv(from, {
      header: columns === undefined,
      columns: columns ?? [],
      separator,
      quotes,
    })
  ) {
    records.push({ bytes: new Uint8Array(line.bytes), meta: {} });
    if (records.length >= most) break;
  }
  const sample = sampled(records, names, (bytes) => readRow(bytes, names, { separator, quotes }));
  return separator === usual ? sample : { ...sample, separator };
}

function readJson(bytes: Uint8Array): ParsedJson {
  return parseJson(bytes, "record", { keepsLongs: true });
}

/** JSON of a topic whose records may need a registry. */
function readUnframed(bytes: Uint8Array): ParsedJson {
  const parsed = readJson(bytes);
  return parsed.ok || bytes[0] !== 0 ? parsed : { ...parsed, reason: `${parsed.reason}; ${FRAMED}` };
}

function sampled(
  records: readonly TriedRecord[],
  columns: readonly string[] | undefined,
  read: (bytes: Uint8Array) => ParsedJson,
): Sample {
  const values: unknown[] = [], unread: string[] = [];
  for (const { bytes } of records) {
    if (bytes === null) continue;
    const parsed = read(bytes);
    if (!parsed.ok) unread.push(parsed.reason);
    else if (Array.isArray(parsed.value)) values.push(...parsed.value);
    else values.push(parsed.value);
  }
  return { records, values, columns, unread };
}

async function fileLines(file: string, splitter: Splitter, most: number): Promise<TriedRecord[]> {
  const records: TriedRecord[] = [];
  for await (const lines of readLines(file, undefined, splitter)) {
    for (const { bytes } of lines) records.push({ bytes: new Uint8Array(bytes), meta: {} });
    if (records.length >= most) break;
  }
  return records.slice(0, most);
}

/** Records as JSON, the form in which rejected ones are kept. */
async function avroRecords(file: string, most: number): Promise<TriedRecord[]> {
  const records: TriedRecord[] = [];
  for await (const { read, bytes } of avroValues(file)) {
    const own = read.ok ? new TextEncoder().encode(JSON.stringify(read.value)) : bytes;
    records.push({ bytes: own, meta: {} });
    if (records.length >= most) break;
  }
  return records;
}

async function topicRecords(
  topic: string,
  flags: LogFlags & { readonly records: number },
): Promise<TriedRecord[]> {
  await using log = await openLog({ ...flags, log: FOREIGN_KIND }, { retryMs: RETRY_MS });
  const identity = await log.identify(topic);
  if (identity === null) {
    throw new Error(`Cannot try topic ${topic}: it does not exist, or we may not see it`);
  }
  const records: TriedRecord[] = [];
  for (let partition = 0; partition < identity.partitions && records.length < flags.records; partition++) {
    const { start, end } = await log.bounds(topic, partition);
    for (let next = start; next < end && records.length < flags.records;) {
      const result = await log.read(topic, partition, next);
      for (const { value, key, time, headers } of result.records) {
        records.push({ bytes: value && new Uint8Array(value), meta: { key, time, topic, headers } });
      }
      if (result.next === next) break;
      next = result.next;
    }
  }
  return records.slice(0, flags.records);
}
