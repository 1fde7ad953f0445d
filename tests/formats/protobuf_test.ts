import assert from "node:assert/strict";
import fc from "fast-check";
import { DecodeError } from "../../streams/formats/byte_input.ts";
import { compileProtobufFile } from "../../streams/formats/protobuf_schema.ts";
import { CLICK, PERSON, PERSON_DESCRIPTOR, SHOP, SHOP_DESCRIPTOR, WRITTEN } from "./shop_proto.ts";

const FILE = { name: "shop.proto", text: SHOP };
const IMPORTS = [{ name: "people/person.proto", text: PERSON }];
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));
const compile = (text: string) => compileProtobufFile({ name: "a.proto", text });
const proto3 = (types: string) => compile(`syntax = "proto3"; ${types}`);

Deno.test("compileProtobufFile() decodes every type that Python writes, at the type's index", async () => {
  const decode = await compileProtobufFile(FILE, IMPORTS);
  assert.deepEqual(decode(new Uint8Array([...hex("02 02"), ...WRITTEN])), CLICK);
  assert.deepEqual(decode(hex("00 0a0178")), { a: "x" }, "a lone 0 is the first");
  assert.deepEqual(decode(hex("02 00 0a0178")), { a: "x" });
  assert.deepEqual(decode(hex("06 02 00 00 0a0179")), { x: "y" }, "a type in a type in a type");
  assert.throws(() => decode(hex("02 08 00")), /no type at the place 4/);
  assert.throws(() => decode(hex("01")), DecodeError);
  assert.throws(() => decode(hex("ff01")), DecodeError);
});

Deno.test("compileProtobufFile() accepts descriptors of the Python client, and counts types as it does", async () => {
  const person = { name: "people/person.proto", text: PERSON_DESCRIPTOR };
  for (const imports of [[person], IMPORTS]) {
    const decode = await compileProtobufFile({ name: "shop.proto", text: SHOP_DESCRIPTOR }, imports);
    assert.deepEqual(decode(new Uint8Array([...hex("02 02"), ...WRITTEN])), CLICK);
    assert.deepEqual(decode(hex("00 0a0178")), { a: "x" });
    assert.deepEqual(decode(hex("06 02 04 00 0a0179")), { x: "y" }, "behind the entries of two maps");
    assert.throws(() => decode(hex("06 02 00 00 0a0179")), /no type at the place 1\.0\.0/);
    assert.throws(
      () => decode(hex("04 02 00 00")),
      /no type at the place 1\.0/,
      "entries of a map do not count as types",
    );
  }
  const text = await compileProtobufFile(FILE, [person]);
  assert.deepEqual(text(new Uint8Array([...hex("02 02"), ...WRITTEN])), CLICK);
  for (const text of ["AAAA", "CgA", "====", SHOP_DESCRIPTOR.slice(0, 101)]) {
    await assert.rejects(
      async () => (await compileProtobufFile({ name: "a", text }))(hex("00")),
      Error,
      text,
    );
  }
});

Deno.test("compileProtobufFile() distinguishes defaults from absent values", async () => {
  const three = await proto3(
    'import "google/protobuf/wrappers.proto"; enum E { NO = 0; YES = 1; } message M { int64 a = 1; optional int64 b = 2; ' +
      "google.protobuf.Int64Value c = 3; oneof o { string d = 4; M e = 5; } E f = 6; repeated M g = 7; optional E h = 8; }",
  );
  assert.deepEqual(three(hex("00")), { a: 0, f: "NO", g: [] });
  assert.deepEqual(three(hex("00 1000 1a00 2200 4000")), {
    a: 0,
    b: 0,
    c: 0,
    d: "",
    f: "NO",
    g: [],
    h: "NO",
  });
  assert.deepEqual(three(hex("00 220178 2a020801")), {
    a: 0,
    e: { a: 1, f: "NO", g: [] },
    f: "NO",
    g: [],
  }, "the last of a oneof");
  assert.deepEqual(three(hex("00 3007")), { a: 0, f: 7, g: [] }, "an entry added to the enum later");
  const two = await compile(
    'syntax = "proto2"; message M { required string a = 1; optional int32 b = 2 [default = 5]; optional int32 c = 3; ' +
      "repeated int32 d = 4 [packed = true]; repeated group G = 5 { optional string x = 1; } }",
  );
  assert.deepEqual(two(hex("00 0a0161 220401020304 2005 2b0a01792c 2b2c")), {
    a: "a",
    b: 5,
    d: [1, 2, 3, 4, 5],
    g: [{ x: "y" }, {}],
  });
  assert.throws(() => two(hex("00")), (error) => error instanceof DecodeError && error.path === "a");
  const edition = await compile(
    'edition = "2023"; message M { int32 a = 1; int32 b = 2 [features.field_presence = IMPLICIT]; }',
  );
  assert.deepEqual(edition(hex("00")), { b: 0 });
});

