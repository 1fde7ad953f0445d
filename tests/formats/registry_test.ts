import assert from "node:assert/strict";
import fc from "fast-check";
import { decodedText } from "../../scripts/flags/record_format.ts";
import type { Rejection } from "../../src/events/rejection.ts";
import { TopicFeeder } from "../../streams/feeders/topic_feeder.ts";
import { MemoryLog } from "../../streams/log/memory_log.ts";
import { readAll } from "../../streams/log/reading.ts";
import { DecodeError } from "../../streams/formats/byte_input.ts";
import { compileAvro } from "../../streams/formats/avro.ts";
import { compileSource } from "../../streams/mapping/record_source.ts";
import { RegistryError } from "../../streams/formats/registry_client.ts";
import { SchemaRegistry } from "../../streams/formats/schema_registry.ts";
import { topicNames, topicSpecs } from "../../streams/topics/topics.ts";

import { CLICK as PROTOBUF_CLICK, PERSON, SHOP, WRITTEN as PROTOBUF } from "./shop_proto.ts";

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
  user: "änn",
  at: TIME,
  item: "A1",
  kind: "BUY",
  price: 9.5,
  ratio: 0.5,
  isNew: true,
  count: 2147483647,
  big: 4503599627370497,
  tags: ["x", "y"],
  more: { a: 2 ** 50, b: "t", c: null },
  raw: "\x01\xc8",
  hash: "\x07\b",
  parent: {
    user: "bob",
    at: TIME,
    item: null,
    kind: "VIEW",
    price: -0.5,
    ratio: 0.25,
    isNew: false,
    count: -3,
    big: 9007199254740990,
    tags: [],
    more: {},
    raw: "\0",
    hash: "\xff\x01",
    parent: null,
  },
};

Deno.test("compileAvro() decodes every type that avsc writes", () => {
  assert.deepEqual(compileAvro(CLICK)(WRITTEN), VALUE);
});

Deno.test("compileAvro() decodes decimals, dates and UUIDs of fastavro, and leaves invalid ones as they are", () => {
  const decimal = (more: object) => ({ type: "bytes", logicalType: "decimal", ...more });
  const types = {
    price: decimal({ precision: 10, scale: 2 }),
    down: { ...decimal({ precision: 12, scale: 3 }), type: "fixed", name: "D", size: 6 },
    huge: decimal({ precision: 40, scale: 5 }),
    whole: decimal({ precision: 4 }),
    day: { type: "int", logicalType: "date" },
    before: ["null", { type: "int", logicalType: "date" }],
    id: { type: "string", logicalType: "uuid" },
    at: { type: "long", logicalType: "timestamp-micros" },
    clock: { type: "int", logicalType: "time-millis" },
  };
  const fields = Object.entries(types).map(([name, type]) => ({ name, type }));
  const written = "0403e7ffffffffff8318fc02ca149286856e41c7bf1f0200e0c402020148" +
    "31323334353637382d393061622d636465662d313233342d35363738393061626364656680a9c2f8e3cfb006d0d3aa22";
  assert.deepEqual(compileAvro({ type: "record", name: "Odd", fields })(Uint8Array.fromHex(written)), {
    price: 9.99,
    down: -0.125,
    huge: "-12345678901234567890123.00001",
    whole: 0,
    day: "2026-11-27",
    before: "1969-12-31",
    id: "12345678-90ab-cdef-1234-567890abcdef",
    at: 1_795_773_600_123_456,
    clock: 36_001_000,
  });
  const uuid = { type: "fixed", name: "U", size: 16, logicalType: "uuid" };
  assert.equal(compileAvro(uuid)(new Uint8Array(16).fill(0xab)), "abababab-abab-abab-abab-abababababab");
  assert.equal(
    compileAvro(decimal({ scale: -1 }))(Uint8Array.of(2, 0x61)),
    "a",
    "not a decimal, by the specification",
  );
  assert.equal(compileAvro(types.price)(Uint8Array.of(0)), 0, "no bytes");
  const long = Uint8Array.of(0x80, 1 << 1, ...new Uint8Array(128));
  assert.throws(() => compileAvro(types.price)(long), /more than 64 bytes/);
});

Deno.test("compileAvro() keeps all digits of a long", () => {
  const decode = compileAvro("long");
  const hex = (text: string) => decode(Uint8Array.fromHex(text));
  assert.equal(hex("feffffffffffffffff01"), "9223372036854775807");
  assert.equal(hex("ffffffffffffffffff01"), "-9223372036854775808");
  assert.deepEqual([hex("00"), hex("01"), hex("02"), hex("8001")], [0, -1, 1, 64]);
});

