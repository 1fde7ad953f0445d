import assert from "node:assert/strict";
import fc from "fast-check";
import { openRecord, startRecord, writeArray } from "../../src/codec/record.ts";
import { KeyIndex } from "../../src/embeddings/key_index.ts";

// Few keys, short and wide: collisions, removals and reuse of slots all happen within a few steps.
const key = fc.oneof(
  fc.nat(40).map((n) => `k${n}`),
  fc.string({ unit: "grapheme", maxLength: 3 }).filter((text) => text.isWellFormed()),
  fc.nat(3).map((n) => "long".repeat(100 + n)),
);

/** Plays the same insertions (of absent keys) and removals (of present ones) on an index and a map. */
function play(keys: readonly string[], index: KeyIndex, model: Map<string, number>): void {
  for (const next of keys) {
    const row = model.get(next);
    if (row === undefined) {
      const upcoming = index.upcomingRow;
      model.set(next, index.insert(next));
      assert.equal(model.get(next), upcoming);
    } else {
      index.remove(row);
      model.delete(next);
    }
  }
}

function assertSame(index: KeyIndex, model: Map<string, number>): void {
  assert.equal(index.size, model.size);
  for (const [text, row] of model) {
    assert.equal(index.findOnce(text), row);
    assert.equal(index.find(text), row);
    assert.equal(index.key(row), text);
  }
  assert.deepEqual([...index.rows()], [...model.values()].sort((a, b) => a - b));
}

function copyOf(index: KeyIndex): KeyIndex {
  const writer = startRecord("test", 1);
  index.encode(writer);
  return KeyIndex.decode(openRecord(writer.toBytes(), "test", 1), 7);
}

Deno.test("KeyIndex() behaves like a Map when keys come and go", () => {
  fc.assert(fc.property(fc.array(key, { maxLength: 400 }), (keys) => {
    const index = new KeyIndex(7), model = new Map<string, number>();
    play(keys, index, model);
    assertSame(index, model);
  }));
});

Deno.test("KeyIndex.decode() goes on like the original when keys come and go", () => {
  const keys = fc.array(key, { maxLength: 200 });
  fc.assert(fc.property(keys, keys, (before, after) => {
    const index = new KeyIndex(7), model = new Map<string, number>();
    play(before, index, model);
    const copy = copyOf(index), copyModel = new Map(model);
    play(after, index, model);
    play(after, copy, copyModel);
    assert.deepEqual(copyModel, model);
    assertSame(copy, model);
    assert.equal(copy.bytes, index.bytes);
  }));
});

Deno.test("KeyIndex.growth() bounds what an insertion allocates, old arrays included", () => {
  const index = new KeyIndex(7);
  for (let i = 0; i < 5000; i++) {
    const before = index.bytes, growth = index.growth(`key-${i}`);
    index.insert(`key-${i}`);
    assert.ok(index.bytes - before <= growth && (growth === 0) === (index.bytes === before), `key ${i}`);
  }
});

Deno.test("KeyIndex() keeps its size when keys are replaced forever", () => {
  const index = new KeyIndex(7);
  const rows: number[] = [];
  for (let i = 0; i < 1000; i++) rows.push(index.insert(`warm-${i}`));
  let most = 0;
  for (let i = 0; i < 50_000; i++) {
    const slot = i % rows.length;
    index.remove(rows[slot] ?? 0);
    rows[slot] = index.insert(`key-${i}`);
    if (i === 5000) most = index.bytes;
  }
  assert.ok(index.bytes <= most, `${index.bytes} after ${most}`);
  assert.ok(index.endRow <= 1002);
});

Deno.test("KeyIndex.decode() reads an index that has lost nearly all its keys, and which then shrinks", () => {
  const index = new KeyIndex(7);
  const rows = Array.from({ length: 3000 }, (_, n) => index.insert(`key ${n}`));
  const { bytes } = index;
  for (const row of rows.slice(50)) index.remove(row);
  for (let n = 0; n < 3000; n++) {
    assert.equal(copyOf(index).bytes, index.bytes, `after ${n} keys`);
    index.remove(index.insert(`later ${n}`));
  }
  assert.ok(index.bytes < bytes);
  for (const [n, row] of rows.slice(0, 50).entries()) assert.equal(copyOf(index).findOnce(`key ${n}`), row);
});

Deno.test("KeyIndex.decode() allocates no more than its keys need, whatever the record claims", () => {
  const writer = startRecord("test", 1).uint(128).uint(2 ** 40).uint(64).uint(0).uint(0).uint(0);
  writeArray(writer, new Uint8Array(0));
  writeArray(writer, new Uint32Array(2));
  const index = KeyIndex.decode(openRecord(writer.toBytes(), "test", 1), 7);
  assert.ok(index.bytes < 10_000, `${index.bytes}`);
  const row = index.insert("k".repeat(1024));
  assert.equal(index.find("k".repeat(1024)), row);
});

Deno.test("KeyIndex.decode() throws a SyntaxError when the record is truncated", () => {
  const index = new KeyIndex(7);
  for (let i = 0; i < 100; i++) index.insert(`key-${i}`);
  const writer = startRecord("test", 1);
  index.encode(writer);
  const bytes = writer.toBytes();
  for (let length = 6; length < bytes.length; length += 7) {
    assert.throws(() => KeyIndex.decode(openRecord(bytes.subarray(0, length), "test", 1), 7), SyntaxError);
  }
});

Deno.test("KeyIndex.insert() refuses a key that is present or cannot be stored", () => {
  const index = new KeyIndex(7);
  index.insert("a");
  for (const bad of ["a", "\udc00", "ж".repeat(513)]) assert.throws(() => index.insert(bad), RangeError);
  assert.equal(index.size, 1);
});

Deno.test("KeyIndex.findBytes() and findOrInsertBytes() give the same rows as findOnce() and insert()", () => {
  fc.assert(
    fc.property(fc.array(key, { maxLength: 100 }), fc.array(key, { maxLength: 50 }), (keys, others) => {
      const byString = new KeyIndex(7), byBytes = new KeyIndex(7);
      for (const each of keys.filter((one) => byString.storable(one))) {
        const bytes = new TextEncoder().encode(`--${each}-`);
        const row = byString.findOnce(each) || byString.insert(each);
        assert.equal(byBytes.findOrInsertBytes(bytes, 2, bytes.length - 1), row);
      }
      assert.equal(byBytes.size, byString.size);
      for (const each of [...keys, ...others].filter((one) => one.isWellFormed())) {
        const bytes = new TextEncoder().encode(each);
        assert.equal(byBytes.findBytes(bytes, 0, bytes.length), byString.findOnce(each));
      }
    }),
  );
});

Deno.test("KeyIndex.findOrInsertBytes() refuses a key that cannot be stored", () => {
  const index = new KeyIndex(7);
  assert.throws(() => index.findOrInsertBytes(new Uint8Array(1025).fill(97), 0, 1025), RangeError);
  assert.equal(index.findBytes(new Uint8Array(1025).fill(97), 0, 1025), 0);
});
