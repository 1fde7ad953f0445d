import assert from "node:assert/strict";
import fc from "fast-check";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { ItemScores } from "../../../src/retrieval/items/item_scores.ts";
import { LinearItems, solveInPlace } from "../../../src/retrieval/sources/linear_items.ts";
import { Neighbours, TOGETHER } from "../../../src/retrieval/folds/neighbours.ts";

const byId = (a: number, b: number) => a - b;

Deno.test("solveInPlace() solves symmetric positive definite systems, and reads only their upper half", () => {
  const entry = fc.integer({ min: -10, max: 10 });
  const system = fc.integer({ min: 1, max: 8 }).chain((n) =>
    fc.tuple(
      fc.array(entry, { minLength: n * n, maxLength: n * n }),
      fc.array(entry, { minLength: n, maxLength: n }),
    )
  );
  fc.assert(fc.property(system, ([root, x]) => {
    const n = x.length;
    const at = (i: number, j: number) => {
      let sum = i === j ? 1 : 0;
      for (let k = 0; k < n; k++) sum += root[i * n + k]! * root[j * n + k]!;
      return sum;
    };
    const b = Float64Array.from(x, (_, i) => x.reduce((sum, value, j) => sum + at(i, j) * value, 0));
    const a = Float64Array.from({ length: n * n }, (_, k) => {
      const [i, j] = [Math.floor(k / n), k % n];
      return j < i ? NaN : at(i, j);
    });
    solveInPlace(a, b);
    x.forEach((value, i) => assert.ok(Math.abs(b[i]! - value) < 1e-6, `${b[i]} is not ${value}`));
  }));
});

Deno.test("LinearItems.learn() solves the ridge regression of an item on those liked with it more than once", () => {
  const person = fc.uniqueArray(fc.nat(8), { minLength: 1, maxLength: 9 });
  fc.assert(fc.property(fc.array(person, { minLength: 1, maxLength: 40 }), (people) => {
    const neighbours = new Neighbours({ halfLifeMs: 3_600_000 });
    let time = 0;
    for (const items of people) {
      items.forEach((item, k) => {
        time += 60_000;
        const context = contextOf(items.slice(0, k).reverse().map((item) => ({ item, time })));
        neighbours.learn({ user: "u", item, time, liked: true, wanted: true, context, step: null }, byId);
      });
    }
    const { rows } = neighbours, unit = neighbours.unit(time);
    const together = (a: number, b: number) => rows.get(a, b, TOGETHER) / unit;
    for (let item = 0; item < 9; item++) {
      const linear = new LinearItems(neighbours);
      const signal = { user: "u", item, time, liked: true, wanted: true, context: contextOf([]), step: null };
      linear.learn(signal, byId);
      const isDue = neighbours.liked(item) / unit >= 2;
      const others = Array.from({ length: 9 }, (_, other) => other)
        .filter((other) => isDue && other !== item && together(item, other) >= 1.5);
      const n = others.length;
      const a = Float64Array.from({ length: n * n }, (_, at) => {
        const [i, j] = [others[Math.floor(at / n)]!, others[at % n]!];
        return i === j ? neighbours.liked(i) / unit + 50 : together(i, j);
      });
      const want = Float64Array.from(others, (other) => together(item, other));
      solveInPlace(a, want);
      for (let other = 0; other < 9; other++) {
        const scores = new ItemScores();
        linear.score(contextOf([{ item: other, time }]), scores);
        const weight = Math.max(0, want[others.indexOf(other)] ?? 0);
        assert.ok(Math.abs(scores.get(item) - weight) < 1e-6, `${scores.get(item)} is not ${weight}`);
      }
    }
  }));
});

Deno.test("LinearItems.score() credits the item that another comes with, not that item's companions", () => {
  const neighbours = new Neighbours();
  const linear = new LinearItems(neighbours);
  let time = 0;
  // 2 always comes with 1; 3 comes with 1 often, and then 2 is there too.
  for (let n = 0; n < 400; n++) {
    const items = n % 2 === 0 ? [1, 3, 2] : [1, 2];
    items.forEach((item, k) => {
      time += 1000;
      const context = contextOf(items.slice(0, k).reverse().map((item) => ({ item, time })));
      const signal = { user: `u${n}`, item, time, liked: true, wanted: true, context, step: null };
      neighbours.learn(signal, byId);
      linear.learn(signal, byId);
    });
  }
  const of = (item: number) => {
    const scores = new ItemScores();
    linear.score(contextOf([{ item, time }]), scores);
    return scores.get(2);
  };
  assert.ok(of(1) > 0.5, `1 predicts 2 with ${of(1)}`);
  assert.ok(of(3) < 0.5 * of(1), `3 predicts 2 with ${of(3)}`);
});

Deno.test("LinearItems.learn() follows a change in what an item is liked with, however long it was stable", () => {
  for (const halfLives of [4, 40, 400]) {
    const neighbours = new Neighbours({ halfLifeMs: 3_600_000 });
    const linear = new LinearItems(neighbours);
    let time = 0;
    const visit = (items: readonly number[]) => {
      items.forEach((item, k) => {
        time += 10_000;
        const context = contextOf(items.slice(0, k).reverse().map((item) => ({ item, time })));
        const signal = { user: "u", item, time, liked: true, wanted: true, context, step: null };
        neighbours.learn(signal, byId);
        linear.learn(signal, byId);
      });
    };
    const predicts = (item: number) => {
      const scores = new ItemScores();
      linear.score(contextOf([{ item, time }]), scores);
      return scores.get(1);
    };
    for (let n = 0; n < 180 * halfLives; n++) visit([2, 1]);
    assert.ok(predicts(2) > 0.5, `after ${halfLives} half-lives 2 predicts 1 with ${predicts(2)}`);
    for (let n = 0; n < 180 * 4; n++) visit([3, 1]);
    const [old, recent] = [predicts(2), predicts(3)];
    assert.ok(recent > 0.5 && old < recent, `after ${halfLives}: 3 predicts 1 with ${recent}, 2 with ${old}`);
  }
});

Deno.test("LinearItems.score() stays bounded when a user comes back to the same items again and again", () => {
  const neighbours = new Neighbours();
  const linear = new LinearItems(neighbours);
  let time = 0;
  let before: { item: number; time: number }[] = [];
  for (let n = 0; n < 2000; n++) {
    time += 1000;
    const item = (n * n + (n >> 3)) % 11;
    const signal = {
      user: "u",
      item,
      time,
      liked: true,
      wanted: true,
      context: contextOf(before),
      step: null,
    };
    neighbours.learn(signal, byId);
    linear.learn(signal, byId);
    before = [{ item, time }, ...before].slice(0, 40);
  }
  for (let item = 0; item < 11; item++) {
    const scores = new ItemScores();
    linear.score(contextOf([{ item, time }]), scores);
    for (const other of scores.items()) assert.ok(scores.get(other) <= 1, `${scores.get(other)}`);
  }
});
