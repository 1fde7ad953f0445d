import assert from "node:assert/strict";
import { Catalogue } from "../../src/items/catalogue.ts";
import { SMALL } from "../engine/streams.ts";

Deno.test("Catalogue.apply() changes nothing when the record is older than the last applied", () => {
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

Deno.test("Catalogue.apply() replaces the whole record when it is as new as the last or newer", () => {
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

Deno.test("Catalogue.apply() keeps the earliest time and counts a repeated category once", () => {
  const catalogue = new Catalogue(SMALL.schema);
  catalogue.intern("i", 50);
  const { categories } = catalogue.apply({ item: "i", time: 40, categories: ["a", "b", "a"] });
  const item = catalogue.apply({ item: "i", time: 60, categories: ["a", "b"] });
  assert.deepEqual(item.categories, ["a", "b"]);
  assert.equal(item.categories, categories);
  assert.equal(item.firstTime, 40);
});

Deno.test("Catalogue.at() finds what intern() gave out, and throws a RangeError when there is none", () => {
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
