import assert from "node:assert/strict";
import { mulberry32 } from "../../../src/draws/random.ts";
import { NeighbourRows } from "../../../src/retrieval/items/neighbour_rows.ts";

const ITEMS = 40;

/** Adds, drops and thins rows; `other` has the same entries. */
function change(rows: NeighbourRows, other: Map<number, Map<number, number>>, random: () => number): void {
  const below = (n: number) => Math.floor(random() * n);
  const item = below(ITEMS);
  rows.ensure(item);
  const row = other.get(item) ?? new Map<number, number>();
  other.set(item, row);
  const act = random();
  if (act < 0.02) {
    rows.remove(item);
    other.delete(item);
  } else if (act < 0.04) {
    const isKept = (key: number) => key % 3 === 0;
    rows.retain(item, (at) => isKept(rows.keys[at]! - 1));
    for (const key of row.keys()) if (!isKept(key)) row.delete(key);
  } else {
    const key = below(500);
    rows.add(item, key, 0, 1, 0);
    row.set(key, (row.get(key) ?? 0) + 1);
  }
}

Deno.test("NeighbourRows holds what maps hold when rows come, grow, shrink and go", () => {
  const [rows, other, random] = [new NeighbourRows(), new Map<number, Map<number, number>>(), mulberry32(1)];
  const others = Uint32Array.from({ length: 500 }, (_, key) => key);
  for (let n = 1; n <= 20_000; n++) {
    change(rows, other, random);
    if (n % 1000 !== 0) continue;
    for (let item = 0; item <= ITEMS; item++) {
      const expected = Array.from(others, (key) => other.get(item)?.get(key) ?? 0);
      assert.deepEqual(Array.from(others, (key) => rows.get(item, key, 1)), expected);
      const into = new Float64Array(500).fill(NaN);
      rows.copy(item, { others, from: 7, end: 499 }, 1, into, 3);
      assert.deepEqual([...into.subarray(3, 495)], expected.slice(7, 499));
      assert.ok(Number.isNaN(into[2]) && Number.isNaN(into[495]));
    }
  }
});

Deno.test("NeighbourRows moves rows together in its slab, and takes no other one, while a quarter of it is free", () => {
  const rows = new NeighbourRows();
  const fill = (item: number, size: number) => {
    rows.ensure(item);
    for (let key = 0; key < size; key++) rows.add(item, key, 1, 1, 1);
  };
  for (let item = 0; item < ITEMS; item++) fill(item, 200);
  for (let item = 0; item < ITEMS; item += 2) rows.remove(item);
  const slab = rows.keys;
  let next = ITEMS;
  while (rows.bytes < 0.7 * slab.byteLength) {
    fill(next++, 90);
    assert.ok(rows.keys === slab);
  }
  assert.ok(next > ITEMS + 20);
  for (let item = 1; item < ITEMS; item += 2) assert.equal(rows.get(item, 199, 2), 1);
});
