import assert from "node:assert/strict";
import fc from "fast-check";
import { NeighbourRows, SLOT_WORDS } from "../../../src/retrieval/items/neighbour_rows.ts";

const ITEMS = 40;
const byId = (a: number, b: number) => a - b;

Deno.test("NeighbourRows holds what Maps would, however its blocks move in the slab", () => {
  const operation = fc.tuple(
    fc.nat(30),
    fc.nat(400),
    fc.integer({ min: 1, max: 9 }),
    fc.constantFrom("add", "keep", "remove", "many"),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 120 }), (operations) => {
      const rows = new NeighbourRows();
      const want = new Map<number, Map<number, number>>();
      const add = (item: number, other: number, amount: number) => {
        rows.ensure(item);
        rows.add(item, other, amount, 2 * amount, 0);
        const row = want.get(item) ?? new Map<number, number>();
        want.set(item, row.set(other, (row.get(other) ?? 0) + amount));
      };
      for (const [item, other, amount, what] of operations) {
        if (what === "add") add(item, other, amount);
        else if (what === "many") { for (let k = 0; k < 200; k++) add(item, other + k, amount); }
        else if (what === "remove") {
          rows.remove(item);
          want.delete(item);
        } else if (rows.size(item) > amount) {
          rows.keep(item, amount, byId);
          const best = [...want.get(item)!].sort(([a, x], [b, y]) => y - x || byId(a, b)).slice(0, amount);
          want.set(item, new Map(best));
        }
      }
      let slots = 0;
      const others = Uint32Array.from({ length: 601 }, (_, other) => other), copied = new Float64Array(602);
      const few = Uint32Array.of(3, 211, 90, 600, 7), many = others.subarray(0, 600).toReversed();
      for (let item = 0; item <= 31; item++) {
        for (const items of [few, many]) {
          // The table of places may be shorter than the slab's largest item.
          const places = new Uint16Array(Math.max(...items) + 2);
          items.forEach((other, place) => places[other + 1] = place + 1);
          const found = rows.seek(item, { items, places });
          const got = Array.from(rows.sought.subarray(0, found), (place, k) => {
            return [items[place]!, rows.weights[rows.slots[k]! + 1]!] as const;
          });
          const row = want.get(item) ?? new Map<number, number>();
          assert.equal(found, new Map(got).size);
          assert.deepEqual(
            new Map(got.toSorted(([a], [b]) => a - b)),
            new Map(
              [...row].filter(([other]) => items.includes(other)).sort(([a], [b]) => a - b),
            ),
          );
        }
      }
      for (let item = 0; item <= 30; item++) {
        assert.equal(rows.has(item), want.has(item));
        assert.equal(rows.size(item), want.get(item)?.size ?? 0);
        slots += (rows.end(item) - rows.begin(item)) / SLOT_WORDS;
        rows.copy(item, { others, from: 7, end: 601 }, 0, copied, 8);
        for (let other = 0; other <= 600; other++) {
          const sum = want.get(item)?.get(other) ?? 0;
          assert.equal(rows.get(item, other, 0), sum);
          if (other >= 7) assert.equal(copied[other + 1], sum);
          assert.equal(rows.get(item, other, 1), 2 * sum);
        }
      }
      assert.equal(rows.bytes, 4 * SLOT_WORDS * slots);
    }),
    { numRuns: 50 },
  );
});

Deno.test("NeighbourRows compacts its slab, and takes no other, while a quarter of it is free", () => {
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

Deno.test("NeighbourRows.add() keeps counting when a float32 cannot hold the sum, whatever the period of additions", () => {
  for (const period of [1, 2, 7, 256]) {
    const rows = new NeighbourRows();
    rows.ensure(1);
    for (const begin of [2 ** 20, 2 ** 24, 2 ** 26]) rows.add(1, begin, begin, begin, 0);
    const amounts = [0.93, 0.05];
    const times = 20_000;
    for (let turn = 0; turn < times; turn++) {
      rows.turn(period * turn, 1);
      for (const begin of [2 ** 20, 2 ** 24, 2 ** 26]) {
        rows.add(1, begin, amounts[0]!, amounts[1]!, 0);
      }
    }
    for (const begin of [2 ** 20, 2 ** 24, 2 ** 26]) {
      for (const [which, amount] of amounts.entries()) {
        const grown = rows.get(1, begin, which) - begin;
        const what = `${grown} from ${begin}, of ${times * amount} in steps of ${period}`;
        assert.ok(Math.abs(grown - times * amount) < 0.04 * times * amount, what);
      }
      assert.equal(rows.get(1, begin, 2), 0);
    }
  }
});
