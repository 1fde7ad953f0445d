import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";

/** A write, and the read that gives the same value back. */
type Step = readonly [
  write: (to: ByteWriter) => unknown,
  read: (from: ByteReader) => unknown,
  value: unknown,
];

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.integer({ min: 0, max: 255 }).map((x): Step => [(to) => to.u8(x), (from) => from.u8(), x]),
  fc.maxSafeNat().map((x): Step => [(to) => to.uint(x), (from) => from.uint(), x]),
  fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }).map((
    x,
  ): Step => [(to) => to.int(x), (from) => from.int(), x]),
  fc.float().map((x): Step => [(to) => to.f32(x), (from) => from.f32(), x]),
  fc.double().map((x): Step => [(to) => to.f64(x), (from) => from.f64(), x]),
  fc.float32Array().map((x): Step => [(to) => to.f32s(x), (from) => from.f32s(x.length), x]),
  fc.float64Array().map((x): Step => [(to) => to.f64s(x), (from) => from.f64s(x.length), x]),
  fc.uint8Array().map((x): Step => [(to) => to.bytes(x), (from) => from.bytes(), x]),
  fc.string({ unit: "binary" }).map((x): Step => [(to) => to.string(x), (from) => from.string(), x]),
  fc.string({ unit: "binary-ascii", maxLength: 200 }).map((
    x,
  ): Step => [(to) => to.string(x), (from) => from.string(), x]),
);

Deno.test("ByteReader() reads what ByteWriter() wrote, whatever the kinds and order of values", () => {
  fc.assert(fc.property(fc.array(step), fc.integer({ min: 0, max: 16 }), (steps, capacity) => {
    const writer = new ByteWriter(capacity);
    for (const [write] of steps) write(writer);
    const bytes = writer.toBytes();
    assert.equal(bytes.length, writer.length);
    const reader = new ByteReader(bytes);
    for (const [, read, value] of steps) assert.deepEqual(read(reader), value);
    assert.ok(reader.done);
  }));
});

Deno.test("ByteReader() throws a SyntaxError when the input is truncated anywhere", () => {
  fc.assert(fc.property(fc.array(step, { minLength: 1 }), (steps) => {
    const writer = new ByteWriter();
    for (const [write] of steps) write(writer);
    const whole = writer.toBytes();
    for (let length = 0; length < whole.length; length++) {
      const reader = new ByteReader(whole.subarray(0, length));
      assert.throws(() => steps.forEach(([, read]) => read(reader)), SyntaxError);
    }
  }));
});

Deno.test("ByteReader() throws nothing but SyntaxErrors when the input is arbitrary", () => {
  const reads: readonly ((from: ByteReader) => unknown)[] = [
    (from) => from.u8(),
    (from) => from.uint(),
    (from) => from.int(),
    (from) => from.f32s(from.uint()),
    (from) => from.f64s(from.uint()),
    (from) => Array.from({ length: from.count() }, () => from.u8()),
    (from) => from.string(),
  ];
  fc.assert(fc.property(fc.uint8Array(), fc.array(fc.constantFrom(...reads)), (bytes, chosen) => {
    const reader = new ByteReader(bytes);
    try {
      for (const read of chosen) read(reader);
    } catch (error) {
      assert.ok(error instanceof SyntaxError, String(error));
    }
  }));
});

Deno.test("ByteReader.uint() reads back integers at every power of two", () => {
  for (let power = 0; power <= 53; power++) {
    for (const value of [2 ** power - 1, 2 ** power, 2 ** power + 1].filter(Number.isSafeInteger)) {
      assert.equal(new ByteReader(new ByteWriter(0).uint(value).toBytes()).uint(), value);
    }
  }
});

Deno.test("ByteReader.uint() throws a SyntaxError when the integer exceeds 2^53 − 1 or does not end", () => {
  const beyond = Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10);
  assert.throws(() => new ByteReader(beyond).uint(), SyntaxError);
  assert.throws(() => new ByteReader(new Uint8Array(2000).fill(0x80)).uint(), SyntaxError);
});

