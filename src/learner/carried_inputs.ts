/**
 * Maps dense weights to their indices before inputs were added or removed, by the names of the inputs.
 *
 * ```text
 *   rows of mlp.W1   [ user | user fields | what the model makes of history and candidate | numerics | context | item fields ]
 *                      x_u, first                      between, unchanged                   x_c, last
 * ```
 */

import { itemField } from "../features/item_field.ts";
import { SMALL_WIDTH } from "../features/field_table.ts";
import { type FeatureSchema, numericNames } from "../features/schema.ts";
import { type Parameters, type Shape, size } from "../nn/kernels/parameters.ts";

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
 * @throws RangeError when a model has fewer inputs than its schema names, or inputs that have no names of their own differ
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
      const [old, now] = [namedRows(from, before[0]!), namedRows(to, shape[0]!)];
      if (old.unnamed !== now.unnamed || from.embeddingWidth !== to.embeddingWidth) {
        const widths = `${now.unnamed} inputs of history and candidate, embeddings of ${to.embeddingWidth}`;
        throw new RangeError(
          `Cannot carry weights to a model with ${widths}: it had ${old.unnamed} and ${from.embeddingWidth}`,
        );
      }
      const rows = carriedRows(old.names, now.names);
      for (const [row, place] of rows.entries()) {
        if (place < 0) continue;
        for (let i = 0; i < width; i++) places[at + row * width + i] = was + place * width + i;
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

/** Names of the rows of the input block, and how many are named by their place only. @param rows number of rows */
function namedRows(
  { schema, embeddingWidth }: NamedInputs,
  rows: number,
): { readonly names: readonly string[]; readonly unnamed: number } {
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
  const unnamed = rows - user.length - context.length;
  if (unnamed < 0) {
    const least = user.length + context.length;
    throw new RangeError(`Cannot name ${rows} inputs: the schema alone has ${least}`);
  }
  return { names: [...user, ...wide("between", unnamed), ...context], unnamed };
}

function isSame(one: Shape, other: Shape): boolean {
  return one.length === other.length && one.every((size, axis) => size === other[axis]);
}
