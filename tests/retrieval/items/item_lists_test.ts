import assert from "node:assert/strict";
import fc from "fast-check";
import { ItemLists } from "../../../src/retrieval/items/item_lists.ts";
import { Catalogue } from "../../../src/items/catalogue.ts";

const SCHEMA = { userFields: [], itemFields: [], contextFields: [], crosses: [] };
const OPTIONS = { listSizes: { popular: 3, category: 2, fresh: 3 } };

const operation = fc.record({
  item: fc.constantFrom("a", "b", "c", "d", "e", "f", "g", "h"),
  do: fc.constantFrom("list", "list", "raise", "raise", "raise", "remove"),
  categories: fc.subarray(["x", "y"]),
  hidden: fc.boolean(),
  time: fc.integer({ min: 0, max: 50 }),
});

Deno.test("ItemLists equals fresh lists of the same items, whatever happened before", () => {
  fc.assert(fc.property(fc.array(operation, { maxLength: 50 }), (operations) => {
    const catalogue = new Catalogue(SCHEMA);
    const lists = new ItemLists(catalogue, OPTIONS);
    operations.forEach(({ item, do: what, categories, hidden, time }, n) => {
      if (what === "raise") lists.raise(catalogue.intern(item, time), time);
      else if (what === "list") lists.add(catalogue.apply({ item, time, categories, hidden }));
      else lists.add(catalogue.remove(item, time));
      if (n % 3 > 0) return;
      const fresh = new ItemLists(catalogue, OPTIONS);
      for (const known of [...catalogue.items()].reverse()) fresh.add(known);
      const category = (of: ItemLists, name: string) => of.category(of.numberOf(name) ?? Infinity);
      const asked = [
        (of: ItemLists) => of.popular(),
        (of: ItemLists) => category(of, "x"),
        (of: ItemLists) => category(of, "y"),
        (of: ItemLists) => of.fresh(),
      ];
      // Each is asked first at some time: none may depend on another being asked before.
      for (let k = 0; k < 4; k++) {
        const list = asked[(n / 3 + k) % 4]!;
        assert.deepEqual(list(lists), list(fresh));
      }
    });
  }));
});

Deno.test("ItemLists does not rebuild a list when items go that are not on it, or fewer than it has in reserve", () => {
  const catalogue = new Catalogue(SCHEMA);
  const lists = new ItemLists(catalogue, { listSizes: { popular: 5, category: 5, fresh: 5 } });
  const names = Array.from({ length: 100 }, (_, n) => `i${n}`);
  for (const [n, item] of names.entries()) {
    lists.add(catalogue.apply({ item, time: n, categories: ["x"] }));
    lists.raise(catalogue.intern(item, n), 100 * n);
  }
  const first = () =>
    Array.from([lists.popular(), lists.category(0), lists.fresh()], ([index]) => catalogue.at(index!).id);
  assert.deepEqual(first(), ["i99", "i99", "i99"]);
  let looks = 0;
  const at = catalogue.at.bind(catalogue);
  catalogue.at = (index) => {
    looks++;
    return at(index);
  };
  for (const item of [...names.slice(0, 80), "i99", "i97"]) {
    lists.add(catalogue.apply({ item, time: 200, categories: ["x"], hidden: true }));
  }
  lists.add(catalogue.apply({ item: "i98", time: 200, categories: ["y"] }));
  lists.popular();
  assert.equal(looks, 0, "no item is looked at again");
  assert.deepEqual(first(), ["i98", "i96", "i98"]);
});

Deno.test("ItemLists ranks one recent positive above three old ones that have decayed", () => {
  const catalogue = new Catalogue(SCHEMA);
  const lists = new ItemLists(catalogue, { halfLifeMs: 10 });
  for (const [item, time] of [["old", 0], ["old", 0], ["old", 0], ["recent", 20]] as const) {
    lists.raise(catalogue.intern(item, time), time);
  }
  assert.deepEqual(Array.from(lists.popular(), (index) => catalogue.at(index).id), ["recent", "old"]);
});
