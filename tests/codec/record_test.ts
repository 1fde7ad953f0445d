import assert from "node:assert/strict";
import fc from "fast-check";
import { endRecord, openRecord, readArray, startRecord, writeArray } from "../../src/codec/record.ts";

Deno.test("readArray() reads what writeArray() wrote, whatever the values", () => {
  fc.assert(fc.property(fc.float32Array(), fc.float64Array(), (floats, doubles) => {
    const writer = startRecord("any", 3);
    writeArray(writer, floats);
    writeArray(writer, doubles);
    const reader = openRecord(writer.toBytes(), "any", 3);
    assert.deepEqual(readArray(reader, new Float32Array(floats.length)), floats);
    assert.deepEqual(readArray(reader, new Float64Array(doubles.length)), doubles);
    endRecord(reader, "any");
  }));
});

Deno.test("openRecord() throws a SyntaxError when a record is truncated or has another name, version or length", () => {
  const writer = startRecord("cut", 1);
  writeArray(writer, Float32Array.of(1, 2));
  const whole = writer.toBytes();
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => readArray(openRecord(whole.subarray(0, length), "cut", 1), new Float32Array(2)),
      SyntaxError,
    );
  }
  assert.throws(() => openRecord(whole, "cut", 2), SyntaxError);
  assert.throws(() => openRecord(whole, "other", 1), SyntaxError);
  assert.throws(() => readArray(openRecord(whole, "cut", 1), new Float32Array(3)), SyntaxError);
  assert.throws(() => endRecord(openRecord(whole, "cut", 1), "cut"), SyntaxError);
});
