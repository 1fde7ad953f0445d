import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { CategoryTransitions } from "../../src/retrieval/category_transitions.ts";

const DAY = 86_400_000;

Deno.test("CategoryTransitions.after() says which categories come with one, in both directions", () => {
  const transitions = new CategoryTransitions(7 * DAY);
  for (let n = 0; n < 30; n++) transitions.learn("shoes", "socks", 0);
  for (let n = 0; n < 10; n++) transitions.learn("hats", "shoes", 0);
  for (let n = 0; n < 40; n++) transitions.learn("shoes", "shoes", 0);
  const stay = 41 / 82;
  assert.ok(Math.abs(transitions.stay(0) - stay) < 1e-12);
  const [first, second, ...others] = transitions.after("shoes", 0, 5);
  assert.deepEqual([first?.category, second?.category, others.length], ["socks", "hats", 0]);
  assert.ok(Math.abs(first!.share - (1 - stay) * 30 / 60) < 1e-12);
  assert.ok(Math.abs(second!.share - (1 - stay) * 10 / 60) < 1e-12);
  assert.deepEqual(transitions.after("shoes", 0, 1).map(({ category }) => category), ["socks"]);
  assert.deepEqual(transitions.after("hats", 0, 5).map(({ category }) => category), ["shoes"]);
  assert.deepEqual(transitions.after("gloves", 0, 5), []);
});

Deno.test("CategoryTransitions forgets by half-lives, and what is left says less", () => {
  const transitions = new CategoryTransitions(DAY);
  assert.equal(transitions.stay(0), 0.5);
  for (let n = 0; n < 40; n++) transitions.learn("a", "b", 0);
  assert.ok(Math.abs(transitions.after("a", 0, 1)[0]!.share - 41 / 42 * 40 / 60) < 1e-12);
  assert.ok(Math.abs(transitions.after("a", DAY, 1)[0]!.share - 21 / 22 * 20 / 40) < 1e-12);
});

Deno.test("CategoryTransitions keeps 2,048 categories with the 64 most frequent others, and encodes them", () => {
  const transitions = new CategoryTransitions(DAY);
  for (let n = 99; n >= 0; n--) {
    for (let k = 0; k <= n; k++) transitions.learn("hub", `rim${n}`, 0);
  }
  const rim = transitions.after("hub", 0, 100).map(({ category }) => category);
  assert.deepEqual(rim, Array.from({ length: 64 }, (_, k) => `rim${99 - k}`));
  for (let n = 0; n < 3000; n++) transitions.learn(`x${n}`, `y${n}`, 200);
  assert.deepEqual(transitions.after("hub", 200, 1), []);
  const kept = Array.from({ length: 3000 }, (_, n) => [`x${n}`, `y${n}`]).flat()
    .filter((category) => transitions.after(category, 200, 1).length > 0);
  assert.equal(kept.length, 2048);
  assert.ok(kept.includes("x2999") && kept[0] === "x1976");

  const bytes = (of: CategoryTransitions) => {
    const to = new ByteWriter();
    of.encode(to);
    return to.toBytes();
  };
  const copy = new CategoryTransitions(DAY);
  copy.decode(new ByteReader(bytes(transitions)));
  assert.deepEqual(bytes(copy), bytes(transitions));
});
