/**
 * Checks values against the descriptions in `schema.ts`.
 *
 * The happy path allocates next to nothing; messages are made only for violations.
 */

import { isRecord } from "../values/record.ts";
import type { AttributeValue, Event, ItemRecord } from "./event.ts";
import { DuplicateFinder } from "./keys/duplicate_finder.ts";
import { nearName } from "./keys/near_name.ts";
import { countKeys, plainViolation } from "./plain.ts";
import type { Recommendation } from "./recommendation.ts";
import {
  reject,
  type Rejected,
  type RejectionCode,
  rejectViolation,
  shown,
  stepTo,
  type Violation,
  within,
} from "./rejected.ts";
import { ATTRIBUTE, ATTRIBUTE_NAME, type Field, id, type Kind, type NamedFields } from "./field.ts";
import { MAX_ATTRIBUTES, MAX_KEYS, MAX_TIME_MS, MIN_TIME_MS } from "./limits.ts";
import { RECOMMENDATION_FIELDS } from "./recommendation_schema.ts";
import { EVENT_FIELDS, ITEM_FIELDS } from "./schema.ts";

/** An event, or why the input is not one. */
export type DecodedEvent = { readonly ok: true; readonly event: Event } | Rejected;
/** An item, or why the input is not one. */
export type DecodedItem = { readonly ok: true; readonly item: ItemRecord } | Rejected;
/** A recommendation, or why the input is not one. */
export type DecodedRecommendation = { readonly ok: true; readonly recommendation: Recommendation } | Rejected;

type Bag = Readonly<Record<string, unknown>>;

const EVENTS: ReadonlyMap<unknown, NamedFields> = new Map(
  Object.entries(EVENT_FIELDS).map(([type, fields]) => [type, Object.entries(fields)]),
);
const ITEM: NamedFields = Object.entries(ITEM_FIELDS);
const RECOMMENDATION: NamedFields = Object.entries(RECOMMENDATION_FIELDS);
/** Most unknown fields that are compared with a missing one, so that no client can make a check slow. */
const MAX_COMPARED = 20;
const duplicates = new DuplicateFinder();

/**
 * Checks that a value is an event. Returns the value itself; unknown fields stay on it.
 *
 * @example
 * ```ts
 * import { checkEvent } from "@meander/meander/core";
 * import assert from "node:assert/strict";
 *
 * assert.ok(checkEvent({ type: "forget", user: "u1", time: 1_700_000_000_000 }).ok);
 * assert.deepEqual(checkEvent({ type: "forget", user: "u1", time: "now" }), {
 *   ok: false,
 *   code: "wrong-type",
 *   reason: "Cannot take time of the forget event as integer milliseconds of 1990-01-01..2100-01-01: " +
 *     'current value is "now"',
 * });
 * ```
 */
export function checkEvent(value: unknown): DecodedEvent {
  return plainFault(value, "event") ?? checkEventFields(value);
}

/**
 * Checks that a value is an item of the catalogue. Returns the value itself.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { checkItem } from "@meander/meander/core";
 *
 * assert.ok(checkItem({ item: "tent", time: 1_767_225_600_000, category: "camping" }).ok);
 * const rejected = checkItem({ time: 1_767_225_600_000 });
 * assert.ok(!rejected.ok && rejected.reason.includes("item"));
 * ```
 */
export function checkItem(value: unknown): DecodedItem {
  return plainFault(value, "item") ?? checkItemFields(value);
}

/**
 * Checks that a value is a recommendation. Returns the value itself.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { checkRecommendation } from "@meander/meander/core";
 *
 * assert.equal(checkRecommendation({ user: "ann" }).ok, false);
 * ```
 */
export function checkRecommendation(value: unknown): DecodedRecommendation {
  return plainFault(value, "recommendation") ?? checkRecommendationFields(value);
}

/** Whether a value may be an attribute of this name. */
export function isAttribute(name: string, value: unknown): value is AttributeValue {
  return value !== undefined && countKeys({ [name]: value }) > 0 &&
    attributeViolation(name, value) === undefined;
}

