/**
 * Meander's own format: JSON Lines of events and items, plain or gzipped.
 *
 * @module
 */

import { decodeEvent, decodeItem } from "../../src/events/codec.ts";
import type { Adapted } from "./adapters.ts";
import { fileIn, isFolder } from "./files.ts";
import { readLines } from "./lines.ts";
import { placed, type SourceOptions, type SourceRecord } from "./source.ts";

/**
 * Reads a folder with `items.jsonl` (if there is one) and then `events.jsonl`, each perhaps with `.gz`; or one file of
 * events, or of items when its name begins with `items`.
 */
export async function* openNative(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  if (!await isFolder(path)) {
    yield* /(?:^|[/\\])items[^/\\]*$/.test(path) ? readItems(path, options) : readEvents(path, options);
    return;
  }
  const items = await fileIn(path, ["items.jsonl", "items.jsonl.gz"]);
  const events = await fileIn(path, ["events.jsonl", "events.jsonl.gz"]);
  if (items === undefined && events === undefined) {
    throw new Deno.errors.NotFound(
      `Cannot open ${path} as meander: it has no events.jsonl and no items.jsonl`,
    );
  }
  if (items !== undefined) yield* readItems(items, options);
  if (events !== undefined) yield* readEvents(events, options);
}

/** Reads events. */
function readEvents(file: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  return readRecords(file, options, (bytes) => {
    const decoded = decodeEvent(bytes);
    return decoded.ok ? { ok: true, records: [{ kind: "event", event: decoded.event }] } : decoded;
  });
}

/** Reads items. */
function readItems(file: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  return readRecords(file, options, (bytes) => {
    const decoded = decodeItem(bytes);
    return decoded.ok ? { ok: true, records: [{ kind: "item", item: decoded.item }] } : decoded;
  });
}

async function* readRecords(
  file: string,
  { signal }: SourceOptions,
  decode: (bytes: Uint8Array) => Adapted,
): AsyncGenerator<SourceRecord> {
  for await (const lines of readLines(file, signal)) {
    for (const line of lines) yield* placed(file, line, line.rejected ?? decode(line.bytes));
  }
}
