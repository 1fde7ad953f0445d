import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { contextOf } from "../../src/retrieval/context.ts";
import { ItemScores } from "../../src/retrieval/item_scores.ts";
import { ItemVectors, type ItemVectorsOptions } from "../../src/retrieval/item_vectors.ts";
import { mulberry32 } from "../../src/draws/random.ts";

const MINUTE = 60_000;
const RANKS = Uint32Array.from({ length: 4000 }, (_, item) => item);

/** People who each stay among the items of one of `groups` groups. */
function learnt(options: ItemVectorsOptions, counts: { users: number; groups: number; items: number }) {
  const vectors = new ItemVectors(options);
  const random = mulberry32(1);
  let time = 0;
  for (let user = 0; user < counts.users; user++) {
    const before: { item: number; time: number }[] = [];
    for (let n = 0; n < 8; n++) {
      time += MINUTE;
      const item = user % counts.groups + counts.groups * Math.floor(random() * counts.items);
      vectors.learn({ user: `u${user}`, item, time, liked: true, context: contextOf(before), step: null });
      before.unshift({ item, time });
    }
  }
  return { vectors, time };
}

function bytesOf(vectors: ItemVectors): Uint8Array {
  const to = new ByteWriter();
  vectors.encode(to, RANKS);
  return to.toBytes();
}

Deno.test("ItemVectors.score() prefers what others did who did the same", () => {
  const { vectors, time } = learnt({ dimensions: 8 }, { users: 800, groups: 4, items: 10 });
  const scores = new ItemScores();
  vectors.score(contextOf([{ item: 1, time }, { item: 5, time: time - MINUTE }]), time, scores);
  const best = Array.from({ length: 40 }, (_, item) => item)
    .sort((a, b) => scores.get(b) - scores.get(a)).slice(0, 8);
  assert.ok(best.every((item) => item % 4 === 1), `the best are ${best}`);
  const none = new ItemScores();
  vectors.score(contextOf([{ item: 999, time }]), time, none);
  assert.equal(none.size, 0);
});

Deno.test("ItemVectors.score() finds the 200 nearest of all, exactly", () => {
  const { vectors, time } = learnt({ dimensions: 6 }, { users: 500, groups: 5, items: 300 });
  const from = new ByteReader(bytesOf(vectors));
  const [d, size] = [from.uint(), from.uint(), from.uint(), from.uint()];
  assert.ok(size! > 900);
  const items = Array.from({ length: size! }, () => [from.uint(), from.u8()][0]!);
  const [contexts, nexts] = [from.f32s(size! * d!), from.f32s(size! * d!)];
  const item = items[17]!;
  const z = items.map((_, place) => {
    let sum = 0;
    for (let k = 0; k < d!; k++) sum += contexts[17 * d! + k]! * nexts[place * d! + k]!;
    return sum;
  });
  const scores = new ItemScores();
  vectors.score(contextOf([{ item, time }]), time, scores);
  assert.equal(scores.size, 200);
  const border = z.toSorted((a, b) => b - a)[199]!;
  items.forEach((item, place) => {
    if (Math.abs(z[place]! - border) < 1e-5) return;
    const wanted = z[place]! > border ? Math.exp(z[place]!) : 0;
    assert.ok(Math.abs(scores.get(item) - wanted) < 1e-5 * (1 + wanted));
  });
});

Deno.test("ItemVectors keep to their bound, what is touched stays, and encoding changes nothing", () => {
  const vectors = new ItemVectors({ dimensions: 4, items: 50 });
  for (let n = 0; n < 3000; n++) {
    const item = n % 2 === 0 ? 7 : 100 + n % 400;
    const time = n * MINUTE;
    const context = contextOf([{ item: 7, time: time - MINUTE }]);
    vectors.learn({ user: "u", item, time, liked: true, context, step: null });
  }
  assert.equal(vectors.size, 50);
  const time = 3000 * MINUTE;
  const scores = new ItemScores();
  vectors.score(contextOf([{ item: 7, time }]), time, scores);
  assert.ok(scores.size > 0 && scores.get(299) > 0 && scores.get(179) === 0);
  const copy = new ItemVectors({ dimensions: 4, items: 50 });
  copy.decode(new ByteReader(bytesOf(vectors)), (rank) => rank);
  for (const each of [vectors, copy]) {
    const context = contextOf([{ item: 7, time }]);
    each.learn({ user: "u", item: 1234, time, liked: true, context, step: null });
  }
  assert.deepEqual(bytesOf(copy), bytesOf(vectors));
  const others = new ItemVectors({ dimensions: 5 });
  const from = new ByteReader(bytesOf(vectors));
  others.decode(from, (rank) => rank);
  assert.ok(from.done && others.size === 0);
});

Deno.test("ItemVectors without dimensions are none", () => {
  const { vectors } = learnt({}, { users: 3, groups: 1, items: 5 });
  assert.equal(vectors.size, 0);
  assert.ok(bytesOf(vectors).length < 10);
});

Deno.test("ItemVectors with an index learn the same, find nearly the same, and go on from their bytes", () => {
  const counts = { users: 8000, groups: 20, items: 200 };
  const { vectors: all } = learnt({ dimensions: 8, items: 4000 }, counts);
  const { vectors, time } = learnt({ dimensions: 8, items: 4000, exact: 500 }, counts);
  // Rank, touched, vectors and what was recent are before the index.
  const same = bytesOf(all).length - 4096;
  assert.deepEqual(bytesOf(vectors).subarray(0, same / 2), bytesOf(all).subarray(0, same / 2));
  const found = (of: ItemVectors, item: number) => {
    const scores = new ItemScores();
    of.score(contextOf([{ item, time }]), time, scores);
    return new Map(Array.from(scores.items(), (each) => [each, scores.get(each)]));
  };
  let hits = 0;
  for (let item = 0; item < 40; item++) {
    const [want, got] = [found(all, item), found(vectors, item)];
    for (const [each, score] of got) {
      const exact = want.get(each);
      if (exact !== undefined) hits++;
      assert.ok(exact === undefined || Math.abs(exact - score) < 1e-6);
    }
  }
  assert.ok(hits > 0.9 * 40 * 200, `${hits} of ${40 * 200} are found`);
  const copy = new ItemVectors({ dimensions: 8, items: 4000, exact: 500 });
  copy.decode(new ByteReader(bytesOf(vectors)), (rank) => rank);
  for (const each of [vectors, copy]) {
    for (let n = 0; n < 2000; n++) {
      const context = contextOf([{ item: n % 300, time }, { item: n % 77, time }]);
      each.learn({ user: "u", item: n * 31 % 1990, time: time + n, liked: true, context, step: null });
    }
  }
  assert.deepEqual(bytesOf(copy), bytesOf(vectors));
  assert.deepEqual(found(copy, 5), found(vectors, 5));
});
