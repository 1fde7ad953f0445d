/** Files whose records a source of the configuration maps. */

import { type AvroFileValue, readAvroFile } from "../formats/avro_file.ts";
import type { RecordSource } from "../mapping/record_source.ts";
import { readCsv } from "./csv.ts";
import { filesOf } from "./files.ts";
import { JsonSplitter } from "./json_values.ts";
import { readLines } from "./lines.ts";
import { placed, type SourceOptions, type SourceRecord } from "./source.ts";

const AVRO = /\.avro$/;

/**
 * The records of a file, or of a folder of files by name, in their order: JSON lines or lists, values of Avro files, or
 * rows, which have a header unless the source names its columns.
 *
 * @throws TypeError when the source reads records of a schema registry, which come from topics
 *
 * @example
 * ```ts
 * import { compileSource, openMapped } from "@meander/meander/log";
 * import assert from "node:assert/strict";
 *
 * const file = await Deno.makeTempFile({ suffix: ".jsonl" });
 * await Deno.writeTextFile(file, '{"gone": "ann", "at": "2026-11-27T10:00:00Z"}\n');
 * const source = compileSource("erasures", { rules: [{ as: "forget", fields: { user: "gone", time: "at" } }] });
 * const records = await Array.fromAsync(openMapped(file, source));
 * assert.deepEqual(records.map(({ kind, line }) => [kind, line]), [["event", 1]]);
 * await Deno.remove(file);
 * ```
 */
export async function* openMapped(
  path: string,
  source: RecordSource,
  { signal }: SourceOptions = {},
): AsyncGenerator<SourceRecord> {
  if (source.format === "registry") {
    throw new TypeError(
      `Cannot open ${path} as ${source.name}: records of a schema registry come from topics`,
    );
  }
  for (const file of await filesOf(path, source.format === "avro" ? AVRO : undefined)) {
    if (source.format === "json") yield* readJson(file, source, { signal });
    else if (source.format === "avro") yield* readAvro(file, source, signal);
    else yield* readRows(file, source, signal);
  }
}

/** The records of a file of JSON lines or lists. @param source names it in rejections */
export async function* readJson(
  file: string,
  source: Pick<RecordSource, "read" | "map"> & { readonly name?: string },
  { signal }: SourceOptions,
): AsyncGenerator<SourceRecord> {
  for await (const lines of readLines(file, signal, new JsonSplitter())) {
    for (const line of lines) {
      const read = line.rejected ?? source.read(line.bytes);
      yield* placed(file, line, read.ok ? source.map(read.value, {}) : read, source.name);
    }
  }
}

/** Values of Avro, by their numbers. A rejected one is kept as JSON: its bytes are meaningless without their schema. */
async function* readAvro(
  file: string,
  source: RecordSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<SourceRecord> {
  for await (const { number, read, bytes } of avroValues(file, signal)) {
    const taken = read.ok ? source.map(read.value, {}) : read;
    const isRejected = !taken.ok || taken.rejected !== undefined;
    const own = read.ok && isRejected ? new TextEncoder().encode(JSON.stringify(read.value)) : bytes;
    yield* placed(file, { number, bytes: own, size: own.length }, taken, source.name);
  }
}

export async function* avroValues(file: string, signal?: AbortSignal): AsyncGenerator<AvroFileValue> {
  const { readable } = await Deno.open(file);
  yield* readAvroFile(
    signal === undefined ? readable : readable.pipeThrough(new TransformStream(), { signal }),
  );
}

async function* readRows(
  file: string,
  { name, format, columns, separator, map }: RecordSource,
  signal: AbortSignal | undefined,
): AsyncGenerator<SourceRecord> {
  const options = {
    header: columns === undefined,
    columns: columns ?? [],
    separator: separator ?? (format === "tsv" ? "\t" : undefined),
    quotes: format === "csv",
    signal,
  };
  for await (const read of readCsv(file, options)) {
    if (!read.ok) yield* placed(file, read.line, read.rejected, name);
    else {
      const fields = Object.entries(read.row).filter(([, field]) => field !== "");
      yield* placed(file, read.line, map(Object.fromEntries(fields), {}), name);
    }
  }
}
