import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteReader } from "../../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import type { Signal } from "../../../src/retrieval/signals/signal.ts";
import { ItemScores } from "../../../src/retrieval/items/item_scores.ts";
import { LinearItems } from "../../../src/retrieval/sources/linear_items.ts";
import { atOnce } from "../../../src/values/portions.ts";
import { Neighbours, TOGETHER } from "../../../src/retrieval/sources/neighbours.ts";

const byId = (a: number, b: number) => a - b;

/** Solves A x = b for a symmetric positive definite A by elimination; b becomes x, A is overwritten. */
function solveInPlace(a: Float64Array, b: Float64Array): void {
  const n = b.length;
  for (let p = 0; p < n; p++) {
    for (let i = p + 1; i < n; i++) {
      const factor = a[i * n + p]! / a[p * n + p]!;
      for (let j = p; j < n; j++) a[i * n + j] = a[i * n + j]! - factor * a[p * n + j]!;
      b[i] = b[i]! - factor * b[p]!;
    }
  }
  for (let p = n - 1; p >= 0; p--) {
    let sum = b[p]!;
    for (let j = p + 1; j < n; j++) sum -= a[p * n + j]! * b[j]!;
    b[p] = sum / a[p * n + p]!;
  }
}

/** A like, and the likes before it, newest first. */
const like = (item: number, time: number, before: readonly number[] = []): Signal => ({
  user: "u",
  item,
  time,
  liked: true,
  wanted: true,
  context: contextOf(before.map((item) => ({ item, time }))),
  step: null,
});

/** The score that liking an item gives another one. */
function weightOf(linear: LinearItems, by: number, item: number): number {
  const scores = new ItemScores();
  linear.score(contextOf([{ item: by, time: 0 }]), scores);
  return scores.get(item);
}

/** Likes of some items each, by people who come one after the other. */
const people = fc.array(fc.uniqueArray(fc.nat(12), { minLength: 1, maxLength: 13 }), {
  minLength: 20,
  maxLength: 60,
});

Deno.test("LinearItems.learn() solves the ridge regression of each item on all others that are liked often", () => {
  fc.assert(fc.property(people, (people) => {
    const neighbours = new Neighbours({ halfLifeMs: 3_600_000 });
    const linear = new LinearItems(neighbours);
    let time = 0;
    for (const items of people) {
      items.forEach((item, k) =>
        neighbours.learn(like(item, time += 60_000, items.slice(0, k).reverse()), byId)
      );
    }
    const { rows } = neighbours, unit = neighbours.unit(time);
    const likes = (item: number) => neighbours.liked(item) / unit;
    const items = Array.from({ length: 13 }, (_, item) => item).filter((item) => likes(item) > 0);
    const together = (a: number, b: number) => Math.min(rows.get(a, b, TOGETHER) / unit, likes(a), likes(b));
    const hubs = items.filter((item) => likes(item) >= 3);
    // The counts stay as they are: P is renewed, then what is no hub is solved.
    for (let n = 0; n < 60; n++) if (hubs.length > 0) linear.learn(like(hubs[n % hubs.length]!, time), byId);
    for (const item of items) linear.learn(like(item, time), byId);
    for (const item of items) {
      const others = hubs.filter((other) => other !== item);
      const n = others.length;
      const a = Float64Array.from({ length: n * n }, (_, at) => {
        const [i, j] = [others[Math.floor(at / n)]!, others[at % n]!];
        return i === j ? likes(i) + 200 : together(i, j);
      });
      const isHub = hubs.includes(item);
      const want = Float64Array.from(others, (other) => {
        const both = together(item, other);
        return isHub || both >= 1.5 ? both : 0;
      });
      solveInPlace(a, want);
      if (!isHub && likes(item) < 2) want.fill(0);
      for (const other of items) {
        const weight = Math.max(0, want[others.indexOf(other)] ?? 0);
        const found = weightOf(linear, other, item);
        assert.ok(Math.abs(found - weight) < 1e-6, `${other} predicts ${item} with ${found}, not ${weight}`);
      }
      const scores = new ItemScores();
      linear.score(contextOf(items.map((item) => ({ item, time }))), scores);
      const sum = Math.max(0, want.reduce((sum, weight) => sum + weight, 0));
      assert.ok(
        Math.abs(scores.get(item) - sum) < 1e-6,
        `all predict ${item} with ${scores.get(item)}, not ${sum}`,
      );
    }
  }));
});

