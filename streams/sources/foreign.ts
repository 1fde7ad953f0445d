/** Files of other systems: events of Metarank, dumps of Gorse, behaviour tables of EasyRec. */

import { EASYREC_COLUMNS, parseEasyRec } from "../../src/adapters/easyrec.ts";
import type { Row } from "../../src/adapters/fields.ts";
import { gorseRow, parseGorse } from "../../src/adapters/gorse.ts";
import { MIN_TIME_MS } from "../../src/events/limits.ts";
import { parseJson } from "../../src/events/json.ts";
import { type CodedFormat, codedMapping } from "../mapping/coded_formats.ts";
import { fileIn, filesOf, isFolder } from "./files.ts";
import { readJson } from "./mapped.ts";
import { readRows, type SourceOptions, type SourceRecord } from "./source.ts";
import { sortByTime } from "./sort_by_time.ts";

/** Extension of a CSV file; all other files are JSON. */
const CSV = /\.csv(\.gz)?$/;

/**
 * Metarank's events, in the order of the files: a file of JSON lines or one list, or a folder of such files by name.
 */
export async function* openMetarank(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  for (const file of await filesOf(path)) yield* readJson(file, coded("metarank"), options);
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
    else yield* readJson(file, coded("gorse"), options);
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
    } else yield* readJson(file, coded("easyrec"), options);
  }
}

function coded(format: CodedFormat): Parameters<typeof readJson>[1] {
  return { read: (bytes) => parseJson(bytes, "record"), map: codedMapping(format) };
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
