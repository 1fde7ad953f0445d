import assert from "node:assert/strict";
import fc from "fast-check";
import { WireReader, WireWriter } from "../../../streams/log/kafka/protocol/wire.ts";

Deno.test("WireReader reads back what WireWriter wrote", () => {
  const safe = fc.maxSafeInteger();
  const text = fc.string({ unit: "binary", maxLength: 80 });
  const int32 = fc.integer();
  fc.assert(
    fc.property(
      safe,
      int32,
      fc.integer({ min: -32_768, max: 32_767 }),
      text,
      fc.uint8Array(),
      (big, int, short, text, bytes) => {
        const writer = new WireWriter(1)
          .int64(big).int32(int).int16(short).int8(int >> 24)
          .name(text).name(null)
          .varBytes(text).varBytes(bytes).varBytes(null)
          .uvarint(Math.abs(int));
        const reader = new WireReader(writer.bytes);
        assert.equal(reader.int64(), big);
        assert.equal(reader.int32(), int);
        assert.equal(reader.int16(), short);
        assert.equal(reader.int8(), int >> 24);
        assert.equal(reader.name(), text);
        assert.equal(reader.name(), null);
        assert.equal(reader.text(reader.varint()), text);
        assert.deepEqual(reader.take(reader.varint()), bytes);
        assert.equal(reader.take(reader.varint()), null);
        assert.equal(reader.uvarint(), Math.abs(int));
        assert.equal(reader.left, 0);
      },
    ),
  );
});

Deno.test("WireWriter.varint() is Kafka's zigzag encoding", () => {
  const known: readonly (readonly [number, readonly number[]])[] = [
    [0, [0]],
    [-1, [1]],
    [1, [2]],
    [63, [126]],
    [-64, [127]],
    [64, [128, 1]],
    [300, [216, 4]],
    [2 ** 31 - 1, [254, 255, 255, 255, 15]],
    [-(2 ** 31), [255, 255, 255, 255, 15]],
    [2 ** 40, [128, 128, 128, 128, 128, 64]],
  ];
  for (const [value, bytes] of known) {
    assert.deepEqual([...new WireWriter().varint(value).bytes], bytes, `${value}`);
    assert.equal(new WireReader(new Uint8Array(bytes)).varint(), value);
  }
  const middle = fc.integer({ min: -(2 ** 51), max: 2 ** 51 });
  fc.assert(fc.property(middle, (value) => {
    assert.equal(new WireReader(new WireWriter().varint(value).bytes).varint(), value);
  }));
});

Deno.test("WireReader.tags() skips tags that it does not know", () => {
  const writer = new WireWriter().uvarint(2).uvarint(0).uvarint(3).raw(new Uint8Array(3));
  writer.uvarint(7).uvarint(0).int16(42);
  const reader = new WireReader(writer.bytes);
  reader.tags();
  assert.equal(reader.int16(), 42);
});

for (const isFlexible of [false, true]) {
  Deno.test(`WireReader reads the list(), name() and blob() of WireWriter, ${isFlexible ? "flexible" : "classic"}`, () => {
    const names = ["a", null, "", "\u{1f600}"];
    const body = new WireWriter(1, isFlexible);
    body.list(names, (name) => body.name(name).blob(Uint8Array.of(1, 2)).list([], () => {})).end().int8(7);
    const reader = new WireReader(body.bytes, isFlexible);
    if (isFlexible) reader.tags();
    const found = reader.list(() => [reader.name(), reader.blob(), reader.list(() => 0)]);
    assert.deepEqual(found, names.map((name) => [name, Uint8Array.of(1, 2), []]));
    if (isFlexible) reader.tags();
    assert.deepEqual([reader.int8(), reader.left], [7, 0]);
  });
}
