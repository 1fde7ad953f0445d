/** The tables of a schema, looked up by name once and not at every impression. */

import type { FieldPair, FieldTable } from "./field_table.ts";
import { itemField, type PlacedField } from "./item_field.ts";
import type { FeatureSchema } from "./schema.ts";
import type { CrossKind } from "./transitions.ts";

export interface FeatureTables<Table extends FieldTable = FieldTable> {
  readonly item: Table;
  readonly category: Table;
  readonly user: Table;
  /** In the schema's order, like the next two. */
  readonly userFields: readonly FieldPair<Table>[];
  readonly contextFields: readonly FieldPair<Table>[];
  readonly itemFields: readonly PlacedField<Table>[];
  /** First-order weights. */
  readonly first: {
    readonly item: Table;
    readonly category: Table;
    readonly user: Table;
    readonly position: Table;
  };
  /** First-order weights that not every schema has. @throws RangeError when there are none */
  own(kind: CrossKind | "pair"): Table;
}

const OWN = { transition: "first:transition", age: "first:age", pair: "first:pair" } as const;

/**
 * Finds the tables of a schema; see `fieldSpecs` for their names.
 *
 * @throws RangeError when one that every schema has is missing.
 */
export function findTables<Table extends FieldTable>(
  schema: FeatureSchema,
  tables: ReadonlyMap<string, Table>,
): FeatureTables<Table> {
  const pairs = (names: readonly string[]) =>
    names.map((name) => ({ vectors: tableOf(tables, name), first: tableOf(tables, `first:${name}`) }));
  let at = 0;
  const placed = schema.itemFields.map(itemField).map((field) => {
    const place = { field, tables: pairs(field.tables), at };
    at += field.width;
    return place;
  });
  const own = Object.fromEntries(Object.entries(OWN).map(([kind, name]) => [kind, tables.get(name)]));
  return {
    item: tableOf(tables, "item"),
    category: tableOf(tables, "category"),
    user: tableOf(tables, "user"),
    userFields: pairs(schema.userFields.map((name) => `user:${name}`)),
    contextFields: pairs(schema.contextFields.map((name) => `context:${name}`)),
    itemFields: placed,
    first: {
      item: tableOf(tables, "first:item"),
      category: tableOf(tables, "first:category"),
      user: tableOf(tables, "first:user"),
      position: tableOf(tables, "first:position"),
    },
    own: (kind) => own[kind] ?? tableOf(tables, OWN[kind]),
  };
}

/** The table of a name. @throws RangeError when there is none */
export function tableOf<Table extends FieldTable>(
  tables: ReadonlyMap<string, Table>,
  name: string,
): Table {
  const found = tables.get(name);
  if (found === undefined) {
    throw new RangeError(`Cannot find table ${name}: tables are ${[...tables.keys()].join(", ")}`);
  }
  return found;
}
