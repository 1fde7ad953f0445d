import assert from "node:assert/strict";
import fc from "fast-check";
import { diversify } from "../../src/scorer/diversity.ts";

const candidates = fc.array(
  fc.record({
    score: fc.integer({ min: -9, max: 9 }),
    categories: fc.subarray(["a", "b", "c"]),
  }),
  { maxLength: 20 },
);

Deno.test("diversify() without limits takes the best by score, like a sort", () => {
  fc.assert(fc.property(candidates, fc.nat(25), (candidates, count) => {
    const want = [...candidates.keys()].sort((a, b) => candidates[b]!.score - candidates[a]!.score || a - b);
    assert.deepEqual(diversify(candidates, count, {}), want.slice(0, count));
  }));
});

Deno.test("diversify() keeps to the limit per category, and leaves out nothing that fits", () => {
  fc.assert(fc.property(candidates, fc.integer({ min: 1, max: 3 }), (candidates, perCategory) => {
    const list = diversify(candidates, candidates.length, { perCategory });
    assert.equal(new Set(list).size, list.length);
    for (const category of ["a", "b", "c"]) {
      const firsts = (of: readonly { readonly categories: readonly string[] }[]) =>
        of.filter(({ categories }) => categories[0] === category).length;
      assert.equal(
        firsts(list.map((index) => candidates[index]!)),
        Math.min(perCategory, firsts(candidates)),
      );
    }
    const free = candidates.filter(({ categories }) => categories.length === 0).length;
    assert.equal(list.filter((index) => candidates[index]!.categories.length === 0).length, free);
  }));
});

Deno.test("diversify() prefers items unlike those above them as relevance goes down", () => {
  const items = [
    { score: 3, categories: ["a"] },
    { score: 2.9, categories: ["a"] },
    { score: 1, categories: ["b"] },
  ];
  assert.deepEqual(diversify(items, 3, { relevance: 1 }), [0, 1, 2]);
  assert.deepEqual(diversify(items, 3, { relevance: 0.5 }), [0, 2, 1]);
});
