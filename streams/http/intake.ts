/** Events and items in a body: one, a list, or one per line; each is accepted or rejected on its own. */

import { checkEventFields, checkItemFields } from "../../src/events/check.ts";
import { asciiOf, type ParsedJson, parseJson } from "../../src/events/json.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import { reject, type Rejected, type RejectionCode, rejectViolation } from "../../src/events/rejected.ts";
import { MAX_AHEAD_MS, MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { dateOf } from "../../src/values/date_of.ts";
import { isRecord } from "../../src/values/record.ts";
import type { EntryCheck, EntryWarning } from "../../src/mapping/entry_check.ts";
import { ARRIVED_HEADERS } from "../topics/arrival.ts";
import { LineSplitter } from "../sources/lines.ts";
import { newRecord } from "../topics/own_records.ts";
import type { Topics } from "../topics/topics.ts";
import type { BodyKind } from "./body.ts";
import type { Portions } from "../../src/values/portions.ts";
import { type BodyEntry, checkEntries, portionsOf, valuesIn } from "./json_list.ts";
import type { Demand } from "./contract/access.ts";
import { type ArrivingRecord, workOf } from "./contract/arriving.ts";
import { Problem } from "./contract/problem.ts";

/** An entry of a request body that was rejected. */
export interface RejectedEntry {
  /** Index in the list, or among the lines that are not blank; 0 is the first. */
  readonly index: number;
  /** The reason in machine-readable form. */
  readonly code: RejectionCode;
  /** The reason as a sentence. */
  readonly reason: string;
  /** Rejected parts of a record of a source, such as `lines[3]`; absent = the whole entry. */
  readonly entries?: readonly string[];
}

/** The records of a body. */
export interface Intake {
  /** Records to append. */
  readonly records: readonly ArrivingRecord[];
  /** For each record, the index of its entry. */
  readonly entries: readonly number[];
  readonly rejected: readonly RejectedEntry[];
}

/** A warning about an entry that was accepted. */
export interface WarnedEntry extends EntryWarning {
  /** As in {@linkcode RejectedEntry}. */
  readonly index: number;
}

/** The records of a body of events or items. */
export interface CheckedIntake extends Intake {
  /** The first warnings about its entries. */
  readonly warnings: readonly WarnedEntry[];
  /** The first of its items that the catalogue may not have. */
  readonly unlisted: readonly { readonly index: number; readonly item: string }[];
}

/** Options of {@linkcode takeEvents} and {@linkcode takeItems}. */
export interface IntakeOptions {
  /** The topics to append to. */
  readonly topics: Topics;
  /** Time of entries without one, and of the records; milliseconds since the epoch. */
  readonly now: number;
  /** Most entries in a body. */
  readonly maxEntries: number;
  /** Notified of each event and item. @default {nothing} */
  readonly see?: ((record: OwnRecord) => void) | undefined;
  /** Finds what the sender is warned of. @default {nothing} */
  readonly check?: Pick<EntryCheck, "find"> | undefined;
  /** Whether the catalogue may not have an item. @default {it has all} */
  readonly mayLack?: ((item: string) => boolean) | undefined;
  /** Checks a further scope of the sender. @default {no sender is refused} */
  readonly demand?: Demand | undefined;
}

/** Most rejected entries that a problem lists. */
const MAX_LISTED = 100;

/** Most warnings about a body. */
export const MAX_WARNINGS = 20;

/** Refuses a time that is too far ahead of our clock, as a task does relative to the arrival; `null` = it is not. */
export function rejectAhead(time: number, now: number): Rejected | null {
  if (time <= now + MAX_AHEAD_MS) return null;
  const hours = MAX_AHEAD_MS / 3_600_000;
  return reject("in-the-future", `event time, ${dateOf(time)}, is more than ${hours} h ahead`);
}

/**
 * Names of a time, and misspellings of `time`, in lower case without `_` and `-`. Names that are merely similar, such as
 * `mime` or `tile`, are the client's own fields.
 */
const TIMES: ReadonlySet<string> = new Set(
  "time timestamp timestampms timems eventtime ts tiem tmie itme tme timee timstamp timestmap".split(" "),
);
/** Most characters of such a name, with its `_` and `-`. */
const MAX_LENGTH = 16;
const TIME = "milliseconds since 1970, or absent for the time of arrival";

/**
 * Takes the events of a body.
 *
 * @throws Problem `bad-body` or `too-large` when the body as a whole is wrong; `forbidden` without a scope of
 *   {@linkcode demandFor}
 */
export function takeEvents(
  bytes: Uint8Array,
  kind: BodyKind,
  options: IntakeOptions,
): Portions<CheckedIntake> {
  const { topics, now, demand } = options;
  const noted = new Noted(options);
  return take(bytes, kind, { ...options, noted }, (value, own, index) => {
    const checked = checkEventFields(value);
    if (!checked.ok) return checked;
    const { event } = checked;
    const ahead = rejectAhead(event.time, now);
    if (ahead !== null) return ahead;
    const record = { kind: "event", event } as const;
    demandFor(record, demand);
    noted.see(record, index);
    if (own === null) return arrivedRecord(topics, record, now);
    const work = workOf(record, own.length);
    return { topic: topics.events, key: event.user, value: own, time: now, headers: ARRIVED_HEADERS, work };
  });
}

/** Takes the items of a body, as {@linkcode takeEvents} does events. */
export function takeItems(
  bytes: Uint8Array,
  kind: BodyKind,
  options: IntakeOptions,
): Portions<CheckedIntake> {
  const { topics, now } = options;
  const noted = new Noted(options);
  return take(bytes, kind, { ...options, noted }, (value, own, index) => {
    const checked = checkItemFields(value);
    if (!checked.ok) return checked;
    const { item } = checked;
    const record = { kind: "item", item } as const;
    noted.see(record, index);
    return own === null
      ? arrivedRecord(topics, record, now)
      : { topic: topics.items, key: item.item, value: own, time: now, work: workOf(record, own.length) };
  });
}

/**
 * Checks the further scope that a record needs: a key that may send events, such as one on a web page, must not erase
 * users, take over their history, or change the catalogue.
 */
export function demandFor(record: OwnRecord, demand: Demand | undefined): void {
  if (record.kind === "item") demand?.("items");
  else if (record.event.type === "forget") demand?.("admin");
  else if (record.event.type === "alias" || record.event.type === "merge") demand?.("merge");
}

/** Makes the record of an entry. @param own its bytes as received, if they can be the record's value; else `null` */
type Entry = (value: unknown, own: Uint8Array | null, index: number) => ArrivingRecord | Rejected;

/** What is noted of the entries of a body. */
class Noted {
  readonly warnings: WarnedEntry[] = [];
  readonly unlisted: { readonly index: number; readonly item: string }[] = [];
  readonly #options: Pick<IntakeOptions, "see" | "check" | "mayLack">;

  constructor(options: Pick<IntakeOptions, "see" | "check" | "mayLack">) {
    this.#options = options;
  }

  see(record: OwnRecord, index: number): void {
    const { see, check, mayLack } = this.#options;
    see?.(record);
    if (check !== undefined && this.warnings.length < MAX_WARNINGS) {
      for (const { code, warning } of check.find(record)) this.warnings.push({ index, code, warning });
    }
    if (record.kind === "item" || record.event.type !== "interaction" || mayLack === undefined) return;
    const { item } = record.event;
    if (this.unlisted.length < MAX_WARNINGS && mayLack(item)) this.unlisted.push({ index, item });
  }
}

function* take(
  bytes: Uint8Array,
  kind: BodyKind,
  { now, maxEntries, noted }: IntakeOptions & { readonly noted: Noted },
  entry: Entry,
): Portions<CheckedIntake> {
  const records: ArrivingRecord[] = [];
  const entries: number[] = [];
  const rejected: RejectedEntry[] = [];
  const add = (index: number, taken: ArrivingRecord | Rejected) => {
    if (!("ok" in taken)) {
      records.push(taken);
      entries.push(index);
    } else rejected.push({ index, code: taken.code, reason: taken.reason });
  };
  const enter = (value: unknown, own: Uint8Array | null, index: number) => {
    if (!isUntimed(value)) return entry(value, own, index);
    const near = meantByTime(value);
    if (near === undefined) return entry({ ...value, time: now }, null, index);
    return rejectViolation({ code: "missing-field", wanted: TIME, got: "", path: ".time", near }, "entry");
  };
  let index = 0;
  for (const portion of kind === "lines" ? linesIn(bytes, maxEntries) : valuesIn(bytes, maxEntries)) {
    for (const one of portion) {
      const bytes = one.ok && one.bytes.length <= MAX_RECORD_BYTES ? one.bytes : null;
      add(index, one.ok ? enter(one.value, bytes, index) : one);
      index++;
    }
    yield;
  }
  return { records, entries, rejected, warnings: noted.warnings, unlisted: noted.unlisted };
}

/** The problem of a body without an acceptable entry. */
export function noneTaken(rejected: readonly RejectedEntry[]): Problem {
  const [first] = rejected;
  const detail = rejected.length === 1
    ? first?.reason ?? ""
    : `None of ${rejected.length} entries could be accepted`;
  const code = rejected.every(({ code }) => code === "too-large") ? "too-large" : "refused";
  return new Problem(code, detail, { more: { errors: rejected.slice(0, MAX_LISTED) } });
}

/** The lines of a body in portions, each with its value. @throws Problem `bad-body` or `too-large` */
export function* linesIn(
  bytes: Uint8Array,
  maxEntries: number,
  read: (line: Uint8Array, text: string | undefined) => ParsedJson = (line, text) =>
    parseJson(line, "line", { text }),
): Generator<readonly (BodyEntry | Rejected)[]> {
  const splitter = new LineSplitter(maxEntries);
  const lines = [...splitter.push(bytes), ...splitter.end()];
  checkEntries(lines.length, maxEntries, "more");
  const ascii = asciiOf(bytes);
  for (const portion of portionsOf(lines)) {
    yield portion.map(({ bytes: line, rejected }) => {
      // A line that is not rejected is a view of the body.
      const start = line.byteOffset - bytes.byteOffset;
      const parsed = rejected ?? read(line, ascii?.slice(start, start + line.length));
      return parsed.ok ? { ...parsed, bytes: line } : parsed;
    });
  }
}

function isUntimed(value: unknown): value is object {
  return isRecord(value) && !("time" in value);
}

/** A field that was probably meant as the time of an entry without one, which would silently get the current time. */
function meantByTime(value: object): string | undefined {
  return Object.keys(value).find((name) =>
    name.length <= MAX_LENGTH && TIMES.has(name.toLowerCase().replaceAll(/[_-]/g, ""))
  );
}

/** The record of an arriving event or item, unless too large for the log; an event's headers mark that it arrived. */
export function arrivedRecord(
  topics: Pick<Topics, "events" | "items">,
  own: OwnRecord,
  now: number,
): ArrivingRecord | Rejected {
  const record = newRecord(topics, own, now);
  if ("ok" in record) return record;
  const work = workOf(own, record.value?.length ?? 0);
  return own.kind === "item" ? { ...record, work } : { ...record, headers: ARRIVED_HEADERS, work };
}

/** Records for the log. @throws Problem `refused` when one is too large for it */
export function* arrivedRecords(
  topics: Pick<Topics, "events" | "items">,
  own: readonly OwnRecord[],
  now: number,
): Portions<readonly ArrivingRecord[]> {
  const records: ArrivingRecord[] = [];
  for (const [index, one] of own.entries()) {
    if (index > 0) yield;
    const record = arrivedRecord(topics, one, now);
    if ("ok" in record) {
      const { code, reason } = record;
      throw new Problem("refused", reason, { more: { errors: [{ index, code, reason }] } });
    }
    records.push(record);
  }
  return records;
}