/** What an id must be, in words, if a text cannot be one; otherwise `null`. */
export function idProblem(text: string): string | null {
  return stringCode(id, text) === "" ? null : describe(id);
}

/** Like {@linkcode checkEvent}, for a value that {@linkcode countKeys} has found plain. */
export function checkEventFields(value: unknown): DecodedEvent {
  if (!isRecord(value)) return rejectViolation(notAnObject(value), "event");
  const type = value["type"];
  const fields = EVENTS.get(type);
  if (fields === undefined) return rejectViolation(typeViolation(value), "event");
  const violation = fieldsViolation(fields, value);
  if (violation !== undefined) return rejectViolation(violation, `${type} event`);
  return { ok: true, event: value as unknown as Event }; // all of its fields were checked
}

/** Like {@linkcode checkItem}, for a value that {@linkcode countKeys} has found plain. */
export function checkItemFields(value: unknown): DecodedItem {
  const violation = isRecord(value) ? fieldsViolation(ITEM, value) : notAnObject(value);
  if (violation !== undefined) return rejectViolation(violation, "item");
  return { ok: true, item: value as ItemRecord }; // all of its fields were checked
}

/** Like {@linkcode checkRecommendation}, for a value that {@linkcode countKeys} has found plain. */
export function checkRecommendationFields(value: unknown): DecodedRecommendation {
  const violation = isRecord(value) ? fieldsViolation(RECOMMENDATION, value) : notAnObject(value);
  if (violation !== undefined) return rejectViolation(violation, "recommendation");
  return { ok: true, recommendation: value as Recommendation }; // all of its fields were checked
}

/** The rejection of a value for which {@linkcode countKeys} is −1. */
export function rejectUnplain(value: unknown, what: string): Rejected {
  const violation = plainViolation(value) ??
    { code: "not-json", wanted: "JSON", got: shown(value), path: "" };
  return rejectViolation(violation, what);
}

/** The rejection of a value with more than {@linkcode MAX_KEYS} keys. */
export function rejectManyKeys(keys: number, what: string): Rejected {
  return reject(
    "too-large",
    `Cannot take the ${what} as a record of at most ${MAX_KEYS} keys: current value has ${keys}`,
  );
}

function plainFault(value: unknown, what: string): Rejected | undefined {
  const keys = countKeys(value);
  if (keys < 0) return rejectUnplain(value, what);
  return keys > MAX_KEYS ? rejectManyKeys(keys, what) : undefined;
}

function notAnObject(value: unknown): Violation {
  return { code: "not-an-object", wanted: "an object", got: shown(value), path: "" };
}

function typeViolation(event: Bag): Violation {
  const { type } = event;
  const wanted = `one of ${[...EVENTS.keys()].join(", ")}`;
  if (type === undefined) return missingViolation("type", wanted, event, []);
  const code = typeof type === "string" ? "unknown-type" : "wrong-type";
  const isAct = code === "unknown-type" && typeof event["item"] === "string" && event["action"] === undefined;
  const hint = isAct ? `; an act is an interaction, with "action": ${shown(type)}` : "";
  return { code, wanted, got: shown(type) + hint, path: ".type" };
}

/** A missing field, with the unknown field that may have been meant for it. */
function missingViolation(name: string, wanted: string, record: Bag, fields: NamedFields): Violation {
  const known = new Set(fields.map(([own]) => own));
  const unknown = Object.keys(record).filter((key) => !known.has(key)).slice(0, MAX_COMPARED);
  return { code: "missing-field", wanted, got: "undefined", path: `.${name}`, near: nearName(name, unknown) };
}

function fieldsViolation(fields: NamedFields, record: Bag): Violation | undefined {
  for (let i = 0; i < fields.length; i++) {
    const [name, field] = fields[i]!;
    const value = record[name];
    if (value === undefined) {
      if (field.optional === true) continue;
      return missingViolation(name, describe(field), record, fields);
    }
    const violation = kindViolation(field, value) ?? lengthViolation(field, value, record);
    if (violation !== undefined) return within(`.${name}`, violation);
  }
  return undefined;
}

