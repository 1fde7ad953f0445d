/**
 * What the records of a source have: which fields, how often, of which types, with how many different values.
 *
 * @module
 */

import { parseDate } from "../adapters/mapped.ts";
import { FORBIDDEN_KEYS, MAX_TIME_MS, MIN_TIME_MS } from "../events/limits.ts";
import { isRecord } from "../values/record.ts";
import { pathOf, type Step, stepsOf } from "./path.ts";
import { timeOf } from "./times.ts";

/** A field of some records. */
export interface SurveyedField {
  /** Its path; `[*]` stands for all entries of a list. */
  readonly path: string;
  /** The steps of its path. */
  readonly steps: readonly Step[];
  /** Records that have it. */
  readonly records: number;
  /** Types of its values: `text`, `number`, `date`, `flag`, `list`. */
  readonly types: readonly string[];
  /** Its values as texts, as many as were kept, with how often each came. */
  readonly values: ReadonlyMap<string, number>;
  /** Whether there were more different ones. */
  readonly hasMore: boolean;
  /** Whether every value can be a time of an event. */
  readonly isTime: boolean;
}

/** Most different values that are kept of a field. */
const MAX_VALUES = 1000;
/** Most fields that are kept. */
const MAX_FIELDS = 500;
/** Most levels that are looked into, and entries of a list. */
const MAX_LEVELS = 8;
const MAX_ENTRIES = 20;

interface Mutable {
  records: number;
  last: number;
  readonly types: Set<string>;
  readonly values: Map<string, number>;
  hasMore: boolean;
  isTime: boolean;
}

/** Surveys records; what is no object has no fields. Time and memory are bounded by their number. */
export function survey(records: readonly unknown[]): readonly SurveyedField[] {
  const fields = new Map<string, Mutable>();
  for (const [i, record] of records.entries()) {
    if (isRecord(record)) visit(record, "", i, fields, 0);
  }
  return Array.from(
    fields,
    ([path, { last: _, types, ...field }]) => ({ path, steps: stepsOf(path), types: [...types], ...field }),
  );
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
  } else note(path, typeOf(value), value, record, fields);
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
      isTime: type !== "list",
    };
    fields.set(path, field);
  }
  if (field.last !== record) field.records++;
  field.last = record;
  field.types.add(type);
  field.isTime &&= isTime(value);
  if (type === "list") return;
  const text = String(value).slice(0, 100);
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
