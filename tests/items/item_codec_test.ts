import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Catalogue, type CatalogueItem } from "../../src/items/catalogue.ts";
import {
  decodeItem,
  encodeItem,
  hasNumbers,
  itemKey,
  itemOfKey,
  readNumbers,
  writeNumbers,
} from "../../src/items/item_codec.ts";
import { anyStream, run, SMALL } from "../engine/streams.ts";

/** An item, wherever it is in the catalogue. */
function anywhere(item: CatalogueItem) {
  return { ...item, features: { ...item.features, index: 0 } };
}

Deno.test("decodeItem() and readNumbers() restore the items of any stream", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const { task } = run(steps);
    const catalogue = new Catalogue(SMALL.schema);
    for (const item of task.catalogue.items()) {
      const got = decodeItem(item.id, encodeItem(item), catalogue);
      if (hasNumbers(item)) {
        const numbers = new ByteWriter();
        writeNumbers(numbers, item);
        const from = new ByteReader(numbers.toBytes());
        readNumbers(from, got);
        assert.ok(from.done);
      }
      assert.deepEqual(anywhere(got), anywhere(item));
    }
  }));
});

Deno.test("decodeItem() throws a SyntaxError when the record is truncated or of another format", () => {
  const item = new Catalogue(SMALL.schema).apply({ item: "i", time: 7, category: "c" });
  const decode = (bytes: Uint8Array) => decodeItem("i", bytes, new Catalogue(SMALL.schema));
  const whole = encodeItem(item);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => decode(whole.subarray(0, length)), SyntaxError);
  }
  for (const format of [0, 1, 3]) {
    assert.throws(() => decode(whole.with(0, format)), SyntaxError);
  }
});

Deno.test("itemOfKey() returns the id given to itemKey()", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (id) => assert.equal(itemOfKey(itemKey(id)), id)));
});