Deno.test("ByteReader.int() reads back integers at its bounds", () => {
  for (const value of [-(2 ** 52), 1 - 2 ** 52, -1, 0, 1, 2 ** 52 - 1]) {
    assert.equal(new ByteReader(new ByteWriter().int(value).toBytes()).int(), value);
  }
});

Deno.test("ByteWriter.uint() and int() throw a RangeError when the number is out of range", () => {
  for (const value of [-1, 0.5, 2 ** 53, NaN, Infinity]) {
    assert.throws(() => new ByteWriter().uint(value), RangeError);
  }
  assert.throws(() => new ByteWriter().int(2 ** 52), RangeError);
  assert.throws(() => new ByteWriter().int(-(2 ** 52) - 1), RangeError);
});

Deno.test("ByteWriter.f64() writes the same bytes for every NaN", () => {
  for (const bits of [0x7ff8_0000_0000_0001n, 0xfff8_0000_0000_0000n, 0xffff_ffff_ffff_ffffn]) {
    const value = new Float64Array(BigUint64Array.of(bits).buffer)[0]!;
    assert.equal(new ByteWriter().f64(value).toBytes().toHex(), "000000000000f87f");
  }
});

Deno.test("ByteWriter.reset() leaves nothing behind when the writer is used again", () => {
  const writer = new ByteWriter(1).string("something long");
  writer.reset();
  assert.equal(writer.length, 0);
  assert.deepEqual(writer.u8(7).toBytes(), Uint8Array.of(7));
});

Deno.test("ByteReader.string() throws a SyntaxError when the bytes are not UTF-8", () => {
  assert.throws(() => new ByteReader(Uint8Array.of(2, 0xc3, 0x28)).string(), SyntaxError);
  assert.throws(() => new ByteReader(Uint8Array.of(2, 0xc3, 0x28)).skipString(), SyntaxError);
  assert.throws(() => new ByteReader(Uint8Array.of(3, 0x61, 0x62)).skipString(), SyntaxError);
});

Deno.test("ByteReader.count() throws a SyntaxError when fewer bytes are left", () => {
  assert.equal(new ByteReader(Uint8Array.of(2, 9, 9)).count(), 2);
  assert.throws(() => new ByteReader(Uint8Array.of(3, 9, 9)).count(), SyntaxError);
});

Deno.test("ByteReader.skipString() stops where string() does", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    const bytes = new ByteWriter().string(text).u8(7).toBytes();
    const reader = new ByteReader(bytes);
    const length = reader.skipString();
    assert.equal(
      new TextDecoder("utf-8", { ignoreBOM: true }).decode(
        bytes.subarray(reader.position - length, reader.position),
      ),
      text.toWellFormed(),
    );
    assert.equal(reader.u8(), 7);
  }));
});

Deno.test("ByteReader.again() skips what ByteWriter.again() repeated, and nothing that differs or is truncated", () => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(), (part, at) => {
    const writer = new ByteWriter(1).u8(9);
    for (const byte of part) writer.u8(byte);
    const end = writer.length;
    const bytes = writer.again(1, end).u8(7).toBytes();
    assert.deepEqual(bytes, Uint8Array.of(9, ...part, ...part, 7));
    const readerAt = (of: Uint8Array): ByteReader => {
      const reader = new ByteReader(of);
      for (let n = 0; n < end; n++) reader.u8();
      return reader;
    };
    const reader = readerAt(bytes);
    assert.ok(reader.again(1, end));
    assert.equal(reader.u8(), 7);
    const cut = readerAt(bytes.subarray(0, -2));
    const other = bytes.slice();
    other[end + at % part.length]! ^= 1;
    for (const unlike of [cut, readerAt(other)]) {
      assert.ok(!unlike.again(1, end));
      assert.equal(unlike.position, end);
    }
  }));
});
