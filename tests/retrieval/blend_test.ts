import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Blend } from "../../src/retrieval/blend.ts";
import { mulberry32 } from "../../src/draws/random.ts";

/** A blend of features a, b, c, ... that begins with these weights. */
function blendOf(weights: readonly number[], groups = 0): Blend {
  return new Blend(weights.map((weight, f) => ({ name: "abcde"[f]!, weight })), groups);
}

Deno.test("Blend.learn() takes twice a Newton step along the log-likelihood with its prior", () => {
  const values = Float64Array.of(1, 0, 0, 1, 0.5, 2);
  const features = { count: 3, values, groups: [] };
  const logLikelihood = (w: readonly number[]) => {
    const scores = blendOf(w).score(features);
    return scores[1]! - Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
  };
  const start = [0.3, -0.2];
  const blend = blendOf(start);
  blend.learn(features, 1);
  // By differences: gradient and curvature of the log-likelihood, and a prior precision of 20 per weight.
  const E = 1e-4;
  const at = (x: number, y: number) => logLikelihood([start[0]! + x, start[1]! + y]);
  const gradient = [(at(E, 0) - at(-E, 0)) / (2 * E), (at(0, E) - at(0, -E)) / (2 * E)];
  const a = 20 - (at(E, 0) - 2 * at(0, 0) + at(-E, 0)) / E ** 2;
  const d = 20 - (at(0, E) - 2 * at(0, 0) + at(0, -E)) / E ** 2;
  const b = -(at(E, E) - at(E, -E) - at(-E, E) + at(-E, -E)) / (4 * E ** 2);
  const step = [
    2 * (d * gradient[0]! - b * gradient[1]!) / (a * d - b * b),
    2 * (a * gradient[1]! - b * gradient[0]!) / (a * d - b * b),
  ];
  for (const f of [0, 1]) {
    assert.ok(
      Math.abs(blend.weights[f]! - start[f]! - step[f]!) < 1e-5,
      `${blend.weights[f]! - start[f]!} ${step[f]}`,
    );
  }
});

Deno.test("Blend.learn() follows preferences that change, however long they were different", () => {
  const random = mulberry32(9);
  const blend = blendOf([0, 0]);
  for (const truth of [[1, -1], [-1, 1]]) {
    for (let n = 0; n < 15_000; n++) {
      const features = {
        count: 4,
        values: Float64Array.from({ length: 8 }, () => 2 * random() - 1),
        groups: [],
      };
      const odds = blendOf(truth).score(features).map(Math.exp);
      let draw = random() * odds.reduce((sum, each) => sum + each);
      blend.learn(features, odds.findIndex((each) => (draw -= each) < 0));
    }
    for (const f of [0, 1]) {
      assert.ok(Math.abs(blend.weights[f]! - truth[f]!) < 0.25, `${[...blend.weights]}`);
    }
  }
});

Deno.test("Blend.learn() learns separate weights for what makes a user come back to an item", () => {
  // Column b marks what the user had: there a large a repels, elsewhere it attracts.
  const random = mulberry32(4);
  const blend = blendOf([0, 0]);
  for (let n = 0; n < 10_000; n++) {
    const values = Float64Array.from(
      { length: 12 },
      (_, at) => at % 2 === 0 ? random() : at % 4 === 1 ? 1 : 0,
    );
    const features = { count: 6, values, groups: [], returns: 1 };
    const odds = Float64Array.from({ length: 6 }, (_, c) => {
      const had = values[2 * c + 1] === 1;
      return Math.exp((had ? -2 : 2) * values[2 * c]! + (had ? 1 : 0));
    });
    let draw = random() * odds.reduce((sum, each) => sum + each);
    blend.learn(features, odds.findIndex((each) => (draw -= each) < 0));
  }
  const [wanted, own] = [blend.weights, blend.returnWeights];
  assert.ok(Math.abs(wanted[0]! - 2) < 0.3 && wanted[1] === 0, `${[...wanted]}`);
  assert.ok(Math.abs(own[0]! + 2) < 0.3 && Math.abs(own[1]! - 1) < 0.3, `${[...own]}`);
});

Deno.test("Blend.learn() finds the weights that choices were drawn with", () => {
  const truth = blendOf([2, -1, 0]);
  const blend = blendOf([0, 0, 0]);
  const random = mulberry32(1);
  for (let n = 0; n < 20_000; n++) {
    const features = {
      count: 5,
      values: Float64Array.from({ length: 15 }, () => 2 * random() - 1),
      groups: [],
    };
    const odds = truth.score(features).map(Math.exp);
    let draw = random() * odds.reduce((a, b) => a + b);
    blend.learn(features, odds.findIndex((x) => (draw -= x) < 0));
  }
  for (const [f, w] of [2, -1, 0].entries()) {
    assert.ok(Math.abs(blend.weights[f]! - w) < 0.15, `weight ${f} is ${blend.weights[f]}`);
  }
});