Deno.test("compileProtobufFile() merges a value that comes in parts, and skips unknown fields", async () => {
  const decode = await proto3("message M { N n = 1; message N { int32 a = 1; int32 b = 2; } }");
  assert.deepEqual(decode(hex("00 0a020801 0a021002")), { n: { a: 1, b: 2 } });
  const unknown = "7801 710000000000000000 7a03010203 7d00000000 7b0801 7c";
  assert.deepEqual(decode(hex(`00 ${unknown} 0a020801 ${unknown}`)), { n: { a: 1, b: 0 } });
});

Deno.test("compileProtobufFile() accepts custom options, and names the field whose type is missing", async () => {
  const decode = await proto3(
    'import "buf/validate/validate.proto"; import "google/protobuf/descriptor.proto"; ' +
      "extend google.protobuf.FieldOptions { string secret = 50000; } " +
      'message M { string a = 1 [(buf.validate.field).string.min_len = 1, (secret) = "s"]; other.T t = 2; }',
  );
  assert.throws(() => decode(hex("00 0a0161")), /field M\.t: no such Type or Enum 'other\.T'/);
  await assert.rejects(
    compile("message {"),
    /Cannot take a\.proto as a Protobuf schema: illegal type name/,
  );
  await assert.rejects(compile("message A {".repeat(100_000)), SyntaxError);
  await assert.rejects(compile('syntax = "proto3"; message M { string a = 1; string a = 2; }'), SyntaxError);
  const wide = Array.from({ length: 5000 }, (_, i) => `int32 f${i} = ${i + 1}; /* } */ // }\n`).join(" ");
  await assert.rejects(proto3(`message M { ${wide} }`), /more than 2000 fields/);
  const option = "a: 1 ".repeat(200_000); // the library takes minutes to parse it
  await assert.rejects(proto3(`message M { option (a) = { ${option} }; }`), /more than 2000 fields/);
  const bad = await proto3("message M { string constructor = 1; }");
  assert.throws(() => bad(hex("00")), /no record may have a field constructor/);
});

const OWN_TIMESTAMP = `syntax = "proto3"; package google.protobuf;
message S { string toString = 1; string valueOf = 2; } message Timestamp { S seconds = 1; }`;

/** Declarations of fields with new names. */
function fieldsOf(count: number, first: number): string {
  return Array.from({ length: count }, (_, i) => `int32 f${first + i} = ${first + i};`).join(" ");
}

Deno.test("compileProtobufFile() refuses a text that ends within a string, without trying every way to split it", async () => {
  for (const quote of ['"', "'"]) {
    for (const inner of ["a".repeat(100_000), "\\\\".repeat(50_000), "a\\b".repeat(30_000)]) {
      await assert.rejects(compile(`syntax = "proto3"; option a = ${quote}${inner}\\`), SyntaxError);
    }
  }
});

