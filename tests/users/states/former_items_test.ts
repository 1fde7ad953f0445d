import assert from "node:assert/strict";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { FormerItems, MOST_FORMER } from "../../../src/users/states/former_items.ts";

function itemsOf(count: number): FormerItems {
  const items = new FormerItems();
  for (let n = 0; n < count; n++) items.add(`i${n}`);
  return items;
}

Deno.test("FormerItems has all added items, and at most one in a thousand others", () => {
  const items = itemsOf(2000);
  for (let n = 0; n < 2000; n++) assert.ok(items.has(`i${n}`));
  let wrong = 0;
  for (let n = 2000; n < 42_000; n++) if (items.has(`i${n}`)) wrong++;
  assert.ok(wrong <= 40, `${wrong}`);
});

Deno.test("FormerItems.add() counts each behaviour, and keeps an item once", () => {
  const items = itemsOf(3);
  items.add("i1");
  assert.deepEqual([items.size, items.behaviours], [3, 4]);
});

Deno.test("FormerItems.add() takes no items beyond its bound, and counts behaviours only of those it has", () => {
  const items = itemsOf(MOST_FORMER + 100);
  const { behaviours } = items;
  items.add("i0");
  items.add("another one");
  assert.equal(items.size, MOST_FORMER);
  assert.equal(items.behaviours, behaviours + 1);
  assert.ok(behaviours < MOST_FORMER + 10, `${behaviours}`);
});

Deno.test("FormerItems.decode() reads what encode() writes, at most four bytes per item", () => {
  for (const count of [0, 1, 17, 1000]) {
    const items = itemsOf(count);
    const bytes = new ByteWriter();
    items.encode(bytes);
    const copy = FormerItems.decode(new ByteReader(bytes.toBytes()));
    const again = new ByteWriter();
    copy.encode(again);
    assert.deepEqual(again.toBytes(), bytes.toBytes());
    assert.ok(bytes.toBytes().length <= 4 * count + 4);
    copy.add("another one");
    assert.equal(copy.size, count + 1);
  }
});
