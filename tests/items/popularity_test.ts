import assert from "node:assert/strict";
import fc from "fast-check";
import { decayedCount, raise, TopList } from "../../src/items/popularity.ts";

const HALF_LIFE = 7 * 86_400_000;
const START = 1_700_000_000_000;

Deno.test("raise() equals the naive decayed sum when positives come in any order", () => {
  fc.assert(fc.property(fc.array(fc.nat(20 * HALF_LIFE), { minLength: 1 }), (delays) => {
    const times = delays.map((delay) => START + delay);
    const at = Math.max(...times);
    const score = times.reduce((score, time) => raise(score, time, HALF_LIFE), -Infinity);
    const naive = times.reduce((sum, time) => sum + 2 ** ((time - at) / HALF_LIFE), 0);
    assert.ok(Math.abs(decayedCount(score, at, HALF_LIFE) / naive - 1) < 1e-9);
    assert.ok(Math.abs(decayedCount(score, at + HALF_LIFE, HALF_LIFE) / naive - 0.5) < 1e-9);
  }));
});

Deno.test("decayedCount() is 0 when nothing was counted", () => {
  assert.equal(decayedCount(-Infinity, START, HALF_LIFE), 0);
});

Deno.test("TopList() equals sorting while scores rise, and while items are removed until it is short", () => {
  const steps = fc.array(fc.tuple(fc.nat(9), fc.integer({ min: -2, max: 3 })), { maxLength: 60 });
  const sizes = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 3 }));
  fc.assert(fc.property(sizes, steps, ([capacity, reserve], steps) => {
    const scores = new Map<number, number>();
    const list = new TopList(capacity, (a, b) => b - a, reserve);
    let removed = 0;
    for (const [item, rise] of steps) {
      const before = scores.get(item);
      if (rise < 0) {
        if (before === undefined) continue;
        list.remove(item, before);
        scores.delete(item);
        removed++;
      } else {
        const score = (before ?? 0) + rise;
        scores.set(item, score);
        list.update(item, score, before);
      }
      assert.ok(!list.isShort || removed > reserve, "as many items as are in reserve may be removed");
      if (list.isShort) return;
      const sorted = [...scores].sort(([a, x], [b, y]) => y - x || b - a).map(([item]) => item);
      assert.deepEqual([...list.items], sorted.slice(0, capacity));
    }
  }));
});
