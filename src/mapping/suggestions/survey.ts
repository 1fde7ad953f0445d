/**
 * Surveys the records of a source: which fields they have, how often, of which types, with how many different values.
 */

import { parseDate } from "../../adapters/mapped.ts";
import { FORBIDDEN_KEYS, MAX_TIME_MS, MIN_TIME_MS } from "../../events/limits.ts";
import { isRecord } from "../../values/record.ts";
import { pathOf, type Step, stepsOf } from "../path.ts";
import { parseTextJson } from "../text_json.ts";
import { timeOf } from "../times.ts";

/** A field of some records. */
export interface SurveyedField {
  /** Its path; `[*]` stands for all entries of a list. */
  readonly path: string;
  /** The steps of its path. */
  readonly steps: readonly Step[];
  readonly records: number;
  /** Types of its values: `text`, `number`, `date`, `flag`, `list`; `json` is a text that is JSON, and has fields. */
  readonly types: readonly string[];
  /** Its values as texts, up to a limit, with their counts. */
  readonly values: ReadonlyMap<string, number>;
  /** Whether there were more different values. */
  readonly hasMore: boolean;
  /** Whether nearly all of its values can be event times. */
  readonly isTime: boolean;
  /** Whether a record has one of its values more than once. */
  readonly repeats: boolean;
}

/** Share of records whose id another one may have: producers send some twice. */
export const REPEATED = 0.1;
/** Most different values that are kept of a field. */
const MAX_VALUES = 1000;
const MAX_FIELDS = 500;
/** Most levels, and most entries per list, that are visited. */
const MAX_LEVELS = 8;
const MAX_ENTRIES = 20;
/** Share of a time's values that may be invalid: topics contain some broken ones. */
const MAX_BROKEN = 0.05;

interface Mutable {
  records: number;
  last: number;
  readonly types: Set<string>;
  readonly values: Map<string, number>;
  hasMore: boolean;
  scalars: number;
  times: number;
  /** Its values in the last record that has some. */
  readonly ofLast: Set<string>;
  repeats: boolean;
}

/** Surveys records; only objects have fields. Time and memory are bounded by the number of records. */
export function survey(records: readonly unknown[]): readonly SurveyedField[] {
  const fields = new Map<string, Mutable>();
  for (const [i, record] of records.entries()) {
    if (isRecord(record)) visit(record, "", i, fields, 0);
  }
  return Array.from(fields, ([path, { last: _last, ofLast: _ofLast, types, scalars, times, ...field }]) => ({
    path,
    steps: stepsOf(path),
    types: [...types],
    ...field,
    isTime: times > 0 && scalars - times <= scalars * MAX_BROKEN,
  }));
}

/** Whether a field differs in every record. @param repeated share of records that may have the value of another one */
export function isUnique({ values, hasMore, records }: SurveyedField, all: number, repeated = 0): boolean {
  return records === all && (hasMore || values.size >= records * (1 - repeated));
}

function visit(
  value: unknown,
  path: string,
  record: number,
  fields: Map<string, Mutable>,
  level: number,
): void {
  if (value === null || value === undefined || value === "" || level > MAX_LEVELS) return;
  if (Array.isArray(value)) {
    note(path, "list", "", record, fields);
    for (const entry of value.slice(0, MAX_ENTRIES)) visit(entry, `${path}[*]`, record, fields, level + 1);
  } else if (typeof value === "object") {
    for (const [name, inner] of Object.entries(value)) {
      if (!FORBIDDEN_KEYS.includes(name)) visit(inner, pathOf([name], path), record, fields, level + 1);
    }
  } else {
    const inner = typeof value === "string" && !/[[\]]/.test(path) ? jsonIn(value) : undefined;
    note(path, inner === undefined ? typeOf(value) : "json", value, record, fields);
    visit(inner, path, record, fields, level + 1);
  }
}

function jsonIn(text: string): object | undefined {
  if (!/^\s*\{|^e[\w+/-]{7}/.test(text)) return undefined;
  const parsed = parseTextJson(text, "text");
  return parsed.ok && isRecord(parsed.value) ? parsed.value : undefined;
}

function typeOf(value: unknown): string {
  if (typeof value === "boolean") return "flag";
  if (typeof value !== "string") return "number";
  return Number.isNaN(parseDate(value)) ? "text" : "date";
}

function note(
  path: string,
  type: string,
  value: unknown,
  record: number,
  fields: Map<string, Mutable>,
): void {
  let field = fields.get(path);
  if (field === undefined) {
    if (fields.size >= MAX_FIELDS) return;
    field = {
      records: 0,
      last: -1,
      types: new Set(),
      values: new Map(),
      hasMore: false,
      scalars: 0,
      times: 0,
      ofLast: new Set(),
      repeats: false,
    };
    fields.set(path, field);
  }
  if (field.last !== record) {
    field.records++;
    field.ofLast.clear();
  }
  field.last = record;
  field.types.add(type);
  if (type === "list" || type === "json") return;
  field.scalars++;
  if (isTime(value)) field.times++;
  const text = String(value).slice(0, 100);
  field.repeats ||= field.ofLast.has(text);
  field.ofLast.add(text);
  const count = field.values.get(text);
  if (count !== undefined || field.values.size < MAX_VALUES) field.values.set(text, (count ?? 0) + 1);
  else field.hasMore = true;
}

function isTime(value: unknown): boolean {
  try {
    const time = timeOf(value, "any");
    return time >= MIN_TIME_MS && time < MAX_TIME_MS;
  } catch {
    return false;
  }
}
