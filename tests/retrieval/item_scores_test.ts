import assert from "node:assert/strict";
import fc from "fast-check";
import { ItemScores, nthLargest } from "../../src/retrieval/item_scores.ts";

Deno.test("nthLargest() is the n-th number of the sorted list", () => {
  const values = fc.array(fc.integer({ min: -5, max: 20 }), { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(values, fc.nat(), (values, n) => {
    const at = n % values.length;
    assert.equal(nthLargest(Float64Array.from(values), at + 1), values.toSorted((a, b) => b - a)[at]);
  }));
});

Deno.test("ItemScores.best() gives the best allowed items with all ties, however they were added", () => {
  const added = fc.array(fc.tuple(fc.nat(3000), fc.integer({ min: 1, max: 6 })), { maxLength: 80 });
  const scores = new ItemScores();
  fc.assert(fc.property(added, fc.integer({ min: 1, max: 10 }), (added, limit) => {
    scores.clear();
    const want = new Map<number, number>();
    for (const [item, amount] of added) {
      scores.add(item, amount);
      want.set(item, (want.get(item) ?? 0) + amount);
    }
    assert.equal(scores.size, want.size);
    const sorted = [...want].filter(([item]) => item % 2 === 0).sort((a, b) => b[1] - a[1]);
    const border = sorted[limit - 1]?.[1] ?? 0;
    assert.deepEqual(
      scores.best(limit, (item) => item % 2 === 0).sort((a, b) => a - b),
      sorted.filter(([, score]) => score >= border).map(([item]) => item).sort((a, b) => a - b),
    );
  }));
});
