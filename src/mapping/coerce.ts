/**
 * Converts values of other systems to those of our fields, such as a number to an id, a text to a number or a time.
 */

import { isAttribute } from "../events/check.ts";
import type { AttributeValue } from "../events/event.ts";
import type { Kind } from "../events/field.ts";
import { MAX_ATTRIBUTES } from "../events/limits.ts";
import { shown } from "../events/rejected.ts";
import { isRecord } from "../values/record.ts";
import { Misfit } from "./scope.ts";
import { timeOf, type TimeUnit } from "./times.ts";

/** Converts a value; returns `undefined` for a missing one. Throws a {@linkcode Misfit}. */
export type Coercion = (value: unknown) => unknown;

const NUMBER = /^[-+]?\d{1,32}(?:\.\d{0,32})?(?:[eE][-+]?\d{1,3})?$/;

/** The conversion of values to a kind of field. @param unit unit of times */
export function coercionTo(kind: Kind, unit: TimeUnit): Coercion {
  switch (kind.kind) {
    case "string":
      return kind.minBytes === 0 ? textOf : idOf;
    case "time":
      return (value) => timeOf(value, unit);
    case "number":
    case "integer":
      return numberOf;
    case "boolean":
      return flagOf;
    case "list":
      return listTo(coercionTo(kind.of, unit));
    case "attributes":
      return attributesOf;
    default:
      return (value) => value; // the check of the event reports what is wrong
  }
}

/** A text or a whole number as an id; an empty text counts as missing. */
function idOf(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" ? undefined : value;
  if (typeof value === "bigint" || Number.isSafeInteger(value)) return String(value);
  const wanted = typeof value === "number" ? "an id: a text, or a whole number below 2^53" : "an id";
  throw new Misfit({ code: "wrong-type", wanted, got: shown(value), path: "" });
}

/** A scalar as a text. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") {
    return String(value);
  }
  throw misfit("a text", value);
}

/** A number, or a text that is one; an empty text counts as missing. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (value === "") return undefined;
  const number = typeof value === "bigint" || (typeof value === "string" && NUMBER.test(value))
    ? Number(value)
    : NaN;
  if (Number.isFinite(number)) return number;
  throw misfit("a number", value);
}

/** True or false, also as a text, or 1 or 0. */
export function flagOf(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (value === "") return undefined;
  const word = typeof value === "string" ? value.toLowerCase() : value;
  if (word === "true" || word === "1" || word === 1) return true;
  if (word === "false" || word === "0" || word === 0) return false;
  throw misfit("true or false", value);
}

function listTo(of: Coercion): Coercion {
  return (value) => {
    if (!Array.isArray(value)) return [entryOf(of, value, 0)];
    return value.map((entry, i) => entryOf(of, entry, i));
  };
}

function entryOf(of: Coercion, entry: unknown, i: number): unknown {
  try {
    const own = entry === undefined || entry === null ? undefined : of(entry);
    if (own !== undefined) return own;
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    throw new Misfit({ ...error.violation, path: `[${i}]${error.violation.path}` });
  }
  throw new Misfit({ code: "missing-field", wanted: "an entry", got: "undefined", path: `[${i}]` });
}

/** The values of an object that can be attributes, up to a limit; others are left out. */
function attributesOf(value: unknown): Readonly<Record<string, AttributeValue>> {
  if (!isRecord(value)) throw misfit("an object", value);
  const attributes: Record<string, AttributeValue> = {};
  let room = MAX_ATTRIBUTES;
  for (const [name, own] of Object.entries(value)) {
    if (room > 0 && isAttribute(name, own)) {
      attributes[name] = own;
      room--;
    }
  }
  return attributes;
}

function misfit(wanted: string, value: unknown): Misfit {
  return new Misfit({ code: "wrong-type", wanted, got: shown(value), path: "" });
}
