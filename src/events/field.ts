/** Descriptions of the fields of records, as data. */

import {
  MAX_ATTRIBUTES,
  MAX_ID_BYTES,
  MAX_ITEMS,
  MAX_NAME_BYTES,
  MAX_NUMBERS,
  MAX_TEXT_BYTES,
} from "./limits.ts";

/** What a field may hold. */
export type Kind =
  /** Text of minBytes..maxBytes bytes of UTF-8 without lone surrogates; `plain` = no control characters. */
  | {
    readonly kind: "string";
    readonly minBytes: 0 | 1;
    readonly maxBytes: number;
    readonly plain: boolean;
    readonly noun: string;
  }
  /** A finite number, within bounds if given; `above` is an exclusive lower bound. */
  | { readonly kind: "number"; readonly above?: number; readonly minimum?: number; readonly maximum?: number }
  | { readonly kind: "integer"; readonly minimum: number; readonly maximum: number }
  /** Integer milliseconds since the epoch in [`MIN_TIME_MS`, `MAX_TIME_MS`). */
  | { readonly kind: "time" }
  | { readonly kind: "boolean" }
  /** One of a few words. */
  | { readonly kind: "choice"; readonly of: readonly string[] }
  /** One of several kinds of JSON; lists are told apart by their first entry. */
  | { readonly kind: "either"; readonly of: readonly Kind[] }
  /** Attributes: at most {@linkcode MAX_ATTRIBUTES} of {@linkcode ATTRIBUTE} by name. */
  | { readonly kind: "attributes" }
  | { readonly kind: "object"; readonly fields: NamedFields }
  | {
    readonly kind: "list";
    readonly of: Kind;
    readonly minItems: 0 | 1;
    readonly maxItems: number;
    readonly unique?: true;
    /** Another list of the record, which must have as many entries. */
    readonly sameLengthAs?: string;
  };

/** A field of a record: its kind, its meaning, and whether it is optional. */
export type Field = Kind & { readonly about: string; readonly optional?: true };

/** Fields in the order in which they are checked. */
export type NamedFields = readonly (readonly [name: string, field: Field])[];

/** A field for each property of `R`, optional where the property is. */
export type Fields<R> = {
  readonly [K in keyof R]-?: Record<never, never> extends Pick<R, K> ? Field & { readonly optional: true }
    : Field & { readonly optional?: never };
};

export const id = {
  kind: "string",
  minBytes: 1,
  maxBytes: MAX_ID_BYTES,
  plain: true,
  noun: "an id",
} as const;
/** A name of an action, an attribute, a surface or a model. */
export const name = {
  kind: "string",
  minBytes: 1,
  maxBytes: MAX_NAME_BYTES,
  plain: true,
  noun: "a name",
} as const;
/** A title, or a text attribute. */
export const text = {
  kind: "string",
  minBytes: 0,
  maxBytes: MAX_TEXT_BYTES,
  plain: false,
  noun: "a text",
} as const;
export const time = { kind: "time" } as const;
export const probability = { kind: "number", above: 0, maximum: 1 } as const;
/** A place on a list; 0 is the top. */
export const position = { kind: "integer", minimum: 0, maximum: 9_999 } as const;
export const counter = { kind: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
export const categories = { kind: "list", of: id, minItems: 0, maxItems: MAX_ATTRIBUTES } as const;
export const items = { kind: "list", of: id, minItems: 1, maxItems: MAX_ITEMS, unique: true } as const;

export const ATTRIBUTE_NAME: Kind = name;
/** What a single-valued attribute may be. */
export const SCALAR = { kind: "either", of: [text, { kind: "number" }, { kind: "boolean" }] } as const;
/** What an attribute may be. `AttributeValue` is its type. */
export const ATTRIBUTE: Kind = {
  kind: "either",
  of: [
    ...SCALAR.of,
    { kind: "list", of: text, minItems: 0, maxItems: MAX_ATTRIBUTES },
    { kind: "list", of: { kind: "number" }, minItems: 1, maxItems: MAX_NUMBERS },
  ],
};
