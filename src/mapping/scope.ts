/** What a rule of a mapping reads from: a record of another system, with its metadata. */

import type { Violation } from "../events/rejected.ts";

/** Metadata of a record; paths reach it by `$`: `$time`, `$headers.ce_type`. */
export interface RecordMeta {
  /** When it was written, milliseconds since the epoch: the time of mapped events whose fields set none. */
  readonly time?: number | undefined;
  /** Its key. */
  readonly key?: string | null | undefined;
  /** Its topic. */
  readonly topic?: string | undefined;
  /** Its headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** `true` for a record without a value: it is for rules that ask for it. */
  readonly tombstone?: true | undefined;
}

/** What readers read from. */
export interface Scope {
  readonly record: unknown;
  /** The entry of the list that a rule iterates over; otherwise the record. */
  readonly element: unknown;
  /** Index of the entry in its list. */
  readonly index: number;
  readonly meta: RecordMeta;
}

/** Reads a value; returns `undefined` for a missing one. Throws a {@linkcode Misfit}. */
export type Reader = (scope: Scope) => unknown;

/** Thrown by readers for a value that they cannot convert. Not an `Error`: its stack would cost time per bad record. */
export class Misfit {
  /** What is wrong. */
  readonly violation: Violation;

  constructor(violation: Violation) {
    this.violation = violation;
  }
}