function lengthViolation(field: Field, value: unknown, record: Bag): Violation | undefined {
  if (field.kind !== "list" || field.sameLengthAs === undefined) return undefined;
  const other = record[field.sameLengthAs];
  if (!Array.isArray(value) || !Array.isArray(other) || value.length === other.length) return undefined;
  const wanted = other.length;
  const as = `a list of ${wanted} entries, as many as ${field.sameLengthAs} has`;
  return { code: "length-mismatch", wanted: as, got: shown(value), path: "" };
}

function kindViolation(kind: Kind, value: unknown): Violation | undefined {
  switch (kind.kind) {
    case "list":
      if (!Array.isArray(value)) break;
      return listViolation(kind, value);
    case "object":
      if (!isRecord(value)) break;
      return fieldsViolation(kind.fields, value);
    case "attributes":
      if (!isRecord(value)) break;
      return attributesViolation(kind, value);
    case "either": {
      const fitting = fittingKind(kind.of, value);
      if (fitting === undefined) break;
      return kindViolation(fitting, value);
    }
    default: {
      const code = scalarCode(kind, value);
      return code === "" ? undefined : { code, wanted: wantedOf(kind, code), got: shown(value), path: "" };
    }
  }
  return { code: "wrong-type", wanted: describe(kind), got: shown(value), path: "" };
}

function listViolation(kind: Kind & { kind: "list" }, list: readonly unknown[]): Violation | undefined {
  if (list.length < kind.minItems) return sizeViolation("empty-list", kind, list);
  if (list.length > kind.maxItems) return sizeViolation("too-many-items", kind, list);
  for (let i = 0; i < list.length; i++) {
    const violation = kindViolation(kind.of, list[i]);
    if (violation !== undefined) return within(`[${i}]`, violation);
  }
  const at = kind.unique === true ? duplicates.find(list) : -1;
  if (at < 0) return undefined;
  return {
    code: "duplicate-item",
    wanted: "an entry that does not repeat an earlier one",
    got: shown(list[at]),
    path: `[${at}]`,
  };
}

function sizeViolation(code: RejectionCode, kind: Kind, list: readonly unknown[]): Violation {
  return { code, wanted: describe(kind), got: shown(list), path: "" };
}

function attributesViolation(kind: Kind, attributes: Bag): Violation | undefined {
  const names = Object.keys(attributes);
  if (names.length > MAX_ATTRIBUTES) {
    return { code: "too-many-items", wanted: describe(kind), got: `${names.length} of them`, path: "" };
  }
  for (const name of names) {
    const violation = attributeViolation(name, attributes[name]);
    if (violation !== undefined) return within(stepTo(name), violation);
  }
  return undefined;
}

function attributeViolation(name: string, value: unknown): Violation | undefined {
  const violation = kindViolation(ATTRIBUTE_NAME, name);
  if (violation !== undefined) return { ...violation, wanted: `an attribute with ${violation.wanted}` };
  return value === undefined ? undefined : kindViolation(ATTRIBUTE, value);
}

/** The kind with the JSON type of a value; of several lists, the one that fits its first entry, or else the first. */
function fittingKind(kinds: readonly Kind[], value: unknown): Kind | undefined {
  let list: Kind | undefined;
  for (const kind of kinds) {
    if (typeOf(kind) !== jsonType(value)) continue;
    if (kind.kind !== "list") return kind;
    const first: unknown = Array.isArray(value) ? value[0] : undefined;
    if (jsonType(first) === typeOf(kind.of)) return kind;
    list ??= kind;
  }
  return list;
}

function jsonType(value: unknown): string {
  return Array.isArray(value) ? "list" : typeof value;
}

function typeOf(kind: Kind): string {
  switch (kind.kind) {
    case "choice":
      return "string";
    case "integer":
    case "time":
      return "number";
    case "attributes":
      return "object";
    default:
      return kind.kind;
  }
}

type ScalarKind = Exclude<Kind, { readonly kind: "list" | "object" | "attributes" | "either" }>;

