/**
 * Attributes of items as features: how a field of the schema reads an attribute, and what it adds to a candidate.
 *
 * The catalogue, rows, samples and states of users carry what a field has read as one text, whatever its kind, so a new
 * kind is declared here and changes no record.
 *
 * @module
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

/** A field of items. */
export interface ItemField {
  /** Name of the attribute. */
  readonly attribute: string;
  /** Floats that it has in x_c. */
  readonly width: number;
  /** Names of its tables, each one of vectors and one of first-order weights. */
  readonly tables: readonly string[];
  /** What rows carry of a value; equal values have equal texts. `null` = it is missing, or nothing that this field reads. */
  textOf(value: AttributeValue | undefined): string | null;
  /** Adds the vector of a text to `out` from `offset` on. @returns its first-order weight */
  add(text: string, tables: readonly FieldPair<FieldTable>[], out: Float32Array, offset: number): number;
  /** The way back of {@linkcode ItemField.add}. @param dz gradient of the logit */
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
  return categoryField(declared);
}

/** Floats of fields in x_c. */
export function widthOf(fields: readonly ItemField[]): number {
  return fields.reduce((sum, { width }) => sum + width, 0);
}

/** What rows carry of an item's attributes. */
export function itemFieldTexts(fields: readonly ItemField[], attributes: Attributes): (string | null)[] {
  return fields.map((field) => field.textOf(attributeOf(attributes, field.attribute)));
}

/** Each value has a vector and a weight of its own, which are learnt. */
function categoryField(attribute: string): ItemField {
  return {
    attribute,
    width: SMALL_WIDTH,
    tables: [`item:${attribute}`],
    textOf: fieldValue,
    add: (text, [pair], out, offset) => addField(pair!, text, out, offset),
    give: (text, [pair], gradient, offset, dz) => giveField(pair!, text, gradient, offset, dz),
  };
}
