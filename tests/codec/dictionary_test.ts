import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Dictionary, readDictionary } from "../../src/codec/dictionary.ts";

function encoded(dictionary: Dictionary): Uint8Array {
  const to = new ByteWriter();
  dictionary.encode(to);
  return to.toBytes();
}

Deno.test("Dictionary.reset() begins a record that is independent of earlier ones", () => {
  const text = fc.oneof(fc.constantFrom("a", "b", "c", ""), fc.string());
  fc.assert(fc.property(fc.array(fc.array(text), { maxLength: 5 }), (records) => {
    const kept = new Dictionary();
    for (const record of records) {
      kept.reset();
      const fresh = new Dictionary();
      const numbers = record.map((value) => kept.index(value));
      assert.deepEqual(numbers, record.map((value) => fresh.index(value)));
      assert.deepEqual(encoded(kept), encoded(fresh));
      const at = readDictionary(new ByteReader(encoded(kept)));
      assert.deepEqual(numbers.map(at), record);
    }
  }));
});

Deno.test("Dictionary.reset() drops the strings of earlier records once there are many", () => {
  const dictionary = new Dictionary();
  for (let record = 0; record < 3; record++) {
    for (let n = 0; n < 20_000; n++) assert.equal(dictionary.index(`${record}/${n}`), n);
    assert.equal(dictionary.index(`${record}/7`), 7);
    dictionary.reset();
  }
  assert.equal(dictionary.index("0/7"), 0);
  assert.deepEqual(encoded(dictionary), Uint8Array.of(1, 3, 0x30, 0x2f, 0x37));
});
