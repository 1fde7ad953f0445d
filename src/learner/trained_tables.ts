/**
 * The embedding tables of a learner, in three roles: features gather from them and admit new ids, gradients are added
 * to the rows that exist, and versions carry their rows.
 */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import { EmbeddingTable } from "../embeddings/table.ts";
import type { FieldTable, TrainableTable } from "../features/field_table.ts";
import { fieldSpecs } from "../features/fields.ts";
import { userPrefix } from "../features/pairs.ts";
import type { LearnerSettings } from "./learner_options.ts";
import { tableRule, type TableRuleOptions } from "./table_rules.ts";

/** The options of a learner that concern its tables. */
export type TrainedTablesOptions =
  & TableRuleOptions
  & Pick<
    LearnerSettings,
    | "schema"
    | "embeddingWidth"
    | "embeddingScale"
    | "admitAfter"
    | "admitItemsAfter"
    | "tableBytes"
    | "expireAfterMs"
    | "seed"
  >;

/** The vectors of items and their first-order weights. */
const ITEMS: ReadonlySet<string> = new Set(["item", "first:item"]);

/** One table per field, learnt together. */
export class TrainedTables {
  /** By field, in the order of `fieldSpecs`. */
  readonly byField: ReadonlyMap<string, EmbeddingTable>;
  /** To gather from: looking up a key counts as a use at {@linkcode TrainedTables.time}, and may give it a row. */
  readonly gather: ReadonlyMap<string, FieldTable>;
  /** To add gradients to: looking up a key never gives it a row. */
  readonly scatter: ReadonlyMap<string, TrainableTable>;
  /** Event time of the next gathering, milliseconds since the epoch. */
  time = 0;

  /**
   * Creates empty tables for the fields of a schema, which share `tableBytes` evenly.
   *
   * @throws {RangeError} if a share of `tableBytes` is too small for an empty table
   */
  constructor(options: TrainedTablesOptions) {
    const { schema, embeddingWidth, tableBytes, admitAfter, expireAfterMs, seed } = options;
    const { admitItemsAfter = admitAfter } = options;
    const admission = (name: string) => ITEMS.has(name) ? admitItemsAfter : admitAfter;
    const specs = fieldSpecs(schema, embeddingWidth);
    const least = specs.length *
      Math.max(...specs.map(({ name, width }) => EmbeddingTable.leastBytes(width, admission(name))));
    if (!(tableBytes >= least)) {
      throw new RangeError(
        `Cannot keep ${specs.length} tables in learner.tableBytes: current value is ${tableBytes}, ` +
          `the least for these fields and learner.embeddingWidth ${embeddingWidth} is ${least}`,
      );
    }
    const maxBytes = tableBytes / specs.length;
    const tables = specs.map(({ name, width }) =>
      new EmbeddingTable({
        name,
        width,
        seed,
        initScale: name.startsWith("first:") ? 0 : options.embeddingScale,
        ...tableRule(name, options),
        admitAfter: admission(name),
        maxBytes,
        expireAfterMs,
      })
    );
    this.byField = new Map(tables.map((table) => [table.name, table]));
    this.gather = new Map(
      tables.map((table) => [table.name, {
        width: table.width,
        rowOf: (key) => table.use(key, this.time),
        again: (row) => table.useRow(row, this.time),
        get removals() {
          return table.removals;
        },
        addRow: (row, scale, out, offset) => table.addRow(row, scale, out, offset),
      }]),
    );
    this.scatter = new Map(
      tables.map((table) => [table.name, {
        width: table.width,
        rowOf: (key) => table.lookup(key),
        addRow: (row, scale, out, offset) => table.addRow(row, scale, out, offset),
        accumulate: (row, scale, gradient, offset) => table.accumulate(row, gradient, offset, scale),
      }]),
    );
  }

  /** Applies the accumulated gradients. @returns whether no weight exceeds `largest` in magnitude */
  step(largest: number): boolean {
    let isSound = true;
    for (const table of this.byField.values()) isSound = table.step(largest) && isSound;
    return isSound;
  }

  /** Discards the accumulated gradients. */
  discard(): void {
    for (const table of this.byField.values()) table.discard();
  }

  forget(user: string): void {
    this.byField.get("user")?.remove(user);
    this.byField.get("first:user")?.remove(user);
    this.byField.get("first:pair")?.removePrefix(userPrefix(user));
  }

  /** Encodes all rows by field, or those changed since the last call, and marks them as published. */
  takeRows(kind: "delta" | "full"): ReadonlyMap<string, Uint8Array> {
    return new Map([...this.byField].map(([name, table]) => [name, table.takeRows(kind)]));
  }

  /** Marks all rows as published. */
  clearChanged(): void {
    for (const table of this.byField.values()) table.clearChanged();
  }

  /** Takes over tables of the same name and width. @returns the names of those that start from scratch */
  carry(from: TrainedTables): readonly string[] {
    const fresh: string[] = [];
    for (const [name, table] of this.byField) {
      const before = from.byField.get(name);
      if (before?.width === table.width) table.decode(before.encode());
      else fresh.push(name);
    }
    return fresh;
  }

  encode(to: ByteWriter): void {
    for (const table of this.byField.values()) to.bytes(table.encode());
  }

  /** Reads what {@linkcode TrainedTables.encode} wrote. @throws SyntaxError when it is of other fields or sizes */
  decode(from: ByteReader): void {
    for (const table of this.byField.values()) table.decode(from.bytes());
  }
}
