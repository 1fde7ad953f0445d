/** Opens event files of any supported format. */

import { openEasyRec, openGorse, openMetarank } from "./foreign.ts";
import { openMovieLens } from "./movielens.ts";
import { openNative } from "./native.ts";
import { openOpenBandit } from "./open_bandit.ts";
import { openSparrow } from "./sparrow.ts";
import { openTaobao } from "./taobao.ts";
import type { SourceOptions, SourceRecord } from "./source.ts";

/** The supported formats. */
export const FORMATS = [
  "meander",
  "ml-100k",
  "sparrow",
  "taobao",
  "open-bandit",
  "metarank",
  "gorse",
  "easyrec",
] as const;

/** One of {@linkcode FORMATS}. */
export type Format = (typeof FORMATS)[number];

const OPENERS: Readonly<
  Record<Format, (path: string, options: SourceOptions) => AsyncGenerator<SourceRecord>>
> = {
  "meander": openNative,
  "ml-100k": openMovieLens,
  "sparrow": openSparrow,
  "taobao": openTaobao,
  "open-bandit": openOpenBandit,
  "metarank": openMetarank,
  "gorse": openGorse,
  "easyrec": openEasyRec,
};

/**
 * Reads a data set as a stream of events and items, in constant memory where its format allows it.
 *
 * Invalid input becomes a record of kind `rejected` in its place, and the stream continues.
 *
 * @param format format of the files
 * @param path a file or a folder, depending on the format
 * @throws RangeError when the format is unknown, Deno.errors.NotFound when a file is missing
 *
 * @example
 * ```ts
 * import { openSource } from "@meander/meander";
 * import assert from "node:assert/strict";
 *
 * const file = await Deno.makeTempFile({ suffix: ".jsonl" });
 * await Deno.writeTextFile(file, '{"type":"forget","user":"u1","time":1700000000000}\n{"type":\n');
 * const records = await Array.fromAsync(openSource("meander", file));
 * assert.deepEqual(records.map(({ kind, line }) => [kind, line]), [["event", 1], ["rejected", 2]]);
 * await Deno.remove(file);
 * ```
 */
export function openSource(
  format: Format,
  path: string,
  options: SourceOptions = {},
): AsyncIterable<SourceRecord> {
  if (!Object.hasOwn(OPENERS, format)) {
    throw new RangeError(`Cannot open ${path}: expected a format of ${FORMATS.join(", ")}, got ${format}`);
  }
  return OPENERS[format](path, options);
}
