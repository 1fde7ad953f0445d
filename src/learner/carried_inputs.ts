/**
 * Maps dense weights to their indices before inputs were added or removed, by the names of the inputs.
 *
 * ```text
 *   rows of mlp.W1   [ user | user fields | what the model makes of history and candidate | numerics | context | item fields ]
 *                      x_u, first                      between, unchanged                   x_c, last
 * ```
 *
 * @module
 */

import { itemField } from "../features/item_field.ts";
import { SMALL_WIDTH } from "../features/field_table.ts";
import { type FeatureSchema, numericNames } from "../features/schema.ts";
import type { Parameters, Shape } from "../nn/kernels/parameters.ts";
import { size } from "../nn/kernels/parameters.ts";

/** The block whose rows are the inputs of a model's MLP. */
const INPUT_BLOCK = "mlp.W1";

/** A model's weights, and what names its inputs. */
export interface NamedInputs {
  /** Its dense weights. */
  readonly parameters: Parameters;
  readonly schema: FeatureSchema;
  /** Width of an id's embedding. */
  readonly embeddingWidth: number;
}

/**
 * For each dense weight, its index before; −1 = none, so it starts from scratch.
 *
 * @throws RangeError when a model has fewer inputs than its schema names
 */
export function carriedPlaces(from: NamedInputs, to: NamedInputs): Int32Array {
  const places = new Int32Array(to.parameters.values.length).fill(-1);
  for (const [name, shape] of to.parameters.shapes) {
    const before = from.parameters.shapes.get(name);
    if (before === undefined) continue;
    const [at, was] = [to.parameters.offset(name), from.parameters.offset(name)];
    if (isSame(before, shape)) {
      for (let i = 0; i < size(shape); i++) places[at + i] = was + i;
    } else if (name === INPUT_BLOCK && before[1] === shape[1]) {
      const width = shape[1]!;
      const rows = carriedRows(rowNames(from, before[0]!), rowNames(to, shape[0]!));
      for (const [row, old] of rows.entries()) {
        if (old < 0) continue;
        for (let i = 0; i < width; i++) places[at + row * width + i] = was + old * width + i;
      }
    }
  }
  return places;
}

/** The index of each name before; −1 = none. */
export function carriedRows(before: readonly string[], now: readonly string[]): Int32Array {
  const places = new Map(before.map((name, place) => [name, place]));
  return Int32Array.from(now, (name) => places.get(name) ?? -1);
}

/** Names of the rows of the input block. @param rows number of rows */
function rowNames({ schema, embeddingWidth }: NamedInputs, rows: number): readonly string[] {
  const { userFields, contextFields, itemFields } = schema;
  const wide = (name: string, width: number) => Array.from({ length: width }, (_, i) => `${name}[${i}]`);
  const user = [
    ...wide("user", 2 * embeddingWidth),
    ...userFields.flatMap((name) => wide(`user field ${name}`, SMALL_WIDTH)),
  ];
  const context = [
    ...numericNames(schema).map((name) => `numeric ${name}`),
    ...contextFields.flatMap((name) => wide(`context field ${name}`, SMALL_WIDTH)),
    ...itemFields.flatMap((name) => wide(`item field ${name}`, itemField(name).width)),
  ];
  const between = rows - user.length - context.length;
  if (between < 0) {
    const least = user.length + context.length;
    throw new RangeError(`Cannot name ${rows} inputs: the schema alone has ${least}`);
  }
  return [...user, ...wide("between", between), ...context];
}

function isSame(one: Shape, other: Shape): boolean {
  return one.length === other.length && one.every((size, axis) => size === other[axis]);
}
