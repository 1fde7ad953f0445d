import assert from "node:assert/strict";
import { NeighbourRows } from "../../../src/retrieval/items/neighbour_rows.ts";
import { MIN_LIMIT, RowBounds } from "../../../src/retrieval/items/row_bounds.ts";

const byId = (a: number, b: number) => a - b;

function fill(rows: NeighbourRows, item: number, entries: number): void {
  rows.ensure(item);
  for (let other = 0; other < entries; other++) rows.add(item, other, entries - other, 0, 0);
}

Deno.test("RowBounds.cut() keeps the best three quarters of a row with too many entries", () => {
  const rows = new NeighbourRows();
  const bounds = new RowBounds(rows, Infinity, 20);
  fill(rows, 1, 20);
  bounds.cut(1, byId);
  assert.equal(rows.size(1), 20);
  fill(rows, 1, 21);
  bounds.cut(1, byId);
  assert.equal(rows.size(1), 15);
  assert.ok(rows.get(1, 14, 0) > 0 && rows.get(1, 15, 0) === 0);
});

Deno.test("RowBounds.makeRoom() first shortens all rows, then drops those longest without a behaviour", () => {
  const rows = new NeighbourRows();
  for (let item = 0; item < 8; item++) fill(rows, item, 64);
  const whole = rows.bytes;
  const shorter = new RowBounds(rows, whole / 2, 64);
  assert.deepEqual(shorter.makeRoom(byId), []);
  assert.equal(shorter.limit, 32);
  const fewer = new RowBounds(rows, 1000, 32);
  for (const item of [3, 1, 2]) fewer.touch(item);
  assert.deepEqual(fewer.makeRoom(byId), [0, 4, 5, 6, 7, 3, 1]);
  assert.equal(rows.size(2), MIN_LIMIT);
  assert.ok(rows.bytes <= 750);
  assert.deepEqual(fewer.makeRoom(byId), []);
});
