/** Why a record is rejected: a code for programs, a reason for people. */

import { withoutUnseen } from "../values/unseen.ts";

/** All codes of rejections. */
export const REJECTION_CODES = [
  // the bytes
  "too-large",
  "invalid-utf8",
  "truncated-json",
  "invalid-json",
  "duplicate-key",
  "too-deep",
  // any value
  "forbidden-key",
  "not-finite",
  "not-json",
  // the fields
  "not-an-object",
  "unknown-type",
  "missing-field",
  "wrong-type",
  "out-of-range",
  "unknown-value",
  "time-not-integer",
  "time-out-of-range",
  "empty-string",
  "string-too-long",
  "control-character",
  "lone-surrogate",
  "empty-list",
  "too-many-items",
  "duplicate-item",
  "length-mismatch",
  // files, and records of other systems
  "malformed-row",
  "unmapped",
  "undecodable",
  "unknown-schema",
  "truncated-gzip",
  "corrupt-gzip",
  // the stream
  "too-late",
  "in-the-future",
  "unknown-item",
  "too-many-open",
] as const;

/** One of {@linkcode REJECTION_CODES}. */
export type RejectionCode = (typeof REJECTION_CODES)[number];

/** A rejected record, and why. */
export interface Rejected {
  /** Discriminates it from accepted records. */
  readonly ok: false;
  /** The reason, for programs. */
  readonly code: RejectionCode;
  /** The reason as a sentence with the field and its value; about 1000 characters at most. */
  readonly reason: string;
  /** The rule of a mapping that rejected it. */
  readonly rule?: string;
  /** Places of the entries that are rejected, `lines[3]`; absent = all of it is. */
  readonly entries?: readonly string[];
}

/** Longest reason, in characters: it may quote foreign names of any length. */
const MAX_REASON = 1000;

export function reject(code: RejectionCode, reason: string): Rejected {
  return { ok: false, code, reason: reason.length > MAX_REASON ? `${reason.slice(0, MAX_REASON)}…` : reason };
}

const MAX_SHOWN = 60;

/**
 * A value for a message: on one line, escaped, at most about 70 characters.
 *
 * @example
 * ```ts
 * import { shown } from "./rejected.ts";
 * import assert from "node:assert/strict";
 *
 * assert.equal(shown("a\u0085b"), '"a\\u0085b"');
 * assert.equal(shown([1, 2]), "a list of 2");
 * ```
 */
export function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const start = value.length > MAX_SHOWN ? value.slice(0, MAX_SHOWN) : value;
  const escaped = withoutUnseen(JSON.stringify(start));
  return start === value ? escaped : `${escaped}… (${value.length} characters)`;
}

/** What is wrong in a value, where, and what is wanted instead. */
export interface Violation {
  readonly code: RejectionCode;
  readonly wanted: string;
  /** The current value, fit for a message. */
  readonly got: string;
  /** Path relative to the checked value: `[3]`, `.age`, or empty for the value itself. */
  readonly path: string;
  /** An unknown field that may be a misspelling of the missing one. */
  readonly near?: string | undefined;
}

/** A violation, seen from one level further out. */
export function within(step: string, violation: Violation): Violation {
  return { ...violation, path: step + violation.path };
}

/** A path step to a field, fit for a message. */
export function stepTo(key: string): string {
  return `.${/^\w{1,64}$/.test(key) ? key : shown(key)}`;
}

/** The rejection of a `what` (an event, an item) for a violation. */
export function rejectViolation({ code, wanted, got, path, near }: Violation, what: string): Rejected {
  const subject = path === "" ? `the ${what}` : `${path.replace(/^\./, "")} of the ${what}`;
  const missing = near === undefined ? "it is missing" : `it is missing; is ${shown(near)} a misspelling?`;
  const state = code === "missing-field" ? missing : `current value is ${got}`;
  return reject(code, `Cannot take ${subject} as ${wanted}: ${state}`);
}
