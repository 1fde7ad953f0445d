/** The first records of a file or a topic. */

import { type ParsedJson, parseJson } from "../../src/events/json.ts";
import { reject } from "../../src/events/rejected.ts";
import type { RegistrySettings } from "../../streams/formats/registry_settings.ts";
import { SchemaRegistry } from "../../streams/formats/schema_registry.ts";
import type { Log } from "../../streams/log/log.ts";
import { checkHeader, readRow, type Separator, separatorOf, splitRow } from "../../streams/mapping/row.ts";
import type { SourceSettings } from "../../streams/mapping/source_settings.ts";
import type { TriedRecord } from "../../streams/mapping/trial.ts";
import { JsonSplitter } from "../../streams/sources/json_values.ts";
import { readCsv } from "../../streams/sources/csv.ts";
import { avroValues } from "../../streams/sources/mapped.ts";
import { LineSplitter, readLines, type Splitter } from "../../streams/sources/lines.ts";

/** Records, and their values. */
export interface Sample {
  /** The file, or `kafka:TOPIC`. */
  readonly from: string;
  readonly records: readonly TriedRecord[];
  /** Values of readable records; tombstones have none. */
  readonly values: readonly unknown[];
  /** The header of a file of rows. */
  readonly columns: readonly string[] | undefined;
  /** What separates the fields of its rows, if not what the format usually has. */
  readonly separator?: Separator | undefined;
  /** Why other records cannot be read, a sentence each. */
  readonly unread: readonly string[];
  /** The registry whose schemas they name. */
  readonly registry?: RegistrySettings;
}

/** A column's name in the first line of a file of rows: not a date, a number, or a URL. */
const NAME = /^[\p{L}_$@#][^:/?=]*$/u;

/** What a record that begins with a zero byte may be. */
const FRAMED = "it seems to name a schema: give the schema registry with --registry URL";

/** How the records of a source are read. */
interface Reading extends Pick<SourceSettings, "format" | "separator" | "columns"> {
  /** Whether a source defines this; otherwise the first line of rows is a header if its fields look like names. */
  readonly isGiven: boolean;
}

/** Which records are read. */
export interface SampleOptions {
  /** How many. */
  readonly records: number;
  /** The registry of records whose first byte says that they name a schema. */
  readonly registry?: RegistrySettings | undefined;
  /** Opens the log of a topic. */
  readonly open: () => Promise<Log>;
}

/** The topic that `kafka:TOPIC` names; `undefined` = it is a file. */
export function topicIn(from: string): string | undefined {
  return /^kafka:(.+)$/.exec(from)?.[1];
}

/** Reads the first records. */
export async function sampleOf(from: string, reading: Reading, options: SampleOptions): Promise<Sample> {
  const { format } = reading;
  const topic = topicIn(from);
  if (topic !== undefined) {
    const records = await topicRecords(topic, options);
    const values = records.flatMap(({ bytes }) => bytes ?? []);
    const framed = values.filter(([first]) => first === 0).length;
    const { registry } = options;
    if (registry === undefined || framed <= values.length / 2) {
      return sampled(from, records, undefined, readUnframed);
    }
    using schemas = new SchemaRegistry(registry, { env: (name) => Deno.env.get(name) });
    for (const bytes of values) await schemas.ready(bytes);
    return { ...sampled(from, records, undefined, (bytes) => schemas.read(bytes)), registry };
  }
  if (format === "avro") return sampled(from, await avroRecords(from, options.records), undefined, readJson);
  if (format === "csv" || format === "tsv") return await rows(from, { ...reading, format }, options.records);
  return sampled(from, await fileLines(from, new JsonSplitter(), options.records), undefined, readJson);
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
    return sampled(from, lines, undefined, () => reject("malformed-row", why));
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
  const sample = sampled(from, records, names, (bytes) => readRow(bytes, names, { separator, quotes }));
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
  from: string,
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
  return { from, records, values, columns, unread };
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

/** The first of each partition in equal shares: the clicks on a list may be in another one. */
async function topicRecords(topic: string, { records: most, open }: SampleOptions): Promise<TriedRecord[]> {
  await using log = await open();
  const identity = await log.identify(topic);
  if (identity === null) {
    throw new Error(`Cannot try topic ${topic}: it does not exist, or we may not see it`);
  }
  const { partitions } = identity;
  const bounds = await Promise.all(
    Array.from(
      { length: partitions },
      async (_, partition) => ({ partition, ...await log.bounds(topic, partition) }),
    ),
  );
  const parts: TriedRecord[][] = [];
  let left = most;
  // The smallest comes first: what it lacks is taken from larger ones.
  for (const { partition, start, end } of bounds.toSorted((a, b) => a.end - a.start - (b.end - b.start))) {
    const enough = Math.ceil(left / (partitions - parts.length));
    const records: TriedRecord[] = [];
    for (let next = start; next < end && records.length < enough;) {
      const result = await log.read(topic, partition, next);
      for (const { value, key, time, headers } of result.records.slice(0, enough - records.length)) {
        records.push({ bytes: value && new Uint8Array(value), meta: { key, time, topic, headers } });
      }
      if (result.next === next) break;
      next = result.next;
    }
    left -= records.length;
    parts.push(records.reverse());
  }
  return mergedByTime(parts);
}

/** The records of partitions, each newest first, as `run` merges them: the oldest of all heads comes next. */
function mergedByTime(parts: readonly TriedRecord[][]): TriedRecord[] {
  const merged: TriedRecord[] = [];
  const headTime = (part: TriedRecord[]) => part.at(-1)?.meta.time ?? Infinity;
  for (;;) {
    const oldest = parts.reduce<TriedRecord[]>((a, b) => headTime(b) < headTime(a) ? b : a, parts[0] ?? []);
    const head = oldest.pop();
    if (head === undefined) return merged;
    merged.push(head);
  }
}
