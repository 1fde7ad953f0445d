/**
 * What a rule of a mapping reads from: a record of another system, and what is known of it besides.
 *
 * @module
 */

import type { Violation } from "../events/rejected.ts";

/** What is known of a record beside its content; paths reach it by `$`: `$time`, `$headers.ce_type`. */
export interface RecordMeta {
  /** When it was written, milliseconds since the epoch; the time of what is mapped, where no rule says another. */
  readonly time?: number | undefined;
  /** Its key. */
  readonly key?: string | null | undefined;
  /** Its topic. */
  readonly topic?: string | undefined;
  /** Its headers. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** What readers read from. */
export interface Scope {
  readonly record: unknown;
  /** The entry of the list that a rule goes through; else the record. */
  readonly element: unknown;
  /** Place of the entry in its list; 0 is the first. */
  readonly index: number;
  /** What else is known of the record. */
  readonly meta: RecordMeta;
}

/** Reads a value; `undefined` when there is none. Throws a {@linkcode Misfit}. */
export type Reader = (scope: Scope) => unknown;

/** Thrown by readers at a value that they cannot take. Not an `Error`: bad records may be many, and nobody reads a stack. */
export class Misfit {
  /** What is wrong. */
  readonly violation: Violation;

  /** Wraps a violation. */
  constructor(violation: Violation) {
    this.violation = violation;
  }
}
