/**
 * A field of the configuration, with what it means and what it is when it is absent: for editors, and for
 * docs/reference/configuration.md.
 *
 * @module
 */

import type { z } from "zod";

/** What a field is when it is absent, in words. */
export class Absent {
  /** The words. */
  readonly words: string;

  /** Something that JSON has no value for. */
  constructor(words: string) {
    this.words = words;
  }
}

/** Says in words what a field is when it is absent. */
export function absent(words: string): Absent {
  return new Absent(words);
}

/** The same schema, which tells what it means. @param fallback the default; `undefined` = the field is wanted */
export function field<Schema extends z.ZodType>(schema: Schema, about: string, fallback?: unknown): Schema {
  const defaults = fallback === undefined
    ? {}
    : fallback instanceof Absent
    ? { "x-default": fallback.words }
    : { default: fallback };
  return schema.meta({ description: about, ...defaults }) as Schema;
}
