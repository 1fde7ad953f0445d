import assert from "node:assert/strict";
import fc from "fast-check";
import type { FieldTable, TrainableTable } from "../../src/features/field_table.ts";
import { PairRows } from "../../src/features/rows/pair_rows.ts";
import { pairPrefixes } from "../../src/features/pairs.ts";
import { RowLog } from "../../src/features/rows/row_log.ts";

/** A table of weights that gives rows to keys as they come, but not to `refused` ones, and notes what it is asked. */
class NotingTable implements TrainableTable {
  readonly width = 1;
  readonly removals = 0;
  /** Keys in the order in which they were sighted. */
  readonly sights: string[] = [];
  readonly gradients = new Map<string, number>();
  /** Keys that were joined and looked up. */
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

  accumulate(row: number, scale: number, gradient: Float32Array, offset: number): void {
    const key = this.#keys[row]!;
    this.gradients.set(key, (this.gradients.get(key) ?? 0) + scale * gradient[offset]!);
  }
}

Deno.test("PairRows looks up each pair of a prefix with a category or a crossed field that is there", () => {
  const table = new NotingTable();
  const pairs = new PairRows([2, 1], new RowLog());
  pairs.start(pairPrefixes("ann", [null, "40"]));
  const z = pairs.addTo(100, { categories: ["x", "y"], fields: ["red", null, "s"] }, table);
  const keys = ["uann\0cx", "uann\0cy", "uann\0a2=s", "f1=40\0cx", "f1=40\0cy", "f1=40\0a2=s"];
  assert.deepEqual(table.sights, keys);
  assert.equal(z, 100 + 2 + 3 + 4 + 5 + 6 + 7);
});

Deno.test("PairRows is for a table as if each key were looked up each time, and looks it up once a list", () => {
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
    const pairs = new PairRows([1, 2], read), pairsPlain = new PairRows([1, 2], readPlain);
    for (const { prefixes, candidates } of script) {
      read.clear();
      readPlain.clear();
      pairs.start(prefixes);
      pairsPlain.start(prefixes);
      const before = noting.lookUps;
      for (const one of candidates) {
        assert.equal(pairs.addTo(1, one, noting), pairsPlain.addTo(1, one, forgetful));
      }
      assert.deepEqual(noting.sights, plain.sights);
      if (!refuses) assert.equal(noting.lookUps - before, new Set(noting.sights).size);
      read.rewind();
      readPlain.rewind();
      for (const [n, one] of candidates.entries()) {
        pairs.give(n + 1, one, noting);
        pairsPlain.give(n + 1, one, plain);
      }
      assert.deepEqual(noting.gradients, plain.gradients);
      plain.sights.length = noting.sights.length = 0;
    }
  }));
});
