import assert from "node:assert/strict";
import type { Attributes } from "../../src/events/event.ts";
import { EntryCheck } from "../../src/mapping/entry_check.ts";
import { knownNames, parseConfig } from "../../streams/config/config.ts";

const TIME = 1_700_000_000_000;
const names = (config: object = {}) => knownNames(parseConfig(JSON.stringify(config), "meander.json"));

/** Codes and sentences of warnings about items, by a check that has seen those before. */
function itemsOf(check: EntryCheck) {
  return (attributes: Attributes | undefined, more: object = {}) =>
    check.find({ kind: "item", item: { item: "i", time: TIME, ...(attributes && { attributes }), ...more } });
}

const act = (check: EntryCheck, action: string) =>
  check.find({ kind: "event", event: { type: "interaction", user: "u", item: "i", time: TIME, action } });

Deno.test("EntryCheck finds nothing in records that do what they were meant to", () => {
  const check = new EntryCheck(names({ features: { itemFields: ["brand", "vector[2]"] } }));
  const item = itemsOf(check);
  const full = { category: "c", categories: ["c"], title: "t", hidden: false, expires: TIME };
  for (let n = 0; n < 3; n++) {
    assert.deepEqual(item({ brand: "Alp", price: n, sale: true, tags: ["a"], vector: [1, 2] }, full), []);
    assert.deepEqual(item(undefined), []);
  }
  assert.deepEqual(item({ brand: "Alp" }, { supplier: { id: 7 } }), [], "an object cannot be an attribute");
  for (const action of ["click", "view", "purchase"]) assert.deepEqual(act(check, action), []);
  const profile = { type: "profile", id: "e1", user: "u", time: TIME, attributes: { city: "Oslo" } } as const;
  assert.deepEqual(check.find({ kind: "event", event: profile }), []);
  assert.deepEqual(
    check.find({ kind: "item", item: { item: "i", time: TIME }, isRemoved: true }),
    [],
  );
});

Deno.test("EntryCheck finds scalars and lists beside the attributes of items and profiles", () => {
  const check = new EntryCheck(names());
  const item = itemsOf(check);
  const [price, tags, ...more] = item({ brand: "Alp" }, { price: 9.5, tags: ["a"] });
  assert.deepEqual([price?.code, tags?.code, more.length], ["unread-field", "unread-field", 0]);
  assert.match(price?.warning ?? "", /^nothing reads the field "price" there: .* move it into attributes$/);
  const profile = { type: "profile", user: "u", time: TIME, attributes: {}, city: "Oslo" } as const;
  assert.match(check.find({ kind: "event", event: profile })[0]?.warning ?? "", /"city"/);
});

Deno.test("EntryCheck finds attributes of another type than in most items before", () => {
  const item = itemsOf(new EntryCheck(names()));
  assert.deepEqual(item({ price: 9.5 }), []);
  const [warning, ...more] = item({ price: "10,99" });
  assert.deepEqual([warning?.code, more.length], ["other-type", 0]);
  assert.match(
    warning?.warning ?? "",
    /^attribute "price" is a text, and a number in an earlier item: filters/,
  );
  assert.deepEqual(item({ price: 7 }), [], "it is what most have");
  assert.match(item({ price: ["7"] })[0]?.warning ?? "", /is a list, and a number in 2 earlier items/);
  for (let n = 0; n < 5; n++) item({ price: "1" });
  assert.deepEqual(item({ price: "1" }), [], "most are texts by now");
});

Deno.test("EntryCheck finds vectors that tasks will reject", () => {
  const item = itemsOf(new EntryCheck(names({ features: { itemFields: ["vector[3]"] } })));
  assert.deepEqual(item({ vector: [1, 2, 3] }), []);
  const [warning] = item({ vector: [1, 2] });
  assert.equal(warning?.code, "will-be-rejected");
  assert.match(warning.warning, /^tasks will reject it: .*vector of the item as a list of 3 numbers/);
});

Deno.test("EntryCheck finds actions that change nothing, each time", () => {
  const check = new EntryCheck(names({ actions: { save: { positive: true, strength: 1 } } }));
  assert.deepEqual(act(check, "save"), []);
  for (let n = 0; n < 2; n++) {
    const [warning] = act(check, "clik");
    assert.equal(warning?.code, "unknown-action");
    assert.match(
      warning.warning,
      /"clik" has no entry under actions, so it changes nothing; did you mean click\?$/,
    );
  }
});

Deno.test("EntryCheck's warnings are few and short, and what it remembers is bounded, whatever comes", () => {
  const check = new EntryCheck(names());
  const item = itemsOf(check);
  const wild = Object.fromEntries(
    Array.from({ length: 1000 }, (_, n) => [`\u202e${n}${"x".repeat(1000)}`, n]),
  );
  const found = item(undefined, wild);
  assert.equal(found.length, 5);
  for (const { warning } of found) assert.ok(warning.length < 300 && !warning.includes("\u202e"), warning);
  for (let n = 0; n < 3000; n++) item({ [`a${n}`]: 1 });
  assert.deepEqual(item({ a2000: "text" }), [], "it has been forgotten");
  assert.equal(item({ a20: "text" })[0]?.code, "other-type");
  assert.ok((act(check, "z".repeat(64))[0]?.warning.length ?? 0) < 300);
});
