/**
 * What every table of embeddings promises to its readers, whether it trains or serves.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";

/** The reading side of a table. */
export interface ReadableTable {
  readonly width: number;
  readonly size: number;
  readonly bytes: number;
  lookup(key: string): number;
  copyRow(row: number, out: Float32Array, offset: number): void;
}

/** A row as a plain array. */
export function rowOf(table: ReadableTable, row: number): number[] {
  const out = new Float32Array(table.width);
  table.copyRow(row, out, 0);
  return Array.from(out);
}

/**
 * Registers the suite.
 *
 * @param name of the implementation
 * @param open makes a table of width 3 with a row of its own, not zero, for each of the keys
 */
export function tableContract(name: string, open: (keys: readonly string[]) => ReadableTable): void {
  const keys = fc.uniqueArray(fc.oneof(fc.string({ unit: "grapheme" }), fc.string({ maxLength: 2 })), {
    maxLength: 300,
  }).map((list) => list.filter((key) => key.isWellFormed()));

  Deno.test(`${name}.lookup() gives each key its own row, from 2 on, whatever the strings`, () => {
    fc.assert(
      fc.property(keys, (known) => {
        const table = open(known);
        const rows = known.map((key) => table.lookup(key));
        assert.equal(table.size, known.length);
        assert.equal(new Set(rows).size, known.length);
        assert.ok(rows.every((row) => row >= 2));
      }),
      { numRuns: 30 },
    );
  });

  Deno.test(`${name}.lookup() returns row 1 when the key is unknown, similar, empty or cannot be stored`, () => {
    const table = open(["i1", "ключ", "x".repeat(1024)]);
    for (
      const key of [
        "i2",
        "I1",
        "i1 ",
        " i1",
        "",
        "клю",
        "x".repeat(1025),
        "x".repeat(1e6),
        "\ud800",
        "i1\u0000",
      ]
    ) {
      assert.equal(table.lookup(key), 1, JSON.stringify(key.slice(0, 20)));
    }
    assert.equal(table.size, 3);
  });

  Deno.test(`${name}.copyRow() writes zeros for row 0, and nothing outside its range`, () => {
    const table = open(["a"]);
    assert.deepEqual(rowOf(table, 0), [0, 0, 0]);
    const out = new Float32Array(7).fill(9);
    table.copyRow(table.lookup("a"), out, 2);
    assert.deepEqual([out[0], out[1], out[5], out[6]], [9, 9, 9, 9]);
    assert.ok(out.subarray(2, 5).some((x) => x !== 0 && x !== 9));
  });

  Deno.test(`${name}() holds ten thousand keys and counts what it allocates`, () => {
    const known = Array.from({ length: 10_000 }, (_, i) => `item-${i}`);
    const empty = open([]), table = open(known);
    assert.equal(new Set(known.map((key) => table.lookup(key))).size, known.length);
    assert.ok(table.bytes - empty.bytes >= known.length * (3 * 4 + 8));
  });
}
