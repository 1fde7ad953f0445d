/**
 * Files of other systems: events of Metarank, dumps of Gorse, behaviour tables of EasyRec.
 *
 * @module
 */

import { EASYREC_COLUMNS, parseEasyRec } from "../../src/adapters/easyrec.ts";
import type { Row } from "../../src/adapters/fields.ts";
import { gorseRow, parseGorse } from "../../src/adapters/gorse.ts";
import { parseMetarank } from "../../src/adapters/metarank.ts";
import { MIN_TIME_MS } from "../../src/events/limits.ts";
import { adaptJson, type JsonAdapter } from "./adapters.ts";
import { fileIn, isFolder, within } from "./files.ts";
import { JsonSplitter } from "./json_values.ts";
import { readLines } from "./lines.ts";
import { placed, readRows, type SourceOptions, type SourceRecord } from "./source.ts";
import { sortByTime } from "./sort_by_time.ts";

/** Extension of a CSV file; all other files are JSON. */
const CSV = /\.csv(\.gz)?$/;
const DATA = /\.(jsonl?|ndjson|csv)(\.gz)?$/;

/**
 * Metarank's events, in the order of the files: a file of JSON lines or one list, or a folder of such files by name.
 */
export async function* openMetarank(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  for (const file of await filesOf(path)) yield* readJson(file, parseMetarank, options);
}

/**
 * A folder with `users`, `items` and `feedback`, each as `.csv`, `.jsonl` or `.json`, optionally with `.gz`; or one
 * such file. Dumps are sorted by key, so the records are sorted by time; users, and items without a time, come first.
 */
export function openGorse(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  return sortByTime(readGorse(path, options));
}

async function* readGorse(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  const map = (row: Row) => parseGorse(gorseRow(row), { time: MIN_TIME_MS });
  for (const file of await isFolder(path) ? await gorseFiles(path) : [path]) {
    if (CSV.test(file)) yield* readRows(file, { header: true, columns: [], ...options }, map);
    else yield* readJson(file, parseGorse, options);
  }
}

/** The behaviour table of EasyRec, as CSV with a header or as JSON, sorted by time. */
export function openEasyRec(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  return sortByTime(readEasyRec(path, options));
}

async function* readEasyRec(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  for (const file of await filesOf(path)) {
    if (CSV.test(file)) {
      yield* readRows(file, { header: true, columns: EASYREC_COLUMNS, ...options }, parseEasyRec);
    } else yield* readJson(file, parseEasyRec, options);
  }
}

async function* readJson(
  file: string,
  adapter: JsonAdapter,
  { signal }: SourceOptions,
): AsyncGenerator<SourceRecord> {
  for await (const lines of readLines(file, signal, new JsonSplitter())) {
    for (const line of lines) {
      yield* placed(file, line, line.rejected ?? adaptJson(line.bytes, adapter, MIN_TIME_MS));
    }
  }
}

/** The file, or the files of the folder in the order of their names. @throws Deno.errors.NotFound without any */
export async function filesOf(path: string, named: RegExp = DATA): Promise<readonly string[]> {
  if (!await isFolder(path)) return [path];
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(path)) if (isFile && named.test(name)) names.push(name);
  if (names.length > 0) return names.sort().map((name) => within(path, name));
  const wanted = named === DATA ? "JSON or CSV" : "Avro";
  throw new Deno.errors.NotFound(`Cannot open ${path}: it has no ${wanted} file`);
}

async function gorseFiles(folder: string): Promise<readonly string[]> {
  const endings = ["csv", "jsonl", "ndjson", "json"].flatMap((ending) => [ending, `${ending}.gz`]);
  const found = await Promise.all(
    ["users", "items", "feedback"].map((name) =>
      fileIn(folder, endings.map((ending) => `${name}.${ending}`))
    ),
  );
  const files = found.filter((file) => file !== undefined);
  if (files.length > 0) return files;
  throw new Deno.errors.NotFound(`Cannot open ${folder} as gorse: it has no users, items or feedback`);
}