Deno.test("compileAvro() bounds its work by the bytes, whatever they claim", () => {
  const lists = compileAvro({ type: "array", items: "null" });
  assert.throws(
    () => lists(Uint8Array.fromHex("fcffffffffff1f00")),
    DecodeError,
    "billions of entries of no bytes",
  );
  const maps = compileAvro({ type: "map", values: { type: "record", name: "Empty", fields: [] } });
  assert.throws(() => maps(Uint8Array.fromHex("feffffffffffffffff01")), DecodeError);
  const nested = compileAvro({ type: "record", name: "N", fields: [{ name: "n", type: ["null", "N"] }] });
  assert.throws(() => nested(new Uint8Array(10_000).fill(2)), /nested more than/);
  const nulls = Array.from({ length: 30 }, (_, i) => ({ name: `f${i}`, type: "null" }));
  let tree: object = { type: "record", name: "R0", fields: nulls };
  for (let depth = 1; depth < 8; depth++) {
    const again = nulls.slice(1).map(({ name }) => ({ name, type: `R${depth - 1}` }));
    tree = { type: "record", name: `R${depth}`, fields: [{ name: "f0", type: tree }, ...again] };
  }
  assert.throws(() => compileAvro(tree)(new Uint8Array(2)), /more than 10064 values/);
  const texts = compileAvro("string");
  for (const bytes of ["", "feffffff0f61", "01", "0461", "02ff"]) {
    assert.throws(() => texts(Uint8Array.fromHex(bytes)), DecodeError, bytes);
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
        assert.ok(error instanceof DecodeError, String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

/** A registry with these schemas that requires a login. */
function registry(login: string) {
  let calls = 0;
  const schemas: Readonly<Record<string, object>> = {
    "/schemas/ids/1": { schema: JSON.stringify(CLICK) },
    "/schemas/ids/2": { schema: '{"type":"object"}', schemaType: "JSON" },
    "/schemas/ids/3": { schema: "<xml/>", schemaType: "XML" },
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
    "/schemas/ids/6": {
      schema: SHOP,
      schemaType: "PROTOBUF",
      references: [{ name: "people/person.proto", subject: "people", version: 1 }],
    },
    "/subjects/people/versions/1": { schema: PERSON, schemaType: "PROTOBUF" },
    "/schemas/ids/7": { schema: "message {", schemaType: "PROTOBUF" },
    "/schemas/ids/8": { schema: '{"type":"record","name":5,"fields":7}' },
    "/schemas/ids/10": { schema: "[".repeat(100_000) + '"int"' + "]".repeat(100_000) },
    "/schemas/ids/11": { schema: '"int"', references: [{ name: "a", subject: "gone", version: 1 }] },
    "/schemas/ids/12": { schema: " ".repeat(2 << 20) + '"int"' },
  };
  const get = (url: string | URL | Request, init?: RequestInit) => {
    calls++;
    const given = new Headers(init?.headers).get("authorization");
    if (given !== login) return Promise.resolve(new Response("no", { status: 401 }));
    const found = schemas[String(url).replace("http://registry", "")];
    return Promise.resolve(
      found === undefined ? Response.json({ error_code: 40403 }, { status: 404 }) : Response.json(found),
    );
  };
  return { get: get as typeof fetch, calls: () => calls };
}

const framed = (id: number, body: Uint8Array | string) => {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return new Uint8Array([0, 0, 0, 0, id, ...bytes]);
};

Deno.test("SchemaRegistry decodes Avro, Protobuf and JSON, fetches each schema once, and follows references", async () => {
  const { get, calls } = registry("Basic YW5uOnNlY3JldA==");
  const env = (name: string) => name === "MEANDER_REGISTRY_PASSWORD" ? "secret" : undefined;
  let time = 0;
  const schemas = new SchemaRegistry({ url: "http://registry/", username: "ann" }, {
    env,
    fetch: get,
    now: () => time,
  });
  const read = async (bytes: Uint8Array) => {
    await schemas.ready(bytes);
    const parsed = schemas.read(bytes);
    return parsed.ok ? parsed.value : parsed.code;
  };
  const both = [read(framed(1, WRITTEN)), read(framed(1, WRITTEN))];
  assert.deepEqual(await Promise.all(both), [VALUE, VALUE]);
  assert.deepEqual(await read(framed(1, WRITTEN)), VALUE);
  assert.equal(calls(), 1);
  assert.deepEqual(await read(framed(2, '{"a":1}')), { a: 1 });
  assert.equal(await read(framed(2, '{"a":1,"a":2}')), "duplicate-key");
  assert.deepEqual(await read(framed(4, "abc")), { who: { id: "abc" } });
  assert.equal(await read(framed(3, "")), "unknown-schema");
  for (const id of [5, 7, 8, 10, 11, 12]) {
    assert.equal(await read(framed(id, "")), "unknown-schema", `schema ${id}`);
  }
  assert.deepEqual(await read(framed(6, new Uint8Array([2, 2, ...PROTOBUF]))), PROTOBUF_CLICK);
  const before = calls();
  assert.deepEqual([await read(framed(9, "")), await read(framed(9, ""))], [
    "unknown-schema",
    "unknown-schema",
  ]);
  assert.equal(calls(), before + 1, "a missing schema is not requested again");
  time += 60_000;
  assert.equal(await read(framed(9, "")), "unknown-schema");
  assert.equal(calls(), before + 2, "until a minute has passed");
  assert.equal(await read(framed(1, "x")), "undecodable");
  const json = new TextEncoder().encode('{"a":1}');
  assert.equal(await read(json), "undecodable");
  const parsed = schemas.read(json);
  assert.match(
    parsed.ok ? "" : parsed.reason,
    /it begins with {, so it may be plain JSON, which needs no registry/,
  );
  assert.equal(await read(new Uint8Array(0)), "undecodable");
});

Deno.test("SchemaRegistry reports a wrong login, and accepts a token", async () => {
  const { get } = registry("Bearer t");
  const wrong = new SchemaRegistry({ url: "http://registry" }, { fetch: get });
  await assert.rejects(async () => await wrong.ready(framed(1, "")), /answered 401; is the login right\?/);
  const right = new SchemaRegistry({ url: "http://registry" }, {
    fetch: get,
    env: (name) => name === "MEANDER_REGISTRY_TOKEN" ? "t" : undefined,
  });
  await right.ready(framed(1, ""));
});

Deno.test("SchemaRegistry follows no redirect, so that no other host chooses the schema or gets the login", async () => {
  let asked = 0;
  const serve = (answer: () => Response) =>
    Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, answer);
  await using other = serve(() => {
    asked++;
    return Response.json({ schema: '"string"' });
  });
  const location = `http://127.0.0.1:${other.addr.port}/schemas/ids/1`;
  for (const status of [301, 302, 303, 307, 308]) {
    await using moved = serve(() => new Response(null, { status, headers: { location } }));
    const schemas = new SchemaRegistry({ url: `http://127.0.0.1:${moved.addr.port}`, username: "ann" });
    await assert.rejects(async () => await schemas.ready(framed(1, "")), (error) => {
      assert.ok(error instanceof RegistryError && !error.isTemporary);
      return error.message.endsWith(`it answered ${status}, a redirect to ${location}; is the URL right?`);
    });
  }
  assert.equal(asked, 0);
});

Deno.test("SchemaRegistry names the field that cannot be decoded, and the schema", async () => {
  const { get } = registry("Bearer t");
  const env = (name: string) => name === "MEANDER_REGISTRY_TOKEN" ? "t" : undefined;
  const schemas = new SchemaRegistry({ url: "http://registry" }, { env, fetch: get });
  const reasonOf = async (bytes: Uint8Array) => {
    await schemas.ready(bytes);
    const parsed = schemas.read(bytes);
    return parsed.ok ? "" : parsed.reason;
  };
  assert.match(
    await reasonOf(framed(6, new Uint8Array([2, 2, 0x0a, 2, 0x0a, 5]))),
    /as Protobuf of schema 6: field who\.id: it ends at byte 6$/,
  );
  assert.match(
    await reasonOf(framed(1, WRITTEN.slice(0, 20))),
    /as Avro of schema 1: field price: it ends at/,
  );
  assert.match(await reasonOf(Uint8Array.of(0, 255, 255, 255, 255)), /the id of its schema is -1, below 0/);
});

Deno.test("SchemaRegistry tries three times on temporary errors, and gives up at once on permanent ones", async () => {
  const answers = (...all: readonly (() => Response | Error)[]) => {
    const waits: number[] = [];
    let calls = 0;
    const schemas = new SchemaRegistry({ url: "http://registry" }, {
      fetch: () => {
        const next = all[calls++]?.() ?? Response.json({ schema: '"int"' });
        return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
      },
      wait: (ms) => Promise.resolve(waits.push(ms)),
    });
    return { schemas, waits, calls: () => calls };
  };
  const down = () => new Error("connection refused");
  const status = (code: number) => () => new Response("<html>", { status: code });
  const slow = answers(down, status(503));
  await slow.schemas.ready(framed(1, ""));
  assert.deepEqual(slow.schemas.read(framed(1, "\x02")), { ok: true, value: 1 });
  assert.deepEqual(slow.waits, [200, 1000]);
  const cases:
    readonly (readonly [() => Response | Error, calls: number, isTemporary: boolean, message: RegExp])[] = [
      [down, 3, true, /Cannot reach the schema registry http:\/\/registry: connection refused/],
      [status(500), 3, true, /it answered 500/],
      [status(429), 3, true, /it answered 429/],
      [status(403), 1, false, /it answered 403; is the login right\?/],
      [status(404), 1, false, /it answered 404; is the URL right\?/],
      [status(200), 1, false, /which is not JSON; is the URL right\?/],
    ];
  for (const [answer, calls, isTemporary, message] of cases) {
    const own = answers(answer, answer, answer);
    await assert.rejects(async () => await own.schemas.ready(framed(1, "")), (error) => {
      assert.ok(error instanceof RegistryError, String(error));
      assert.match(error.message, message);
      assert.deepEqual([own.calls(), error.isTemporary], [calls, isTemporary], error.message);
      return true;
    });
    const parsed = own.schemas.read(framed(1, ""));
    assert.match(parsed.ok ? "" : parsed.reason, /was not fetched/, "nothing is kept of it");
  }
  // The fault is the schema's, not the registry's: waiting would never end.
  const large = answers(() => new Response(new Uint8Array(5 << 20)));
  await large.schemas.ready(framed(1, ""));
  const parsed = large.schemas.read(framed(1, ""));
  assert.match(
    parsed.ok ? "" : parsed.reason,
    /by schema 1: .* \/schemas\/ids\/1 .*: it is larger than 4194304 bytes/,
  );
  assert.equal(large.calls(), 1);
});

Deno.test("SchemaRegistry refuses a token that no header can carry, without showing it", () => {
  const open = (token: string) => new SchemaRegistry({ url: "http://127.0.0.1:1" }, { env: () => token });
  open("abc.def\n")[Symbol.dispose]();
  for (const token of ["hush\nhush", "hush hush", "hüsh", " "]) {
    assert.throws(
      () => open(token),
      /^TypeError: Cannot send MEANDER_REGISTRY_TOKEN: it is empty, or contains [a-z ]*$/,
    );
  }
});

Deno.test("SchemaRegistry refuses a URL with a login, without showing it", () => {
  for (const url of ["https://ann:secret@registry:8081", "registry:8081", "ftp://registry", ""]) {
    assert.throws(() => new SchemaRegistry({ url }), (error) => {
      assert.ok(error instanceof TypeError);
      assert.doesNotMatch(error.message, /secret/);
      return true;
    }, url);
  }
});

Deno.test("rules feed a topic with a registry, with exact counts of events and rejections", async () => {
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
    format: source,
  });
  while (await feeder.feed() > 0);
  assert.deepEqual([feeder.events, feeder.rejected], [21, 3]);
  const codes: string[] = [];
  for await (const { value } of readAll(log, topics.rejected, 0)) {
    codes.push((JSON.parse(new TextDecoder().decode(value ?? undefined)) as Rejection).code);
  }
  assert.deepEqual(codes, ["unknown-schema", "undecodable", "undecodable"]);
});

Deno.test("decodedText() is the JSON of a registry's record, or undefined if it cannot be decoded", async () => {
  const rules = [{ as: "forget" as const, fields: { user: "who" } }];
  const settings = { format: "registry", registry: { url: "http://registry" }, rules } as const;
  const schema = '{"type":"record","name":"Gone","fields":[{"name":"who","type":"string"}]}';
  const source = compileSource("gone", settings, { fetch: () => Promise.resolve(Response.json({ schema })) });
  assert.equal(await decodedText(source, Uint8Array.of(0, 0, 0, 0, 1, 6, 0x61, 0x6e, 0x6e)), '{"who":"ann"}');
  assert.equal(await decodedText(source, Uint8Array.of(0, 0, 0, 0, 1, 6, 0x61)), undefined);
  const away = { fetch: () => Promise.reject(new TypeError("refused")), wait: () => Promise.resolve() };
  assert.equal(
    await decodedText(compileSource("gone", settings, away), Uint8Array.of(0, 0, 0, 0, 1, 0)),
    undefined,
  );
  assert.equal(await decodedText(compileSource("gone", { rules }), Uint8Array.of(0x7b, 0x7d)), undefined);
});

Deno.test("SchemaRegistry insists on a schema, accepts null for absent fields, and limits references", async () => {
  let calls = 0;
  const answering = (answer: (url: string) => object) => {
    calls = 0;
    return new SchemaRegistry({ url: "http://registry" }, {
      fetch: (url) => {
        calls++;
        return Promise.resolve(Response.json(answer(String(url))));
      },
    });
  };
  for (const answer of [{}, { schema: null }, { schema: 7 }]) {
    const silent = answering(() => answer);
    await assert.rejects(async () => await silent.ready(framed(1, "")), (error) => {
      assert.ok(error instanceof RegistryError, String(error));
      return /\/schemas\/ids\/1 .* registry http:\/\/registry: its answer has no schema$/.test(error.message);
    });
    const parsed = silent.read(framed(1, ""));
    assert.match(parsed.ok ? "" : parsed.reason, /was not fetched/, "nothing is kept of it");
  }
  const nulls = answering(() => ({ schema: '"int"', schemaType: null, references: null }));
  await nulls.ready(framed(1, ""));
  assert.deepEqual(nulls.read(framed(1, "\x02")), { ok: true, value: 1 });
  const schema = `"${"x".repeat(700_000)}"`;
  const flood = answering((url) => {
    const references = Array.from({ length: 50 }, (_, version) => ({ name: "n", subject: url, version }));
    return { schema, references };
  });
  await flood.ready(framed(1, ""));
  const parsed = flood.read(framed(1, ""));
  assert.match(parsed.ok ? "" : parsed.reason, /it has more than 1048576 characters, references included/);
  assert.equal(calls, 2, "the rest is not fetched");
});

Deno.test("a feeder that waits for the registry can be stopped", async () => {
  const topics = topicNames();
  const asked = Promise.withResolvers<void>();
  const source = compileSource("clicks", {
    format: "registry",
    registry: { url: "http://registry" },
    rules: [{ as: "forget", fields: { user: "user" } }],
  }, {
    fetch: () => {
      asked.resolve();
      return new Promise(() => {}); // it is slow
    },
  });
  await using log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
  await log.append([{ topic: "clicks", key: null, value: framed(1, "{}"), time: TIME }]);
  await using feeder = await TopicFeeder.open(log, topics, { log, topic: "clicks", format: source });
  const stopping = new AbortController();
  const feeding = feeder.feed({ signal: stopping.signal });
  await asked.promise;
  const stopped = assert.rejects(feeding, (error) => error === stopping.signal.reason);
  stopping.abort();
  await stopped;
});

Deno.test("a topic waits while the registry of a new schema is down: nothing is lost or rejected", async () => {
  const topics = topicNames();
  let isDown = true;
  const source = compileSource("clicks", {
    format: "registry",
    registry: { url: "http://registry" },
    rules: [{ as: "forget", fields: { user: "user" } }],
  }, {
    fetch: (url) => {
      if (isDown && String(url).endsWith("/2")) return Promise.reject(new Error("gone"));
      return Promise.resolve(Response.json({ schema: "{}", schemaType: "JSON" }));
    },
    wait: () => Promise.resolve(),
  });
  await using log = new MemoryLog();
  await log.createTopics([...topicSpecs(topics, 1), { name: "clicks", partitions: 1, cleanup: "delete" }]);
  const values = [1, 1, 2, 1].map((id, i) => framed(id, `{"user":"u${i}"}`));
  await log.append(values.map((value) => ({ topic: "clicks", key: null, value, time: TIME })));
  await using feeder = await TopicFeeder.open(log, topics, {
    log,
    topic: "clicks",
    format: source,
  });
  assert.equal(await feeder.feed(), 2, "what comes before it is taken");
  for (let i = 0; i < 2; i++) {
    await assert.rejects(() => feeder.feed(), ({ message, cause }: Error) => {
      assert.match(message, /Cannot read clicks\/0 at 2: Cannot reach the schema registry/);
      return cause instanceof RegistryError && cause.isTemporary;
    });
  }
  isDown = false;
  assert.equal(await feeder.feed(), 2);
  assert.deepEqual([feeder.events, feeder.rejected, await feeder.lag()], [4, 0, 0]);
});
