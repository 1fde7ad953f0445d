import assert from "node:assert/strict";
import fc from "fast-check";
import { decayedCount, raise, TopList } from "../../src/state/popularity.ts";

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

Deno.test("TopList() equals sorting when scores only rise", () => {
  const rises = fc.array(fc.tuple(fc.constantFrom(..."abcdefghij"), fc.integer({ min: 0, max: 3 })), {
    size: "max",
    maxLength: 60,
  });
  fc.assert(fc.property(fc.integer({ min: 0, max: 6 }), rises, (capacity, steps) => {
    const scores = new Map<string, number>();
    const list = new TopList(capacity);
    for (const [id, rise] of steps) {
      const score = (scores.get(id) ?? 0) + rise;
      scores.set(id, score);
      list.update(id, score);
      const sorted = [...scores].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([id]) => id);
      assert.deepEqual(list.ids, sorted.slice(0, capacity));
    }
  }));
});
