import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { readIds, writeIds } from "../../src/codec/ids.ts";

function written(ids: readonly string[]): Uint8Array {
  const writer = new ByteWriter();
  writeIds(writer, ids);
  return writer.toBytes();
}

const id = fc.oneof(
  fc.string(),
  fc.nat(2 ** 31 - 1).map(String),
  fc.tuple(fc.constantFrom("i", "item-", "", "ü", "i0"), fc.stringMatching(/^\d{0,20}$/)).map((x) =>
    x.join("")
  ),
  fc.uuid(),
);

Deno.test("readIds() returns the ids that writeIds() wrote, whatever they end in", () => {
  fc.assert(fc.property(fc.array(id, { maxLength: 40 }), (ids) => {
    const reader = new ByteReader(written(ids));
    const at = readIds(reader);
    assert.deepEqual(ids.map((_, i) => at(i)), ids);
    assert.ok(reader.done);
    assert.throws(() => at(ids.length), SyntaxError);
  }));
});

Deno.test("writeIds() stores up to four trailing digits in two bytes, and costs little more than strings otherwise", () => {
  const items = Array.from({ length: 100 }, (_, n) => `item-${1000 + n}`);
  assert.equal(written(items).length, 1 + 1 + 5 + 1 + 200);
  const uuids = fc.sample(fc.uuid(), 100);
  assert.ok(written(uuids).length < 100 * 38 + 8 * 4);
});

Deno.test("ByteWriter.u48() and ByteReader.u48() round-trip integers of 48 bits", () => {
  fc.assert(fc.property(fc.nat(2 ** 48 - 1), (value) => {
    const bytes = new ByteWriter().u48(value).toBytes();
    assert.equal(bytes.length, 6);
    assert.equal(new ByteReader(bytes).u48(), value);
  }));
});