Deno.test("Blend.learn() finds what groups have in common, and where they differ", () => {
  const shared = 1;
  const own = [1.5, -1.5];
  const blend = blendOf([0, 0], 2);
  const random = mulberry32(2);
  for (let n = 0; n < 20_000; n++) {
    const group = n % 2;
    const features = {
      count: 5,
      values: Float64Array.from({ length: 10 }, () => 2 * random() - 1),
      groups: [group],
    };
    const truth = blendOf([shared, own[group]!]);
    const odds = truth.score({ ...features, groups: [] }).map(Math.exp);
    let draw = random() * odds.reduce((a, b) => a + b);
    blend.learn(features, odds.findIndex((x) => (draw -= x) < 0));
  }
  for (const group of [0, 1]) {
    const [a, b] = blend.weightsOf([group]);
    assert.ok(
      Math.abs(a! - shared) < 0.2 && Math.abs(b! - own[group]!) < 0.2,
      `${a} and ${b} in group ${group}`,
    );
  }
  assert.ok(Math.abs(blend.weights[1]!) < 0.3);
});

Deno.test("Blend.learn() finds weights that add up over the groups a choice belongs to", () => {
  const own = [[1.5, 0], [-0.5, 0], [0, 1], [0, -1]];
  const blend = blendOf([0, 0], 4);
  const random = mulberry32(3);
  for (let n = 0; n < 30_000; n++) {
    const groups = [n % 2, 2 + Math.floor(2 * random())];
    const values = Float64Array.from({ length: 10 }, () => 2 * random() - 1);
    const truth = blendOf([0, 1].map((f) => own[groups[0]!]![f]! + own[groups[1]!]![f]!));
    const odds = truth.score({ count: 5, values, groups: [] }).map(Math.exp);
    let draw = random() * odds.reduce((a, b) => a + b);
    blend.learn({ count: 5, values, groups }, odds.findIndex((x) => (draw -= x) < 0));
  }
  for (const groups of [[0, 2], [0, 3], [1, 2], [1, 3]]) {
    const [a, b] = blend.weightsOf(groups);
    const [x, y] = [0, 1].map((f) => own[groups[0]!]![f]! + own[groups[1]!]![f]!);
    assert.ok(Math.abs(a! - x!) < 0.25 && Math.abs(b! - y!) < 0.25, `${a} and ${b} in ${groups}`);
  }
});

Deno.test("Blend.learn() keeps its weights finite and goes on learning, whatever the value of a feature", () => {
  for (const odd of [NaN, Infinity, -Infinity]) {
    const blend = blendOf([1, 2], 2);
    blend.learn({ count: 2, values: Float64Array.of(odd, 1, 0, 3), groups: [1] }, 1);
    blend.learn({ count: 2, values: Float64Array.of(1, 0, 0, 1), groups: [1] }, 1);
    assert.ok(blend.weightsOf([1]).every(Number.isFinite), `after ${odd}`);
    assert.notDeepEqual([...blend.weights].slice(0, 2), [1, 2], "it goes on learning");
  }
});

Deno.test("Blend.decode() takes weights by the names of features, whichever have come and gone since", () => {
  const learnt = blendOf([1, 2, 3], 2);
  const random = mulberry32(3);
  for (let n = 0; n < 50; n++) {
    const values = Float64Array.from({ length: 15 }, () => 2 * random() - 1);
    learnt.learn({ count: 5, values, groups: [n % 2] }, n % 5);
  }
  const read = (names: string, groups: number) => {
    const to = new ByteWriter();
    learnt.encode(to);
    const blend = new Blend([...names].map((name) => ({ name, weight: 7 })), groups);
    const from = new ByteReader(to.toBytes());
    blend.decode(from);
    assert.ok(from.done);
    return blend;
  };
  const sets = (blend: Blend) => [[], [0], [1]].map((set) => [...blend.weightsOf(set)]);
  assert.deepEqual(sets(read("abc", 2)), sets(learnt));
  const other = read("cxa", 2);
  assert.deepEqual(sets(other), sets(learnt).map(([a, , c]) => [c, 7, a]));
  assert.equal(other.steps, learnt.steps);
  // One with a further feature learns the same while that feature is 0.
  const more = read("bxca", 2);
  const rows = [[1, 0, 2], [0, 3, -1]] as const;
  learnt.learn({ count: 2, values: Float64Array.from(rows.flat()), groups: [1] }, 0);
  more.learn(
    { count: 2, values: Float64Array.from(rows.flatMap(([a, b, c]) => [b, 0, c, a])), groups: [1] },
    0,
  );
  for (const [set, [b, x, c, a]] of sets(more).entries()) {
    const near = [a, b, c].every((w, f) => Math.abs(w! - sets(learnt)[set]![f]!) < 1e-6);
    assert.ok(near && x === 7, `${sets(more)[set]} ${sets(learnt)[set]}`);
  }
  const regrouped = read("abc", 3);
  assert.deepEqual([[...regrouped.weights], regrouped.steps], [[7, 7, 7], 0]);
});
