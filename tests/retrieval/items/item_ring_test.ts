import assert from "node:assert/strict";
import fc from "fast-check";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { ItemRing } from "../../../src/retrieval/items/item_ring.ts";
import { Catalogue } from "../../../src/items/catalogue.ts";

/** A ring of items added in this order, and read after each n-th for which `looks` is true. */
function ringOf(ids: readonly string[], looks: (n: number) => boolean = () => false) {
  const catalogue = new Catalogue(DEFAULT_SCHEMA);
  const ring = new ItemRing(catalogue);
  ids.forEach((id, n) => {
    const { index } = catalogue.intern(id, 0);
    ring.add(index);
    ring.add(index);
    if (looks(n)) ring.from(0.5).next();
  });
  return (place: number) => [...ring.from(place)].map((index) => catalogue.at(index).id);
}

Deno.test("ItemRing.from() yields all items once, in an order that depends on them alone", () => {
  const ids = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { maxLength: 120 });
  fc.assert(fc.property(ids, fc.double({ min: 0, max: 0.999, noNaN: true }), (ids, place) => {
    const items = ringOf(ids)(place);
    assert.deepEqual([...items].sort(), [...ids].sort());
    assert.deepEqual(ringOf([...ids].reverse(), (n) => n % 7 === 0)(place), items);
    const at = ringOf(ids)(0);
    assert.deepEqual([...at, ...at].join("\0").includes(items.join("\0")), true);
  }));
});

Deno.test("ItemRing.from() begins with every item about equally often", () => {
  const firstOf = ringOf(Array.from({ length: 200 }, (_, n) => `i${n}`));
  const drawn = new Map<string, number>();
  for (let n = 0; n < 4000; n++) {
    for (const id of firstOf(n / 4000).slice(0, 20)) drawn.set(id, (drawn.get(id) ?? 0) + 1);
  }
  assert.equal(drawn.size, 200);
  // 20 of 200 in 4,000 draws: 400 each, and the gaps of 20 neighbours on the ring are not that different.
  assert.ok([...drawn.values()].every((times) => times > 100 && times < 1000));
});
