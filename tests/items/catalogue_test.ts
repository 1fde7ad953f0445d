import assert from "node:assert/strict";
import fc from "fast-check";
import { Catalogue } from "../../src/items/catalogue.ts";
import { SMALL } from "../engine/streams.ts";
import { atOnce } from "../../src/values/portions.ts";

Deno.test("Catalogue.apply() changes nothing when the record is older than the last one applied", () => {
  const catalogue = new Catalogue(SMALL.schema);
  catalogue.apply({ item: "i", time: 10, categories: ["new"], attributes: { brand: "b" } });
  const item = catalogue.apply({ item: "i", time: 9, categories: ["old"], hidden: true });
  assert.deepEqual([item.categories, item.fields, item.crosses, item.withheld], [
    ["new"],
    ["b", null],
    ["b"],
    false,
  ]);
  assert.equal(item.firstTime, 10);
});

Deno.test("Catalogue.apply() replaces the whole record unless the new one is older", () => {
  const catalogue = new Catalogue(SMALL.schema);
  catalogue.apply({
    item: "i",
    time: 10,
    category: "c",
    hidden: true,
    expires: 20,
    attributes: { brand: "b" },
  });
  const item = catalogue.apply({ item: "i", time: 10 });
  assert.deepEqual([item.categories, item.fields, item.withheld, item.expires], [
    [],
    [null, null],
    false,
    Infinity,
  ]);
});

Deno.test("Catalogue.apply() keeps the earliest time and lists a repeated category once", () => {
  const catalogue = new Catalogue(SMALL.schema);
  catalogue.intern("i", 50);
  const { categories } = catalogue.apply({ item: "i", time: 40, categories: ["a", "b", "a"] });
  const item = catalogue.apply({ item: "i", time: 60, categories: ["a", "b"] });
  assert.deepEqual(item.categories, ["a", "b"]);
  assert.equal(item.categories, categories);
  assert.equal(item.firstTime, 40);
});

Deno.test("Catalogue.at() finds the items of intern(), and throws a RangeError for any other index", () => {
  const catalogue = new Catalogue(SMALL.schema);
  const items = ["a", "b", "a"].map((id) => catalogue.intern(id, 0));
  assert.deepEqual(items.map(({ index }) => index), [0, 1, 0]);
  assert.equal(catalogue.size, 2);
  assert.equal(catalogue.at(1).id, "b");
  assert.throws(() => catalogue.at(2), RangeError);
});

Deno.test("Catalogue.remove() hides an item until a record lists it again", () => {
  const catalogue = new Catalogue(SMALL.schema);
  catalogue.apply({ item: "i", time: 1 });
  assert.ok(catalogue.remove("i", 2).withheld);
  assert.ok(!catalogue.apply({ item: "i", time: 3 }).withheld);
});

Deno.test("Catalogue.sort(), byId() and compare() order by id, whatever the order of arrival", () => {
  const byText = (a: string, b: string) => a < b ? -1 : a > b ? 1 : 0;
  fc.assert(
    fc.property(
      fc.array(fc.array(fc.string({ maxLength: 3 }), { maxLength: 40 }), { maxLength: 8 }),
      fc.integer({ min: 1, max: 5 }),
      (portions, every) => {
        const catalogue = new Catalogue(SMALL.schema);
        for (const [n, ids] of portions.entries()) {
          for (const id of ids) catalogue.intern(id, 0);
          const known = Array.from(catalogue.items());
          const asked = known.filter((_, k) => k % every === 0).reverse();
          const sorted = catalogue.sort(asked.map(({ index }) => index)).map((index) =>
            catalogue.at(index).id
          );
          assert.deepEqual(sorted, asked.map(({ id }) => id).sort(byText));
          for (const { index, id } of asked) {
            const other = known[0]!;
            assert.equal(Math.sign(catalogue.compare(index, other.index)), byText(id, other.id));
          }
          if (n % 2 === 0) continue;
          const all = Array.from(atOnce(catalogue.byId()), (index) => catalogue.at(index).id);
          assert.deepEqual(all, known.map(({ id }) => id).sort(byText));
        }
      },
    ),
  );
});
