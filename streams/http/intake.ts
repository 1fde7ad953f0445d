/**
 * Events and items out of a body: one, a list, or one a line; each taken or rejected by itself.
 *
 * @module
 */

import { checkEventFields, checkItemFields } from "../../src/events/check.ts";
import type { Event } from "../../src/events/event.ts";
import { asciiOf, parseJson, rejectLarge } from "../../src/events/json.ts";
import { reject, type Rejected, type RejectionCode, rejectViolation } from "../../src/events/rejected.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { ARRIVED_HEADERS } from "../topics/arrival.ts";
import type { NewRecord } from "../log/log.ts";
import { LineSplitter } from "../sources/lines.ts";
import type { Topics } from "../topics/topics.ts";
import type { BodyKind } from "./body.ts";
import { checkList } from "./json_list.ts";
import { Problem } from "./contract/problem.ts";

/** An entry of a request body that was rejected. */
export interface RejectedEntry {
  /** Its index in the list, or among the lines that are not blank; 0 is the first. */
  readonly index: number;
  /** What is wrong, for machines. */
  readonly code: RejectionCode;
  /** What is wrong, for people. */
  readonly reason: string;
}

/** A body, taken apart. */
export interface Intake {
  /** What to append. */
  readonly records: readonly NewRecord[];
  /** What is not. */
  readonly rejected: readonly RejectedEntry[];
}

/** What an {@linkcode Intake} depends on. */
export interface IntakeOptions {
  /** The topics to append to. */
  readonly topics: Topics;
  /** The time of what has none, and of the records: milliseconds since the epoch. */
  readonly now: number;
  /** Most entries of a body. */
  readonly maxEntries: number;
}

/** An event may be so far ahead of us, as in a task, which takes it as of now. */
export const MAX_AHEAD_MS = 3_600_000;

/**
 * What senders call a time that is none, or misspell it, in small letters and without `_` and `-`. Not what is near to
 * the word, as `mime` or `tile` are: fields of their own are kept.
 */
const TIMES: ReadonlySet<string> = new Set([
  ...["time", "timestamp", "timestampms", "timems", "eventtime", "ts"],
  ...["tiem", "tmie", "itme", "tme", "timee", "timstamp", "timestmap"],
]);
/** No longer are those with their `_` and `-`. */
const MAX_LENGTH = 16;
const TIME = "milliseconds since 1970, or nothing for the time of arrival";
const encoder = new TextEncoder();

/** Takes the events of a body. @throws Problem `bad-body` or `too-large` when it is no list at all */
export function takeEvents(bytes: Uint8Array, kind: BodyKind, options: IntakeOptions): Intake {
  const { topics: { events }, now } = options;
  return take(bytes, kind, options, (value, own) => {
    const checked = checkEventFields(value);
    if (!checked.ok) return checked;
    const { event } = checked;
    if (event.time > now + MAX_AHEAD_MS) {
      return reject(
        "in-the-future",
        `event time is ${event.time - now} ms ahead, allowed are ${MAX_AHEAD_MS} ms`,
      );
    }
    return own === null
      ? eventRecord(events, event, now)
      : { topic: events, key: event.user, value: own, time: now, headers: ARRIVED_HEADERS };
  });
}

/** Takes the items of a body, as {@linkcode takeEvents} does events. */
export function takeItems(bytes: Uint8Array, kind: BodyKind, options: IntakeOptions): Intake {
  const { topics: { items }, now } = options;
  return take(bytes, kind, options, (value, own) => {
    const checked = checkItemFields(value);
    if (!checked.ok) return checked;
    const { item } = checked;
    return own === null
      ? toRecord(items, item.item, item, now)
      : { topic: items, key: item.item, value: own, time: now };
  });
}

/** Makes a record of an entry. @param own its bytes as they came, when they can be the record's; else `null` */
type Entry = (value: unknown, own: Uint8Array | null) => NewRecord | Rejected;

function take(bytes: Uint8Array, kind: BodyKind, options: IntakeOptions, entry: Entry): Intake {
  const { now, maxEntries } = options;
  const records: NewRecord[] = [];
  const rejected: RejectedEntry[] = [];
  const add = (index: number, taken: NewRecord | Rejected) => {
    if (!("ok" in taken)) records.push(taken);
    else rejected.push({ index, code: taken.code, reason: taken.reason });
  };
  const enter = (value: unknown, own: Uint8Array | null) => {
    if (!isUntimed(value)) return entry(value, own);
    const near = meantByTime(value);
    if (near === undefined) return entry({ ...value, time: now }, null);
    return rejectViolation(
      { code: "missing-field", wanted: TIME, got: "undefined", path: ".time", near },
      "entry",
    );
  };
  if (kind === "lines") {
    const splitter = new LineSplitter(maxEntries);
    const lines = [...splitter.push(bytes), ...splitter.end()];
    checkCount(lines.length, maxEntries, "more");
    const ascii = asciiOf(bytes);
    for (const [index, { bytes: line, rejected }] of lines.entries()) {
      // A line that is not rejected is a view of the body.
      const start = line.byteOffset - bytes.byteOffset;
      const parsed = rejected ?? parseJson(line, "line", { text: ascii?.slice(start, start + line.length) });
      add(index, parsed.ok ? enter(parsed.value, line) : parsed);
    }
    return { records, rejected };
  }
  checkList(bytes, maxEntries);
  const parsed = parseJson(bytes, "body", { maxBytes: bytes.length });
  if (!parsed.ok) throw new Problem("bad-body", parsed.reason, { more: { reasonCode: parsed.code } });
  const { value } = parsed;
  if (!Array.isArray(value)) {
    add(0, enter(value, bytes.length <= MAX_RECORD_BYTES ? bytes : null));
    return { records, rejected };
  }
  checkCount(value.length, maxEntries);
  for (const [index, one] of value.entries()) add(index, enter(one, null));
  return { records, rejected };
}

function checkCount(entries: number, maxEntries: number, has: number | "more" = entries): void {
  if (entries === 0) throw new Problem("bad-body", "The body is empty: it has no entries");
  if (entries > maxEntries) {
    throw new Problem("too-large", `A body has at most ${maxEntries} entries, this one has ${has}`);
  }
}

function isUntimed(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !("time" in value);
}

/**
 * A field that is meant by the time that an entry does not have. It would be kept and not read, and the entry would be
 * of now, which nobody would notice.
 */
function meantByTime(value: object): string | undefined {
  return Object.keys(value).find((name) =>
    name.length <= MAX_LENGTH && TIMES.has(name.toLowerCase().replaceAll(/[_-]/g, ""))
  );
}

/** A record of an event that comes now, unless it is too large for one. */
export function eventRecord(topic: string, event: Event, now: number): NewRecord | Rejected {
  const record = toRecord(topic, event.user, event, now);
  return "ok" in record ? record : { ...record, headers: ARRIVED_HEADERS };
}

/** A record of an event or an item, unless it is too large for one. @param time of the record */
export function toRecord(topic: string, key: string, value: object, time: number): NewRecord | Rejected {
  const bytes = encoder.encode(JSON.stringify(value));
  if (bytes.length > MAX_RECORD_BYTES) return rejectLarge(bytes.length, "entry");
  return { topic, key, value: bytes, time };
}
