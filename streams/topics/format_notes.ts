/**
 * Which formats may have been written by the releases that have run on a deployment, so that an older release refuses
 * to run before it writes anything: one record per release on the topic of generations. The formats in a record only
 * ever increase, so processes of several releases may write their notes at the same time.
 */

import type { Log, NewRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { corruptRecord, remedyByCopy } from "../log/unreadable.ts";
import type { Topics } from "./topics.ts";

/** Prefix of the keys; the rest is the release. */
const FORMATS_KEY = "formats:";

/** The newest format, by kind of record. */
export type NewestFormats = Readonly<Record<string, number>>;

/** The formats that may have been written, by release. */
export type FormatNotes = Readonly<Record<string, NewestFormats>>;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The notes on a log. @throws LogError `corrupt` when a note cannot be read */
export async function formatNotes(
  log: Pick<Log, "identify" | "bounds" | "read">,
  { generations }: Pick<Topics, "generations">,
): Promise<FormatNotes> {
  const notes: Record<string, NewestFormats> = {};
  if (await log.identify(generations) === null) return notes;
  for await (const record of readAll(log, generations, 0)) {
    const { key, value } = record;
    if (key === null || !key.startsWith(FORMATS_KEY) || value === null) continue;
    try {
      const note: unknown = JSON.parse(decoder.decode(value));
      if (typeof note !== "object" || note === null) throw new SyntaxError(`its value is ${note}`);
      notes[key.slice(FORMATS_KEY.length)] = note as NewestFormats; // a newer release may have written it
    } catch (cause) {
      throw corruptRecord("compare formats", record, cause, remedyByCopy(record));
    }
  }
  return notes;
}

/**
 * Notes that a release may write these formats from now on, unless its note says so already.
 *
 * @param by the release
 * @param now wall clock, milliseconds since the epoch
 */
export async function noteFormats(
  log: Log,
  topics: Pick<Topics, "generations">,
  { by, writes, now }: { readonly by: string; readonly writes: NewestFormats; readonly now: number },
): Promise<void> {
  const { [by]: before = {} } = await formatNotes(log, topics);
  const all = { ...before };
  for (const [kind, newest] of Object.entries(writes)) all[kind] = Math.max(newest, before[kind] ?? 0);
  if (Object.entries(all).every(([kind, newest]) => before[kind] === newest)) return;
  const record: NewRecord = {
    topic: topics.generations,
    partition: 0,
    key: FORMATS_KEY + by,
    value: encoder.encode(JSON.stringify(all)),
    time: now,
  };
  await log.createTopics([{ name: topics.generations, partitions: 1, cleanup: "compact" }]);
  await log.append([record]);
}

/**
 * Checks that no newer release may have written formats that this one cannot read.
 *
 * @param what what cannot be done otherwise, such as "work on meander.*"
 * @param reads the newest formats that this release reads
 * @throws Error that names the release and the kinds
 */
export function refuseNewer(what: string, notes: FormatNotes, reads: NewestFormats): void {
  for (const [by, noted] of Object.entries(notes)) {
    const newer = Object.entries(noted).filter(([kind, newest]) => newest > (reads[kind] ?? 0));
    if (newer.length === 0) continue;
    const list = newer.map(([kind, newest]) =>
      `${kind} up to ${newest}, this release reads ${reads[kind] ?? "none"}`
    );
    throw new Error(
      `Cannot ${what}: meander ${by} has run on it and may have written newer formats (${
        list.join("; ")
      }); ` +
        "nothing was changed: run that release or a newer one, or restore a backup made before it",
    );
  }
}
