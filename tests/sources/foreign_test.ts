import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { JsonSplitter } from "../../streams/sources/json_values.ts";
import { type Format, openSource } from "../../streams/sources/open.ts";
import type { SourceRecord } from "../../streams/sources/source.ts";

const TIME = 1_700_000_000_000;
const encoder = new TextEncoder();

async function read(format: Format, files: Readonly<Record<string, string | Uint8Array>>, name = "") {
  const folder = await Deno.makeTempDir();
  try {
    for (const [file, content] of Object.entries(files)) {
      const bytes = typeof content === "string" ? encoder.encode(content) : content;
      await Deno.writeFile(`${folder}/${file}`, bytes);
    }
    return (await Array.fromAsync(openSource(format, `${folder}/${name}`))).map(brief);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A record in short: its file and line, what it is, when it is. */
function brief(record: SourceRecord): string {
  const place = `${record.file.replace(/^.*\//, "")}:${record.line}`;
  if (record.kind === "rejected") return `${place} rejected ${record.rejection.code}`;
  const at = (time: number) => `@${(time - TIME) / 1000}`;
  if (record.kind === "item") return `${place} item ${record.item.item} ${at(record.item.time)}`;
  const { event } = record;
  const what = event.type === "interaction" ? `${event.action} ${event.item}` : event.type;
  return `${place} ${event.user} ${what} ${at(event.time)}`;
}

const click = (item: string, at = 0) =>
  JSON.stringify({
    event: "interaction",
    id: `e${item}`,
    user: "u",
    timestamp: TIME + at,
    item,
    type: "click",
  });

Deno.test("openSource() reads Metarank as JSON lines, as a list or gzipped, and rejects broken records", async () => {
  const lines = [click("a"), '{"event":"click"}', click("b"), '{"event":'];
  const wanted = (file: string) => [
    `${file}:1 u click a @0`,
    `${file}:2 rejected malformed-row`,
    `${file}:3 u click b @0`,
    `${file}:4 rejected truncated-json`,
  ];
  const jsonl = lines.join("\n");
  assert.deepEqual(await read("metarank", { "a.jsonl": jsonl }, "a.jsonl"), wanted("a.jsonl"));
  assert.deepEqual(
    await read("metarank", { "a.jsonl.gz": new Uint8Array(gzipSync(jsonl)) }, "a.jsonl.gz"),
    wanted("a.jsonl.gz"),
  );
  const list = `[${lines.slice(0, 3).join(",\n")}\n]\n`;
  assert.deepEqual(await read("metarank", { "a.json": list }, "a.json"), wanted("a.json").slice(0, 3));
  const folder = { "2.json": `[${click("b")}]`, "1.jsonl": click("a"), "notes.txt": "x" };
  assert.deepEqual(await read("metarank", folder), ["1.jsonl:1 u click a @0", "2.json:1 u click b @0"]);
  await assert.rejects(read("metarank", { "notes.txt": "x" }), Deno.errors.NotFound);
});

Deno.test("openSource() reads a dump of Gorse in the order of time, users first", async () => {
  const feedback = [
    "feedback_type,user_id,item_id,time_stamp",
    "read,u2,i1,2023-11-14 22:13:30 +0000 UTC",
    "star,u1,i1,2023-11-14 22:13:20 +0000 UTC",
    "star,u1",
    "star,,i1,2023-11-14 22:13:20 +0000 UTC",
  ].join("\r\n");
  const items = [
    { ItemId: "i1", Timestamp: "2023-11-14T22:13:25Z", IsHidden: false, Categories: [], Labels: null },
    { ItemId: "i2", Timestamp: "0001-01-01T00:00:00Z" },
  ].map((item) => JSON.stringify(item)).join("\n");
  const users = 'user_id,labels\r\nu1,"{""city"":""Oslo""}"\r\n';
  assert.deepEqual(
    await read("gorse", { "users.csv": users, "items.jsonl": items, "feedback.csv": feedback }),
    [
      "feedback.csv:4 rejected malformed-row",
      "feedback.csv:5 rejected malformed-row",
      "users.csv:2 u1 profile @0",
      "items.jsonl:2 item i2 @0",
      "feedback.csv:3 u1 star i1 @0",
      "items.jsonl:1 item i1 @5",
      "feedback.csv:2 u2 impression @10",
    ],
  );
  await assert.rejects(read("gorse", { "other.csv": "a" }), Deno.errors.NotFound);
});

Deno.test("openSource() reads behaviours of EasyRec as CSV and JSON, in the order of time", async () => {
  const rows = [
    "request_id,user_id,item_id,event_type,event_time,duration",
    "r1,u,b,click,1700000003,",
    "r1,u,b,exposure,1700000001,",
    "r1,u,b,exposure,never,",
  ].join("\n");
  assert.deepEqual(await read("easyrec", { "log.csv": rows }, "log.csv"), [
    "log.csv:4 rejected malformed-row",
    "log.csv:3 u impression @1",
    "log.csv:2 u click b @3",
  ]);
  const json = '{"request_id":"r","user_id":1,"item_id":2,"event_type":"buy","event_time":1700000000}';
  assert.deepEqual(await read("easyrec", { "log.jsonl": json }, "log.jsonl"), [
    "log.jsonl:1 1 purchase 2 @0",
  ]);
  await assert.rejects(read("easyrec", { "log.csv": "user_id\n1\n" }, "log.csv"), SyntaxError);
});

/** The records of a text that arrives in chunks of these sizes. */
function split(text: string, sizes: readonly number[]): string[] {
  const bytes = encoder.encode(text);
  const splitter = new JsonSplitter();
  const found = [];
  let at = 0;
  for (const size of sizes) {
    found.push(...splitter.push(bytes.subarray(at, at + size)));
    at += size;
  }
  found.push(...splitter.push(bytes.subarray(at)), ...splitter.end());
  return found.map(({ number, bytes, rejected }) =>
    `${number}: ${rejected?.code ?? new TextDecoder().decode(bytes).trim()}`
  );
}

Deno.test("JsonSplitter splits lists, however the bytes are chunked", () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom("]", ',"', "[{", "\\"));
  const space = fc.constantFrom("", " ", "\n", "\r\n");
  const text = fc.tuple(fc.array(fc.tuple(value, space)), space).map(([values, before]) => {
    const entries = values.map(([value, space]) => `${space}${JSON.stringify(value)}${space}`);
    return { text: `${before}[${entries.join(",")}]`, count: values.length };
  });
  fc.assert(fc.property(text, fc.array(fc.nat(6), { maxLength: 50 }), ({ text, count }, sizes) => {
    const whole = split(text, []);
    assert.equal(whole.length, count);
    assert.deepEqual(split(text, sizes), whole);
  }));
});

Deno.test("JsonSplitter splits lines, several lists, and lists that break off", () => {
  assert.deepEqual(split('\ufeff\n[1,\n"a]",[2]]\n[{}]\n', [1, 1, 1, 1]), [
    "2: 1",
    '3: "a]"',
    "3: [2]",
    "4: {}",
  ]);
  assert.deepEqual(split('{"a":1}\n\n[2]\n', []), ['1: {"a":1}', "3: [2]"]);
  assert.deepEqual(split("[1, {", []), ["1: 1", "1: truncated-json"]);
  assert.deepEqual(split("[1,", []), ["1: 1", "1: truncated-json"]);
  assert.deepEqual(split("[]", []), []);
  assert.deepEqual(split("[1] x\n", []), ["1: 1", "1: x"]);
  assert.deepEqual(split(" \n", []), []);
  const long = `["${"x".repeat(1 << 20)}", 1]`;
  assert.deepEqual(split(long, [1 << 19]), ["1: too-large", "1: 1"]);
});
