/** A field of the configuration with its meaning and default, for editors and for the docs. */

import type { z } from "zod";

/** A default described in words, because no JSON value expresses it. */
export class Absent {
  readonly words: string;

  /** Makes a default from its description. */
  constructor(words: string) {
    this.words = words;
  }
}

/** See {@linkcode Absent}. */
export function absent(words: string): Absent {
  return new Absent(words);
}

/** Adds a description to a schema. @param fallback the default; `undefined` = the field is required */
export function field<Schema extends z.ZodType>(schema: Schema, about: string, fallback?: unknown): Schema {
  const defaults = fallback === undefined
    ? {}
    : fallback instanceof Absent
    ? { "x-default": fallback.words }
    : { default: fallback };
  return schema.meta({ description: about, ...defaults }) as Schema; // only its metadata differs
}
