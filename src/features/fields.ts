/** The embedding tables that a schema needs: one per field, plus one of first-order weights per field. */

import { SMALL_WIDTH } from "./field_table.ts";
import { itemField } from "./item_field.ts";
import type { FeatureSchema } from "./schema.ts";

export interface FieldSpec {
  /** `item`, `category`, `user`, `user:<attribute>`, ..., and the same with the prefix `first:`. */
  readonly name: string;
  /** Floats per row. */
  readonly width: number;
}

/** This position and all further down the list share a first-order weight. */
export const MAX_POSITION = 49;

/** All tables of a schema, in a fixed order. @param k Width of an id's embedding; an item's vector has width 2k. */
export function fieldSpecs(schema: FeatureSchema, k: number): readonly FieldSpec[] {
  const small = [
    ...schema.userFields.map((name) => `user:${name}`),
    ...schema.contextFields.map((name) => `context:${name}`),
    ...schema.itemFields.flatMap((declared) => itemField(declared).tables),
  ];
  const vectors: FieldSpec[] = [
    { name: "item", width: k },
    { name: "category", width: k },
    { name: "user", width: 2 * k },
    ...small.map((name) => ({ name, width: SMALL_WIDTH })),
  ];
  const first = [...vectors.map((spec) => spec.name), "position"];
  if (schema.transitions !== null) first.push("transition", "age");
  if (schema.pairs === true) first.push("pair");
  return [...vectors, ...first.map((name) => ({ name: `first:${name}`, width: 1 }))];
}
