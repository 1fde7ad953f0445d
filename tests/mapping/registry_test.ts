import assert from "node:assert/strict";
import fc from "fast-check";
import type { Rejection } from "../../src/events/rejection.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { AvroError, compileAvro } from "../../streams/mapping/avro.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { SchemaRegistry } from "../../streams/mapping/schema_registry.ts";
import { sourceAdapter } from "../../streams/sources/adapters.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

const TIME = Date.UTC(2026, 10, 27, 10);
const CLICK = {
  type: "record",
  name: "Click",
  namespace: "com.shop",
  fields: [
    { name: "user", type: "string" },
    { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
    { name: "item", type: ["null", "string"], default: null },
    { name: "kind", type: { type: "enum", name: "Kind", symbols: ["VIEW", "CLICK", "BUY"] } },
    { name: "price", type: "double" },
    { name: "ratio", type: "float" },
    { name: "isNew", type: "boolean" },
    { name: "count", type: "int" },
    { name: "big", type: "long" },
    { name: "tags", type: { type: "array", items: "string" } },
    { name: "more", type: { type: "map", values: ["null", "long", "string"] } },
    { name: "raw", type: "bytes" },
    { name: "hash", type: { type: "fixed", name: "Hash", size: 2 } },
    { name: "parent", type: ["null", "com.shop.Click"], default: null },
  ],
};
/** What avsc 5.7.9 writes: `Type.forSchema(CLICK, { wrapUnions: false }).toBuffer(value)`. */
const WRITTEN = Uint8Array.fromHex(
  "08c3a46e6e80c494c7c368020441310400000000000023400000003f01feffffff0f8280808080808010040278027900060261028080808080" +
    "8080040262040274026300000401c807080206626f6280c494c7c3680000000000000000e0bf0000803e0005fcffffffffffff1f00000200ff0100",
);
const VALUE = {
  ...{
    user: "änn",
    at: TIME,
    item: "A1",
    kind: "BUY",
    price: 9.5,
    ratio: 0.5,
    isNew: true,
    count: 2147483647,
  },
  ...{
    big: 4503599627370497,
    tags: ["x", "y"],
    more: { a: 2 ** 50, b: "t", c: null },
    raw: "\x01\xc8",
    hash: "\x07\b",
  },
  parent: {
    ...{ user: "bob", at: TIME, item: null, kind: "VIEW", price: -0.5, ratio: 0.25, isNew: false, count: -3 },
    ...{ big: 9007199254740990, tags: [], more: {}, raw: "\0", hash: "\xff\x01", parent: null },
  },
};

Deno.test("compileAvro() decodes what avsc writes, of every type", () => {
  assert.deepEqual(compileAvro(CLICK)(WRITTEN), VALUE);
});

Deno.test("compileAvro() keeps all digits of a long", () => {
  const decode = compileAvro("long");
  const hex = (text: string) => decode(Uint8Array.fromHex(text));
  assert.equal(hex("feffffffffffffffff01"), "9223372036854775807");
  assert.equal(hex("ffffffffffffffffff01"), "-9223372036854775808");
  assert.deepEqual([hex("00"), hex("01"), hex("02"), hex("8001")], [0, -1, 1, 64]);
});

Deno.test("compileAvro() takes time in proportion to the bytes, whatever they claim", () => {
  const lists = compileAvro({ type: "array", items: "null" });
  assert.throws(
    () => lists(Uint8Array.fromHex("fcffffffffff1f00")),
    AvroError,
    "billions of entries of no bytes",
  );
  const maps = compileAvro({ type: "map", values: { type: "record", name: "Empty", fields: [] } });
  assert.throws(() => maps(Uint8Array.fromHex("feffffffffffffffff01")), AvroError);
  const nested = compileAvro({ type: "record", name: "N", fields: [{ name: "n", type: ["null", "N"] }] });
  assert.throws(() => nested(new Uint8Array(10_000).fill(2)), /nested more than/);
  const texts = compileAvro("string");
  for (const bytes of ["", "feffffff0f61", "01", "0461", "02ff"]) {
    assert.throws(() => texts(Uint8Array.fromHex(bytes)), AvroError, bytes);
  }
  assert.throws(() => texts(Uint8Array.fromHex("026161")), /1 bytes are left/);
  assert.throws(() =>
    compileAvro({ type: "map", values: "int" })(
      Uint8Array.of(2, 18, ...new TextEncoder().encode("__proto__"), 2, 0),
    ), /no record may have/);
  for (
    const schema of [7, null, "nope", { type: "fixed", name: "f" }, {
      type: "record",
      name: "r",
      fields: [{ name: "__proto__", type: "int" }],
    }]
  ) {
    assert.throws(() => compileAvro(schema), SyntaxError, JSON.stringify(schema));
  }
  const click = compileAvro(CLICK);
  fc.assert(
    fc.property(fc.nat(WRITTEN.length - 1), fc.nat(255), fc.nat(WRITTEN.length), (at, byte, length) => {
      const damaged = WRITTEN.slice(0, length);
      if (at < length) damaged[at] = byte;
      try {
        click(damaged);
      } catch (error) {
        assert.ok(error instanceof AvroError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

/** A registry with these schemas that wants a login. */
function registry(login: string) {
  let calls = 0;
  const schemas: Readonly<Record<string, object>> = {
    "/schemas/ids/1": { schema: JSON.stringify(CLICK) },
    "/schemas/ids/2": { schema: '{"type":"object"}', schemaType: "JSON" },
    "/schemas/ids/3": { schema: "message M {}", schemaType: "PROTOBUF" },
    "/schemas/ids/4": {
      schema:
        '{"type":"record","name":"Seen","namespace":"com.shop","fields":[{"name":"who","type":"Person"}]}',
      references: [{ name: "com.shop.Person", subject: "person", version: 2 }],
    },
    "/subjects/person/versions/2": {
      schema:
        '{"type":"record","name":"Person","namespace":"com.shop","fields":[{"name":"id","type":"com.shop.Id"}]}',
      references: [{ name: "com.shop.Id", subject: "id", version: 1 }],
    },
    "/subjects/id/versions/1": { schema: '{"type":"fixed","name":"Id","namespace":"com.shop","size":3}' },
    "/schemas/ids/5": { schema: '{"type":"nope"}' },
  };
  const get = (url: string | URL | Request, init?: RequestInit) => {
    calls++;
    const given = new Headers(init?.headers).get("authorization");
    if (given !== login) return Promise.resolve(new Response("no", { status: 401 }));
    const found = schemas[String(url).replace("http://registry", "")];
    return Promise.resolve(found === undefined ? new Response("{}", { status: 404 }) : Response.json(found));
  };
  return { get: get as typeof fetch, calls: () => calls };
}

const framed = (id: number, body: Uint8Array | string) => {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return new Uint8Array([0, 0, 0, 0, id, ...bytes]);
};

Deno.test("SchemaRegistry decodes Avro and JSON, fetches each schema once, and follows references", async () => {
  const { get, calls } = registry("Basic YW5uOnNlY3JldA==");
  const env = (name: string) => name === "MEANDER_REGISTRY_PASSWORD" ? "secret" : undefined;
  const schemas = new SchemaRegistry({ url: "http://registry/", username: "ann" }, { env, fetch: get });
  const read = async (bytes: Uint8Array) => {
    await schemas.ready(bytes);
    const parsed = schemas.read(bytes);
    return parsed.ok ? parsed.value : parsed.code;
  };
  assert.deepEqual(await read(framed(1, WRITTEN)), VALUE);
  assert.deepEqual(await read(framed(1, WRITTEN)), VALUE);
  assert.equal(calls(), 1);
  assert.deepEqual(await read(framed(2, '{"a":1}')), { a: 1 });
  assert.equal(await read(framed(2, '{"a":1,"a":2}')), "duplicate-key");
  assert.deepEqual(await read(framed(4, "abc")), { who: { id: "abc" } });
  assert.equal(await read(framed(3, "")), "unknown-schema");
  assert.equal(await read(framed(5, "")), "unknown-schema");
  const before = calls();
  assert.deepEqual([await read(framed(9, "")), await read(framed(9, ""))], [
    "unknown-schema",
    "unknown-schema",
  ]);
  assert.equal(calls(), before + 1, "what is not there is not asked for again");
  assert.equal(await read(framed(1, "x")), "undecodable");
  assert.equal(await read(new TextEncoder().encode('{"a":1}')), "undecodable");
  assert.equal(await read(new Uint8Array(0)), "undecodable");
});

Deno.test("SchemaRegistry says that it cannot be reached, or that the login is wrong; a token is one, too", async () => {
  const { get } = registry("Bearer t");
  const wrong = new SchemaRegistry({ url: "http://registry" }, { fetch: get });
  await assert.rejects(async () => await wrong.ready(framed(1, "")), /answers 401; is the login right\?/);
  const right = new SchemaRegistry({ url: "http://registry" }, {
    fetch: get,
    env: (name) => name === "MEANDER_REGISTRY_TOKEN" ? "t" : undefined,
  });
  await right.ready(framed(1, ""));
  const away = new SchemaRegistry({ url: "http://registry" }, {
    fetch: () => Promise.reject(new Error("refused")),
  });
  await assert.rejects(
    async () => await away.ready(framed(1, "")),
    /Cannot reach the schema registry http:\/\/registry: refused/,
  );
});

Deno.test("a topic of a registry is fed by rules, with counts right to the record", async () => {
  const topics = topicNames();
  const { get } = registry("Bearer t");
  const env = (name: string) => name === "MEANDER_REGISTRY_TOKEN" ? "t" : undefined;
  const source = compileSource("clicks", {
    format: "registry",
    registry: { url: "http://registry" },
    rules: [{
      as: "interaction",
      when: { kind: { exists: true } },
      fields: {
        user: "user",
        time: "at",
        item: "item",
        action: { path: "kind", values: { VIEW: "view", CLICK: "click", BUY: "purchase" } },
        value: "price",
      },
    }],
  }, { env, fetch: get });
  await using log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
  const values = [
    ...Array.from({ length: 20 }, () => framed(1, WRITTEN)),
    framed(2, JSON.stringify({ user: "bob", at: "2026-11-27T10:00:00Z", item: "A2", kind: "CLICK" })),
    framed(9, "gone"),
    framed(1, WRITTEN.slice(0, 20)),
    new TextEncoder().encode("{}"),
  ];
  await log.append(values.map((value) => ({ topic: "clicks", key: null, value, time: TIME })));
  await using feeder = await TopicFeeder.open(log, topics, {
    log,
    topic: "clicks",
    format: sourceAdapter(source),
  });
  while (await feeder.feed() > 0);
  assert.deepEqual([feeder.events, feeder.rejected], [21, 3]);
  const codes: string[] = [];
  for await (const { value } of readAll(log, topics.rejected, 0)) {
    codes.push((JSON.parse(new TextDecoder().decode(value ?? undefined)) as Rejection).code);
  }
  assert.deepEqual(codes, ["unknown-schema", "undecodable", "undecodable"]);
});
