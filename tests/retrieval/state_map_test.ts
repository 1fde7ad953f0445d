import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { contextOf } from "../../src/retrieval/context.ts";
import { ItemScores } from "../../src/retrieval/item_scores.ts";
import { ItemVectors } from "../../src/retrieval/item_vectors.ts";
import { checkStateSource, StateMap } from "../../src/retrieval/state_map.ts";
import { mulberry32 } from "../../src/draws/random.ts";

const GROUPS = 6;
const ITEMS = 300;

/** Vectors of people who each stay in a group; an item's group is its number modulo {@linkcode GROUPS}. */
function vectorsOfGroups(): ItemVectors {
  const vectors = new ItemVectors({ dimensions: 12 });
  const random = mulberry32(4);
  let time = 0;
  for (let user = 0; user < 1500; user++) {
    const before: { item: number; time: number }[] = [];
    for (let n = 0; n < 8; n++) {
      const item = user % GROUPS + GROUPS * Math.floor(random() * ITEMS / GROUPS);
      time += 60_000;
      vectors.learn({ user: `u${user}`, item, time, liked: true, context: contextOf(before), step: null });
      before.unshift({ item, time });
    }
  }
  return vectors;
}

/** A state that says which group comes next, among what says nothing. */
function stateOf(group: number, random: () => number): Float32Array {
  return Float32Array.from({ length: GROUPS + 4 }, (_, i) => (i === group ? 1 : 0) + 0.5 * (random() - 0.5));
}

function learnt(map: StateMap, steps: number): void {
  const random = mulberry32(9);
  for (let n = 0; n < steps; n++) {
    const group = Math.floor(random() * GROUPS);
    const item = group + GROUPS * Math.floor(random() * ITEMS / GROUPS);
    assert.ok(map.learn(stateOf(group, random), item));
  }
}

function bytesOf(map: StateMap): Uint8Array {
  const to = new ByteWriter();
  map.encode(to);
  return to.toBytes();
}

Deno.test("StateMap.score() finds the items that come after such a state", () => {
  const map = new StateMap(vectorsOfGroups());
  learnt(map, 3000);
  const random = mulberry32(10);
  for (let group = 0; group < GROUPS; group++) {
    const scores = new ItemScores();
    map.score(stateOf(group, random), scores);
    const best = scores.best(ITEMS / GROUPS, () => true);
    const right = best.filter((item) => item % GROUPS === group).length;
    assert.ok(right > 0.8 * best.length, `${right} of ${best.length} are of group ${group}`);
  }
});

Deno.test("StateMap goes on from its bytes as if it had never stopped; one to other vectors is left out", () => {
  const vectors = vectorsOfGroups();
  const map = new StateMap(vectors);
  assert.deepEqual(bytesOf(map), bytesOf(new StateMap(vectors)));
  learnt(map, 200);
  const copy = new StateMap(vectors);
  copy.decode(new ByteReader(bytesOf(map)));
  for (const each of [map, copy]) learnt(each, 100);
  assert.deepEqual(bytesOf(copy), bytesOf(map));
  const other = new StateMap(new ItemVectors({ dimensions: 4 }));
  const from = new ByteReader(bytesOf(map));
  other.decode(from);
  assert.ok(from.done && other.steps === 0);
});

Deno.test("StateMap begins anew with states of another length, and learns nothing from what is no number or no vector", () => {
  const map = new StateMap(vectorsOfGroups());
  const scores = new ItemScores();
  map.score(new Float32Array(10).fill(1), scores);
  assert.equal(scores.size, 0);
  learnt(map, 50);
  const before = bytesOf(map);
  assert.equal(map.learn(new Float32Array(10).fill(NaN), 3), false);
  assert.equal(map.learn(new Float32Array(10).fill(1), 5000), false);
  assert.deepEqual(bytesOf(map), before);
  map.score(new Float32Array(4).fill(1), scores);
  assert.equal(scores.size, 0);
  assert.ok(map.learn(new Float32Array(4).fill(1), 3));
  assert.equal(map.steps, 1);
});

Deno.test("checkStateSource() says what is missing", () => {
  const on = { state: { learnEvery: 2 }, vectors: { dimensions: 8 } };
  checkStateSource({});
  checkStateSource({ state: { learnEvery: 0 } }, { model: "base", stateSize: 0 });
  checkStateSource(on, { model: "dien", stateSize: 32 });
  assert.throws(() => checkStateSource({ state: on.state }), {
    name: "RangeError",
    message: "Cannot search with users' states (state.learnEvery is 2): vectors.dimensions is 0",
  });
  assert.throws(() => checkStateSource(on, { model: "base", stateSize: 0 }), {
    name: "RangeError",
    message:
      "Cannot search with users' states (state.learnEvery is 2): the model base has none, dien and mimn have",
  });
});