Deno.test("a Protobuf decoder bounds its work by the bytes, whatever they or the schema claim", async () => {
  const decode = await proto3(
    "message M { M m = 1; string s = 2; repeated int32 l = 3; map<string, int32> e = 4; int64 n = 5; }",
  );
  const cases: readonly (readonly [bytes: string, path: string, reason: RegExp])[] = [
    ["00 12ff", "s", /ends at byte/],
    ["00 12ffffffff0f61", "s", /ends at byte/],
    ["00 12ffffffffff01", "s", /more than 32 bits/],
    ["00 120261", "s", /ends at byte/],
    ["00 1202c328", "s", /not UTF-8/],
    ["00 0a021205", "m.s", /ends at byte/],
    ["00 0a04120561616161", "m.s", /ends at byte/],
    ["00 28ffffffffffffffffffff01", "n", /more than 10 bytes/],
    ["00 1a0180", "l", /ends at byte/],
    ["00 2a0161", "n", /wire type is 2, not 0/],
    ["00 220b0a095f5f70726f746f5f5f", "e", /no record may have/],
    ["00 0000", "", /number 0/],
    ["00 04", "", /number 0/],
    ["00 7c", "", /wire type 4/],
    ["00 7b", "", /ends at byte/],
    ["00 7f", "", /wire type 7/],
  ];
  for (const [bytes, path, reason] of cases) {
    assert.throws(() => decode(hex(bytes)), (error) => {
      assert.ok(error instanceof DecodeError, `${bytes}: ${error}`);
      assert.match(error.message, reason, bytes);
      assert.equal(error.path, path, bytes);
      return true;
    });
  }
  let nested = new Uint8Array(0);
  for (let i = 0; i < 40; i++) nested = new Uint8Array([10, nested.length, ...nested]);
  assert.throws(() => decode(new Uint8Array([0, ...nested])), /nested more than 32/);
  assert.throws(() => decode(new Uint8Array([0, ...new Uint8Array(1000).fill(0x7b)])), /nested more than 32/);
  const wide = await proto3(
    `message M { repeated N n = 1; } message N { ${
      Array.from({ length: 500 }, (_, i) => `int32 f${i} = ${i + 1};`).join(" ")
    } }`,
  );
  const many = Uint8Array.from({ length: 10_001 }, (_, i) => i === 0 ? 0 : i % 2 === 1 ? 10 : 0);
  assert.throws(
    () => wide(many),
    /more than 1048576 values/,
    "each of 5,000 empty ones has 500 defaults",
  );
  const mapped = await proto3(`message M { map<int32, N> n = 1; } message N { ${fieldsOf(500, 1)} }`);
  const keys = Array.from({ length: 2500 }, (_, i) => [10, 3, 8, 128 + i % 128, i >> 7]).flat();
  assert.throws(() => mapped(Uint8Array.of(0, ...keys)), /more than 1048576 values/);
  for (const kind of ["oneof o", "extend M "]) {
    const parts = Array.from(
      { length: 3 },
      (_, i) => `${kind}${i || ""} { ${fieldsOf(1000, i * 1000 + 1)} }`,
    );
    const text = kind.startsWith("oneof")
      ? `message M { ${parts.join(" ")} }`
      : `message M {} message M1 {} message M2 {} ${parts.join(" ").replaceAll("M ", "M")}`;
    await assert.rejects(proto3(text), /more than 2000 fields/, kind);
  }
  await assert.rejects(proto3(`${" ".repeat(1 << 20)}-`), SyntaxError);
  const own = { name: "google/protobuf/timestamp.proto", text: OWN_TIMESTAMP };
  const text = `syntax = "proto3"; import "${own.name}"; message M { google.protobuf.Timestamp t = 1; }`;
  const odd = await compileProtobufFile({ name: "m.proto", text }, [own]);
  assert.throws(() => odd(hex("00 0a020a00")), DecodeError);
});

Deno.test("a Protobuf decoder throws nothing but DecodeErrors when bytes are damaged", async () => {
  const decode = await compileProtobufFile(FILE, IMPORTS);
  const whole = new Uint8Array([2, 2, ...WRITTEN]);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
      const damaged = whole.slice(0, length);
      if (at < length) damaged[at] = byte;
      try {
        decode(damaged);
      } catch (error) {
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});
