import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { WITH_ALIASES } from "../../src/users/user_codec.ts";
import { aliasesOf, namedBy, SoughtUsers } from "../../streams/service/erasure/erased_records.ts";

const record = (value: Uint8Array) => (
  { topic: "t", partition: 0, offset: 0, key: "session", value, time: 0, headers: {} }
);

Deno.test("aliasesOf() encodes each user once, and finds the users that a state names", () => {
  const states = Array.from({ length: 100 }, (_, n) => {
    const format = n % 2 === 0 ? WITH_ALIASES + n % 4 / 2 : WITH_ALIASES - 1;
    return record(new ByteWriter().u8(format).string("i1").string(`üser-${n}`).uint(3).toBytes());
  });
  const { string } = ByteWriter.prototype;
  let encodings = 0;
  ByteWriter.prototype.string = function (...args) {
    encodings++;
    return string.apply(this, args);
  };
  try {
    const usersIn = aliasesOf(Array.from({ length: 50 }, (_, n) => `üser-${n}`));
    const found = states.map((state) => usersIn(state).join());
    assert.deepEqual(found, states.map((_, n) => n < 50 && n % 2 === 0 ? `üser-${n}` : ""));
    assert.equal(encodings, 50);
  } finally {
    ByteWriter.prototype.string = string;
  }
});

Deno.test("namedBy() finds the users that events of others name, however their types are written", () => {
  const named = (text: string) => namedBy(record(new TextEncoder().encode(text)));
  assert.deepEqual(named('{"type":"alias","user":"s","of":"ann","time":1790000000000}'), ["ann"]);
  assert.deepEqual(named('{"type":"\\u0061lias","user":"s","of":"ann","time":1790000000000}'), ["ann"]);
  assert.deepEqual(named('{"type":"merge","user":"ann","from":"s","time":1790000000000,"behaviours":[]}'), [
    "s",
  ]);
  assert.deepEqual(
    named('{"type":"\\u006derge","user":"ann","from":"s","time":1790000000000,"behaviours":[]}'),
    ["s"],
  );
  assert.deepEqual(
    named('{"type":"profile","user":"alias","attributes":{"merge":1},"time":1790000000000}'),
    [],
  );
  assert.deepEqual(named('{"alias":'), []);
});

Deno.test("SoughtUsers.isIn() finds what a search for each user finds, of any length and anywhere", () => {
  const random = mulberry32(7);
  const text = (length: number) => Array.from({ length }, () => "aü"[Math.floor(2 * random())]).join("");
  for (let n = 0; n < 2000; n++) {
    const users = Array.from({ length: Math.floor(5 * random()) }, () => text(1 + Math.floor(9 * random())));
    const sought = new SoughtUsers(users), where = text(Math.floor(24 * random()));
    assert.equal(sought.isIn(where), users.some((user) => where.includes(user)), `${users} in ${where}`);
  }
});

Deno.test("SoughtUsers.isIn() takes a few slices per character, whatever the lengths of ids and text", () => {
  const users = Array.from({ length: 254 }, (_, n) => `a${"b".repeat(n)}c`);
  const [sought, text] = [
    new SoughtUsers(users),
    "ab".repeat(500) + "a".repeat(1000) + "a" + "b".repeat(999),
  ];
  const { slice } = String.prototype;
  let slices = 0;
  String.prototype.slice = function (...args) {
    slices++;
    return slice.apply(this, args);
  };
  try {
    assert.equal(sought.isIn(text), false);
    assert.ok(slices <= 9 * text.length, `${slices} slices of ${text.length} characters`);
    assert.equal(sought.isIn(`${text}a${"b".repeat(200)}c`), true);
  } finally {
    String.prototype.slice = slice;
  }
});
