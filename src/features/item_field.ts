/**
 * Attributes of items as features: how a field of the schema reads an attribute, and what it adds to a candidate.
 *
 * The catalogue, rows, samples and users' states carry a field's value as one text, whatever its kind, so a new kind is
 * declared here and changes no record.
 */

import type { Attributes, AttributeValue } from "../events/event.ts";
import {
  addField,
  type FieldPair,
  type FieldTable,
  giveField,
  SMALL_WIDTH,
  type TrainableTable,
} from "./field_table.ts";
import { attributeOf, fieldValue } from "./schema.ts";
import { CLIP } from "./standardisation.ts";
import { shown, stepTo, type Violation } from "../events/rejected.ts";

export interface ItemField {
  readonly attribute: string;
  /** Number of floats in x_c. */
  readonly width: number;
  /** Names of its tables; each stands for one of vectors and one of first-order weights. */
  readonly tables: readonly string[];
  /** The text that rows carry for a value; equal values have equal texts. `null` = this field cannot read it. */
  textOf(value: AttributeValue | undefined): string | null;
  /** Describes valid values: an item with any other is rejected. `null` = any other counts as missing. */
  readonly wanted: string | null;
  /** Adds the vector of a text to `out` from `offset` on. @returns its first-order weight */
  add(text: string, tables: readonly FieldPair<FieldTable>[], out: Float32Array, offset: number): number;
  /** The backward pass of {@linkcode ItemField.add}. @param dz gradient of the logit */
  give(
    text: string,
    tables: readonly FieldPair<TrainableTable>[],
    gradient: Float32Array,
    offset: number,
    dz: number,
  ): void;
}

/** A field with its tables, and its place among the item fields in x_c. */
export interface PlacedField<Table> {
  readonly field: ItemField;
  readonly tables: readonly FieldPair<Table>[];
  readonly at: number;
}

/** The field that an entry of the schema's `itemFields` declares. */
export function itemField(declared: string): ItemField {
  const [, attribute, length] = VECTOR.exec(declared) ?? [];
  return attribute === undefined ? categoryField(declared) : vectorField(attribute, Number(length));
}

/** A vector and its length: `embedding[8]`. */
const VECTOR = /^(.+)\[([1-9]\d{0,2}|1000)\]$/;

/** Total number of floats of `fields` in x_c. */
export function widthOf(fields: readonly ItemField[]): number {
  return fields.reduce((sum, { width }) => sum + width, 0);
}

/** The texts that rows carry for an item's attributes. */
export function itemFieldTexts(fields: readonly ItemField[], attributes: Attributes): (string | null)[] {
  return fields.map((field) => field.textOf(attributeOf(attributes, field.attribute)));
}

/** Why the attributes of an item cannot be read as fields; `null` = they can. */
export function itemFieldViolation(fields: readonly ItemField[], attributes: Attributes): Violation | null {
  for (const { attribute, wanted, textOf } of fields) {
    const value = attributeOf(attributes, attribute);
    if (wanted === null || value === undefined || textOf(value) !== null) continue;
    return { code: "wrong-type", wanted, got: shown(value), path: `.attributes${stepTo(attribute)}` };
  }
  return null;
}

/** A category: a vector and a first-order weight are learnt for each value. */
function categoryField(attribute: string): ItemField {
  return {
    attribute,
    width: SMALL_WIDTH,
    tables: [`item:${attribute}`],
    textOf: fieldValue,
    wanted: null,
    add: (text, [pair], out, offset) => addField(pair!, text, out, offset),
    give: (text, [pair], gradient, offset, dz) => giveField(pair!, text, gradient, offset, dz),
  };
}

/** A vector computed elsewhere, such as by a text encoder: read as it is, clipped to ±{@linkcode CLIP}. */
function vectorField(attribute: string, length: number): ItemField {
  const characters = 4 * Math.ceil(length * Float32Array.BYTES_PER_ELEMENT / 3);
  return {
    attribute,
    width: length,
    tables: [],
    textOf: (value) => {
      if (!Array.isArray(value) || value.length !== length || typeof value[0] !== "number") return null;
      return new Uint8Array(Float32Array.from(value).buffer).toBase64();
    },
    wanted: length === 1 ? "a list of one number" : `a list of ${length} numbers`,
    add: (text, _tables, out, offset) => {
      // Rows of another schema may have a category here.
      if (text.length !== characters || !BASE64.test(text)) return 0;
      const vector = new Float32Array(Uint8Array.fromBase64(text).buffer);
      for (let i = 0; i < length; i++) out[offset + i]! += Math.max(-CLIP, Math.min(CLIP, vector[i]!));
      return 0;
    },
    give: () => {},
  };
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
