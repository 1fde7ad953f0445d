import assert from "node:assert/strict";
import fc from "fast-check";
import type { FieldTable } from "../../src/features/field_table.ts";
import { findTables } from "../../src/features/feature_tables.ts";
import { fieldSpecs } from "../../src/features/fields.ts";
import { LookUps } from "../../src/features/rows/look_ups.ts";
import { pairPrefixes } from "../../src/features/pairs.ts";
import type { FeatureSchema } from "../../src/features/schema.ts";
import { RowLog } from "../../src/features/rows/row_log.ts";

/** A table of weights that gives rows to new keys, except refused ones, and notes what it is asked. */
class NotingTable implements FieldTable {
  readonly width = 1;
  readonly removals = 0;
  /** Keys in the order of their uses. */
  readonly sights: string[] = [];
  /** How many keys were joined and looked up. */
  lookUps = 0;
  readonly #keys = ["", "?"];
  readonly #refused: (key: string) => boolean;

  constructor(refused: (key: string) => boolean = () => false) {
    this.#refused = refused;
  }

  rowOf(key: string): number {
    this.lookUps++;
    this.sights.push(key);
    if (this.#refused(key)) return 1;
    const row = this.#keys.indexOf(key);
    return row < 0 ? this.#keys.push(key) - 1 : row;
  }

  again(row: number): void {
    this.sights.push(this.#keys[row]!);
  }

  addRow(row: number, scale: number, out: Float32Array, offset: number): void {
    out[offset]! += scale * row;
  }
}

const SCHEMA: FeatureSchema = {
  userFields: [],
  contextFields: [],
  itemFields: ["colour", "brand", "size"],
  crosses: ["size", "brand"],
  pairs: true,
};
const NOTHING: FieldTable = { width: 1, rowOf: () => 0, addRow: () => {} };

/** Look-ups of pairs in a table; the other tables are empty. */
function lookUpsIn(table: FieldTable, read: RowLog, crossed: readonly number[]): LookUps {
  const names = fieldSpecs(SCHEMA, 1).map(({ name }) => name);
  const tables = new Map(names.map((name) => [name, name === "first:pair" ? table : NOTHING]));
  const shape = { k: 1, contextWidth: 0, numerics: 0, crossed, ids: true };
  return new LookUps(shape, findTables(SCHEMA, tables), false, read);
}

interface Candidate {
  readonly categories: readonly string[];
  readonly fields: readonly (string | null)[];
}

/** `z` plus the weights of a candidate's pairs with so many prefixes. */
function addPairs(
  lookUps: LookUps,
  z: number,
  place: number,
  candidate: Candidate,
  prefixes: number,
): number {
  const { traits } = lookUps.of(place, { index: -1, id: "i", ...candidate });
  for (const trait of traits) lookUps.startOnce(trait);
  for (let p = 0; p < prefixes; p++) for (const trait of traits) z += lookUps.pair(trait, p);
  return z;
}

/** Rows of pairs among the rows noted: the other tables give row 0 to every key. */
function pairRows(read: RowLog, length: number): number[] {
  const rows = [];
  read.rewind();
  for (let n = 0; n < length; n++) rows.push(read.next({ ...NOTHING, rowOf: () => 1 }, ""));
  return rows.filter((row) => row > 0);
}

Deno.test("LookUps.pair() looks up each prefix with each category and each crossed field that has a value", () => {
  const table = new NotingTable();
  const lookUps = lookUpsIn(table, new RowLog(), [2, 1]);
  lookUps.start(pairPrefixes("ann", [null, "40"]));
  const z = addPairs(lookUps, 100, 0, { categories: ["x", "y"], fields: ["red", null, "s"] }, 2);
  const keys = ["uann\0cx", "uann\0cy", "uann\0a2=s", "f1=40\0cx", "f1=40\0cy", "f1=40\0a2=s"];
  assert.deepEqual(table.sights, keys);
  assert.equal(z, 100 + 2 + 3 + 4 + 5 + 6 + 7);
});

Deno.test("LookUps.pair() counts each use, but looks a user's pair up once per list and a user field's once", () => {
  const candidate = fc.record({
    categories: fc.array(fc.constantFrom("x", "y", "z"), { maxLength: 3 }),
    fields: fc.tuple(
      fc.constant("red"),
      fc.option(fc.constantFrom("s", "x")),
      fc.option(fc.constantFrom("s", "t")),
    ),
  });
  const lists = fc.array(
    fc.record({
      prefixes: fc.uniqueArray(fc.constantFrom("ua\0", "ub\0", "f0=1\0"), { maxLength: 3 }),
      candidates: fc.array(candidate, { maxLength: 6 }),
    }),
    { maxLength: 4 },
  );
  fc.assert(fc.property(lists, fc.boolean(), (script, refuses) => {
    const refused = (key: string) => refuses && key.endsWith("s");
    const noting = new NotingTable(refused), plain = new NotingTable(refused);
    const forgetful: FieldTable = { width: 1, rowOf: (key) => plain.rowOf(key), addRow: plain.addRow };
    const read = new RowLog(), readPlain = new RowLog();
    const pairs = lookUpsIn(noting, read, [1, 2]), pairsPlain = lookUpsIn(forgetful, readPlain, [1, 2]);
    const known = new Set<string>();
    for (const { prefixes, candidates } of script) {
      for (const log of [read, readPlain]) log.clear();
      for (const lookUps of [pairs, pairsPlain]) lookUps.start(prefixes);
      const before = noting.lookUps;
      for (const [place, one] of candidates.entries()) {
        assert.equal(
          addPairs(pairs, 1, place, one, prefixes.length),
          addPairs(pairsPlain, 1, place, one, prefixes.length),
        );
      }
      assert.deepEqual(noting.sights, plain.sights);
      // The first prefix is the user's id.
      const isKept = (key: string) => !key.startsWith(prefixes[0]!);
      const sighted = [...new Set(noting.sights)].filter((key) => !(isKept(key) && known.has(key)));
      if (!refuses) assert.equal(noting.lookUps - before, sighted.length);
      for (const key of sighted.filter(isKept)) known.add(key);
      const noted = candidates.reduce(
        (sum, { categories, fields }) =>
          sum + 2 + 2 * categories.length +
          prefixes.length * (categories.length + fields.slice(1).filter((value) => value !== null).length),
        0,
      );
      assert.deepEqual(pairRows(read, noted), pairRows(readPlain, noted));
      plain.sights.length = noting.sights.length = 0;
    }
  }));
});
