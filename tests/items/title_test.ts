import assert from "node:assert/strict";
import { Catalogue } from "../../src/items/catalogue.ts";
import { decodeItem, encodeItem } from "../../src/items/item_codec.ts";
import { titleOf } from "../../src/items/title.ts";
import type { ItemRecord } from "../../src/events/event.ts";
import { SMALL } from "../engine/streams.ts";

const CASES: readonly (readonly [Omit<ItemRecord, "item" | "time">, string | null])[] = [
  [{}, null],
  [{ title: "Tent", attributes: { title: "other", name: "another" } }, "Tent"],
  [{ title: " \n", attributes: { title: "Tent", name: "another" } }, "Tent"],
  [{ attributes: { name: "Tent", colour: "red" } }, "Tent"],
  [{ attributes: { name: 7, title: ["Tent"] } }, null],
  [{ title: " two\tpersons\u0000,\u202ered " }, "two persons , red"],
  [{ title: "😀".repeat(60) }, "😀".repeat(60)],
  [{ title: "😀".repeat(61) }, `${"😀".repeat(59)}…`],
];

Deno.test("titleOf() takes the title, else an attribute like it, as one short line", () => {
  for (const [record, title] of CASES) assert.equal(titleOf(record), title);
});

Deno.test("an item keeps its title in its record, and loses it with a later record that has none", () => {
  for (const [record, title] of CASES) {
    const item = new Catalogue(SMALL.schema).apply({ item: "i", time: 1, ...record });
    const catalogue = new Catalogue(SMALL.schema);
    assert.equal(decodeItem("i", encodeItem(item), catalogue).title, title);
    assert.equal(catalogue.apply({ item: "i", time: 2 }).title, null);
  }
});

Deno.test("encodeItem() stores a title only if the item record has a field title", () => {
  const bytesOf = (record: Omit<ItemRecord, "item" | "time">) =>
    encodeItem(new Catalogue(SMALL.schema).apply({ item: "i", time: 1, ...record })).length;
  assert.equal(bytesOf({ attributes: { name: "Tent" } }), bytesOf({ attributes: { kind: "Tent" } }));
  assert.ok(bytesOf({ title: "Tent" }) > bytesOf({}));
});
