/**
 * A field of the configuration with its meaning and default, for editors and for docs/reference/configuration.md.
 *
 * @module
 */

import type { z } from "zod";

/** A default in words. */
export class Absent {
  readonly words: string;

  /** A default that JSON has no value for. */
  constructor(words: string) {
    this.words = words;
  }
}

/** A default in words. */
export function absent(words: string): Absent {
  return new Absent(words);
}

/** The schema with a meaning. @param fallback the default; `undefined` = the field is required */
export function field<Schema extends z.ZodType>(schema: Schema, about: string, fallback?: unknown): Schema {
  const defaults = fallback === undefined
    ? {}
    : fallback instanceof Absent
    ? { "x-default": fallback.words }
    : { default: fallback };
  return schema.meta({ description: about, ...defaults }) as Schema; // only its meta data differ
}
