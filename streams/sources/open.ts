/**
 * Opens files of events, whatever their format.
 *
 * @module
 */

import { openEasyRec, openGorse, openMetarank } from "./foreign.ts";
import { openMovieLens } from "./movielens.ts";
import { openNative } from "./native.ts";
import { openOpenBandit } from "./open_bandit.ts";
import { openSparrow } from "./sparrow.ts";
import { openTaobao } from "./taobao.ts";
import type { SourceOptions, SourceRecord } from "./source.ts";

/** The formats that can be read. */
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
 * What cannot be taken comes as a record of kind `rejected`, in its place, and the stream goes on.
 *
 * @param format how the files are to be read
 * @param path a file or a folder, as the format has it
 * @throws RangeError when the format is unknown, Deno.errors.NotFound when a file is
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
    throw new RangeError(`Cannot open ${path}: wanted a format of ${FORMATS.join(", ")}, got ${format}`);
  }
  return OPENERS[format](path, options);
}