/** The code of a scalar's violation; "" when there is none. */
function scalarCode(kind: ScalarKind, value: unknown): RejectionCode | "" {
  switch (kind.kind) {
    case "string":
      return typeof value === "string" ? stringCode(kind, value) : "wrong-type";
    case "boolean":
      return typeof value === "boolean" ? "" : "wrong-type";
    case "choice":
      if (typeof value !== "string") return "wrong-type";
      return kind.of.includes(value) ? "" : "unknown-value";
    case "time":
      if (typeof value !== "number") return "wrong-type";
      if (!Number.isInteger(value)) return "time-not-integer";
      return value >= MIN_TIME_MS && value < MAX_TIME_MS ? "" : "time-out-of-range";
    case "integer":
      if (typeof value !== "number" || !Number.isInteger(value)) return "wrong-type";
      return value >= kind.minimum && value <= kind.maximum ? "" : "out-of-range";
    case "number":
      if (typeof value !== "number") return "wrong-type";
      if (kind.above !== undefined && value <= kind.above) return "out-of-range";
      if (kind.minimum !== undefined && value < kind.minimum) return "out-of-range";
      return kind.maximum !== undefined && value > kind.maximum ? "out-of-range" : "";
  }
}

function stringCode(kind: Kind & { kind: "string" }, value: string): RejectionCode | "" {
  const { length } = value;
  if (length < kind.minBytes) return "empty-string";
  if (length > kind.maxBytes) return "string-too-long"; // a UTF-16 unit takes a byte at least
  let bytes = length;
  for (let i = 0; i < length; i++) {
    const c = value.charCodeAt(i);
    if (c >= 0x20 && c < 0x7f) continue;
    if (c <= 0x9f && kind.plain) return "control-character";
    if (c >= 0x80) bytes++;
    if (c >= 0x800) bytes++;
    if (c < 0xd800 || c > 0xdfff) continue;
    const next = value.charCodeAt(i + 1); // NaN past the end: no comparison below holds
    if (!(c < 0xdc00 && next >= 0xdc00 && next <= 0xdfff)) return "lone-surrogate";
    i++; // its two units and the two just added make the four bytes of the pair
  }
  return bytes <= kind.maxBytes ? "" : "string-too-long";
}

/** What a rejected scalar should be; for text, preceded by the requirement that its description leaves out. */
function wantedOf(kind: ScalarKind, code: RejectionCode): string {
  const wanted = describe(kind);
  if (kind.kind !== "string") return wanted;
  if (code === "wrong-type") return `a string, ${wanted}`;
  return code === "lone-surrogate" ? `valid Unicode, ${wanted}` : wanted;
}

/** A kind in words, for messages. */
function describe(kind: Kind): string {
  switch (kind.kind) {
    case "string": {
      const plain = kind.plain ? " without control characters" : "";
      return `${kind.noun} of ${kind.minBytes}..${kind.maxBytes} bytes${plain}`;
    }
    case "time":
      return "integer milliseconds of 1990-01-01..2100-01-01";
    case "integer":
      return `an integer ${kind.minimum}..${kind.maximum}`;
    case "number":
      if (kind.above !== undefined) return `a number in (${kind.above}, ${kind.maximum}]`;
      return kind.minimum === undefined ? "a number" : `a number of ${kind.minimum} or more`;
    case "boolean":
      return "true or false";
    case "choice":
      return `one of ${kind.of.join(", ")}`;
    case "either":
      return either(kind.of.flatMap(typesInWords));
    case "attributes":
      return `an object of at most ${MAX_ATTRIBUTES} attributes`;
    case "object":
      return "an object";
    case "list": {
      const different = kind.unique === true ? "different " : "";
      return `a list of ${kind.minItems}..${kind.maxItems} ${different}entries`;
    }
  }
}

/** The JSON types of a kind, in words. */
function typesInWords(kind: Kind): readonly string[] {
  if (kind.kind === "list") {
    return typesInWords(kind.of).map((type) => `a list of ${type.replace(/^a /, "")}s`);
  }
  const type = typeOf(kind);
  return type === "boolean" ? ["true", "false"] : [`a ${type}`];
}

function either(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