Deno.test("LinearItems.decode() goes on as if nothing had happened", () => {
  fc.assert(fc.property(people, people, (before, after) => {
    const neighbours = new Neighbours({ halfLifeMs: 3_600_000 });
    const one = new LinearItems(neighbours);
    let time = 0;
    const visit = (items: readonly number[], models: readonly LinearItems[]) =>
      items.forEach((item, k) => {
        const signal = like(item, time += 60_000, items.slice(0, k).reverse());
        neighbours.learn(signal, byId);
        for (const model of models) model.learn(signal, byId);
      });
    const order = Array.from({ length: 13 }, (_, item) => item);
    const bytesOf = (model: LinearItems) => {
      const to = new ByteWriter();
      atOnce(model.encode(to, order, Uint32Array.from(order)));
      return to.toBytes();
    };
    for (const items of before) visit(items, [one]);
    const other = new LinearItems(neighbours);
    atOnce(other.decode(new ByteReader(bytesOf(one)), (rank) => rank));
    assert.deepEqual(bytesOf(other), bytesOf(one));
    for (const items of after) visit(items, [one, other]);
    assert.deepEqual(bytesOf(other), bytesOf(one));
  }));
});

Deno.test("LinearItems.decode() finds the hubs of a state that has none among what was solved", () => {
  const neighbours = new Neighbours();
  const linear = new LinearItems(neighbours);
  const to = new ByteWriter().uint(2);
  for (const item of [1, 2]) {
    to.uint(item).f64(30).uint(1).uint(3 - item).f64(0.25);
    for (let n = 0; n < 30; n++) neighbours.learn(like(item, 0, [3 - item]), byId);
  }
  atOnce(linear.decode(new ByteReader(to.toBytes()), (rank) => rank));
  assert.equal(weightOf(linear, 1, 2), 0.25);
  neighbours.learn(like(3, 0), byId);
  linear.learn(like(3, 0), byId);
  assert.notEqual(weightOf(linear, 1, 2), 0.25);
  assert.ok(weightOf(linear, 1, 2) > 0);
});

Deno.test("LinearItems.learn() keeps what it knows when a behaviour is centuries late", () => {
  const neighbours = new Neighbours();
  const linear = new LinearItems(neighbours);
  const now = Date.UTC(2026, 0, 1);
  const visit = (time: number) => {
    for (const [item, before] of [[1, []], [2, [1]], [3, [2, 1]], [4, [3, 1]]] as const) {
      const signal = like(item, time, before);
      neighbours.learn(signal, byId);
      linear.learn(signal, byId);
    }
  };
  for (let n = 0; n < 400; n++) visit(now + n);
  const known = weightOf(linear, 1, 2);
  assert.ok(known > 0.2, `${known}`);
  for (let n = 0; n < 20; n++) visit(-1e15);
  for (let n = 0; n < 20; n++) visit(now + 400);
  for (let item = 1; item < 5; item++) {
    for (let by = 1; by < 5; by++) {
      const weight = weightOf(linear, by, item);
      assert.ok(weight >= 0 && weight <= 1, `${by} predicts ${item} with ${weight}`);
    }
  }
  assert.ok(Math.abs(weightOf(linear, 1, 2) - known) < 0.1, `${weightOf(linear, 1, 2)}`);
});

Deno.test("LinearItems.learn() keeps 128 weights of an item, the strongest, of 512 hubs", () => {
  const neighbours = new Neighbours();
  const linear = new LinearItems(neighbours);
  const all = Array.from({ length: 600 }, (_, item) => item);
  for (let n = 0; n < 6000; n++) {
    // The smaller an item the more often it is liked, and with items close to it.
    const item = Math.floor((n * 0.618034 % 1) ** 2 * 600);
    const before = all.slice(Math.max(0, item - 60), item + 40).filter((other) => other !== item);
    const signal = like(item, n, before);
    neighbours.learn(signal, byId);
    linear.learn(signal, byId);
  }
  const to = new ByteWriter();
  atOnce(linear.encode(to, all, Uint32Array.from(all)));
  const from = new ByteReader(to.toBytes());
  let most = 0;
  for (let n = from.count(); n > 0; n--) {
    from.uint();
    from.f64();
    const weights = Array.from({ length: from.count() }, () => [from.uint(), from.f64()]);
    most = Math.max(most, weights.length);
  }
  assert.equal(most, 128);
  for (let k = from.count(); k > 0; k--) from.uint();
  assert.equal(from.count(), 512);
});

Deno.test("LinearItems.score() explains what comes together by the item that it comes with, not by its companions", () => {
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

Deno.test("LinearItems.learn() follows what an item is liked with, however long it has been liked as often", () => {
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

Deno.test("LinearItems.score() stays bounded when everybody comes back to the same items again and again", () => {
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
