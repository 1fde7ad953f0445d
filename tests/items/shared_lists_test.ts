import assert from "node:assert/strict";
import { Catalogue } from "../../src/items/catalogue.ts";
import { decodeItem, encodeItem } from "../../src/items/item_codec.ts";
import { SharedLists } from "../../src/items/shared_lists.ts";

Deno.test("SharedLists.of() returns the first list with the same contents", () => {
  const lists = new SharedLists();
  const [first, second] = [["a", null], ["a", null]];
  assert.equal(lists.of(first), first);
  assert.equal(lists.of(second), first);
  for (const other of [["a"], [null, "a"], ["a", "null"], ["a,null"], []]) {
    assert.equal(lists.of(other), other);
  }
});

Deno.test("items of a Catalogue share equal lists, however they got them", () => {
  const schema = { userFields: [], itemFields: ["brand"], contextFields: [], crosses: [], transitions: null };
  const catalogue = new Catalogue(schema);
  const record = (item: string) => ({ item, time: 1, categories: ["shoes"], attributes: { brand: "acme" } });
  const [a, b] = ["a", "b"].map((item) => catalogue.apply(record(item)));
  const other = new Catalogue(schema).apply(record("c"));
  const c = decodeItem("c", encodeItem(other), catalogue);
  const [d, e] = ["d", "e"].map((item) => catalogue.intern(item, 1));
  for (const [one, same] of [[a, b], [b, c], [d, e]] as const) {
    assert.equal(one!.categories, same!.categories);
    assert.equal(one!.fields, same!.fields);
  }
  assert.deepEqual([c.categories, c.fields, d!.categories, d!.fields], [["shoes"], ["acme"], [], [null]]);
});
