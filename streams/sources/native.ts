/** Meander's own format: JSON Lines of events and items, plain or gzipped. */

import { getLogger } from "@logtape/logtape";
import { decodeEvent, decodeItem, decodeRecommendation } from "../../src/events/codec.ts";
import { parseJson } from "../../src/events/json.ts";
import { isRecord } from "../../src/values/record.ts";
import type { MappedRecords } from "../../src/mapping/entries.ts";
import { adapt } from "../mapping/adapt.ts";
import { ShownLists } from "./archive/shown_lists.ts";
import { fileIn, isFolder } from "./files.ts";
import { readLines } from "./lines.ts";
import { placed, type SourceOptions, type SourceRecord } from "./source.ts";

const logger = getLogger(["meander", "sources"]);

/** Exports that are not sources: the fields that identify them, and the reason. */
const NO_SOURCES = [
  {
    name: "recommendations",
    fields: ["request", "stateVersion", "tookMicros"],
    why: "they complement events with the lists that were shown; name the folder that has both",
  },
  {
    name: "samples",
    fields: ["rows", "history", "closedTime"],
    why: "they have the features of the deployment that made them; name the folder that has its events and " +
      "recommendations, from which samples are made again",
  },
  {
    name: "experiments",
    fields: ["salt", "variants", "variantSpans"],
    why: "they are not events; name the folder that has both, and they are adopted along with the events",
  },
] as const;

/**
 * Reads a folder with `items.jsonl` (if there is one) and then `events.jsonl`, each optionally with `.gz`; or one file
 * of events, or of items when its name begins with `items`.
 *
 * If the folder has `recommendations.jsonl`, each request becomes the impression of its answer; otherwise it would be
 * answered again, and the new answer learnt as if it had been shown. Requests without an answer are left out. Samples
 * are not read, but made again.
 */
export async function* openNative(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  if (!await isFolder(path)) {
    if (path.endsWith(".parquet")) refuseParquet(path);
    yield* /(?:^|[/\\])items[^/\\]*$/.test(path) ? readItems(path, options) : readEvents(path, options);
    return;
  }
  const [items, events, recommendations, samples] = await Promise.all(
    ["items", "events", "recommendations", "samples"].map((name) =>
      fileIn(path, [`${name}.jsonl`, `${name}.jsonl.gz`])
    ),
  );
  if (items === undefined && events === undefined) {
    const parquet = await fileIn(path, ["events.parquet", "items.parquet"]);
    if (parquet !== undefined) refuseParquet(parquet);
    throw new Deno.errors.NotFound(
      `Cannot open ${path} as meander: it has no events.jsonl and no items.jsonl`,
    );
  }
  if (samples !== undefined) {
    const of = recommendations === undefined ? "events" : "events and recommendations";
    logger.info("ignoring {samples}: samples are made again from {of}", { samples, of });
  }
  if (items !== undefined) yield* readItems(items, options);
  if (events === undefined) return;
  if (recommendations === undefined) yield* readEvents(events, options);
  else yield* readShown(events, recommendations, options);
}

function refuseParquet(file: string): never {
  throw new TypeError(
    `Cannot ingest ${file}: Parquet is for other tools; export JSON lines, and ingest those`,
  );
}

/** Reads events. @throws TypeError when the file begins with exported records that are not events */
function readEvents(file: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  let isFirst = true;
  return readRecords(file, options, (bytes) => {
    const decoded = decodeEvent(bytes);
    if (isFirst && !decoded.ok) refuseExported(file, bytes);
    isFirst = false;
    return decoded.ok ? { ok: true, records: [{ kind: "event", event: decoded.event }] } : decoded;
  });
}

function refuseExported(file: string, bytes: Uint8Array): void {
  const parsed = parseJson(bytes, "event");
  if (!parsed.ok || !isRecord(parsed.value)) return;
  const { value } = parsed;
  const found = NO_SOURCES.find(({ fields }) => fields.every((field) => Object.hasOwn(value, field)));
  if (found !== undefined) {
    throw new TypeError(`Cannot ingest ${file}, which has ${found.name}: ${found.why}`);
  }
}

/** Reads events, with requests replaced by the lists that were shown. */
async function* readShown(
  events: string,
  recommendations: string,
  options: SourceOptions,
): AsyncGenerator<SourceRecord> {
  await using answers = await ShownLists.open();
  for await (const lines of readLines(recommendations, options.signal)) {
    for (const line of lines) {
      const decoded = line.rejected ?? decodeRecommendation(line.bytes);
      if (decoded.ok) answers.add(decoded.recommendation);
      else yield* placed(recommendations, line, decoded);
    }
  }
  let unanswered = 0;
  yield* readRecords(events, options, (bytes) => {
    const decoded = decodeEvent(bytes);
    if (!decoded.ok) return decoded;
    const { event } = decoded;
    if (event.type !== "request") return { ok: true, records: [{ kind: "event", event }] };
    const shown = answers.shownFor(event);
    if (shown === undefined) unanswered++;
    return adapt(() => ({ events: shown ? [shown] : [] }));
  });
  if (unanswered > 0) {
    logger.warn("{count} requests of {events} are left out: their answers are not in {recommendations}", {
      count: unanswered,
      events,
      recommendations,
    });
  }
}

function readItems(file: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  return readRecords(file, options, (bytes) => {
    const decoded = decodeItem(bytes);
    return decoded.ok ? { ok: true, records: [{ kind: "item", item: decoded.item }] } : decoded;
  });
}

async function* readRecords(
  file: string,
  { signal }: SourceOptions,
  decode: (bytes: Uint8Array) => MappedRecords,
): AsyncGenerator<SourceRecord> {
  for await (const lines of readLines(file, signal)) {
    for (const line of lines) yield* placed(file, line, line.rejected ?? decode(line.bytes));
  }
}
