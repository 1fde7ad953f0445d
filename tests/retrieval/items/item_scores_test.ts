import assert from "node:assert/strict";
import fc from "fast-check";
import { ItemScores } from "../../../src/retrieval/items/item_scores.ts";
import { nthLargest } from "../../../src/vectors/nth_largest.ts";

Deno.test("nthLargest() is the n-th number of the sorted list", () => {
  const values = fc.array(fc.integer({ min: -5, max: 20 }), { minLength: 1, maxLength: 60 });
  fc.assert(fc.property(values, fc.nat(), (values, n) => {
    const at = n % values.length;
    assert.equal(nthLargest(Float64Array.from(values), at + 1), values.toSorted((a, b) => b - a)[at]);
  }));
});

Deno.test("ItemScores.best() returns the best allowed items with all ties, however they were added", () => {
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

Deno.test("ItemScores.best() looks at more items when many of the best are not allowed", () => {
  const amounts = fc.array(fc.double({ min: 1e-9, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 300 });
  const scores = new ItemScores();
  fc.assert(fc.property(amounts, fc.integer({ min: 1, max: 20 }), fc.nat(300), (amounts, limit, first) => {
    scores.clear();
    const places = [...amounts.keys()].sort((a, b) => amounts[b]! - amounts[a]!);
    amounts.forEach((amount, item) => scores.add(item, amount));
    const isAllowed = (item: number) => places.indexOf(item) >= first;
    const sorted = places.slice(first);
    const border = amounts[sorted[limit - 1] ?? -1] ?? 0;
    assert.deepEqual(
      scores.best(limit, isAllowed).sort((a, b) => a - b),
      sorted.filter((item) => amounts[item]! >= border).sort((a, b) => a - b),
    );
  }));
});

Deno.test("ItemScores.addAll() and touchScored() give the same as add()", () => {
  const [one, other, written] = [new ItemScores(), new ItemScores(), new ItemScores(2)];
  const items = [7, 3, 5000, 3];
  for (const item of items) one.add(item, 1.5);
  other.addAll(items, 1.5);
  other.addAll(items, 0);
  written.reserve(5001);
  for (const item of items) written.values[2 * item + 1] = one.get(item);
  written.touchScored(5001);
  written.touchScored(5001);
  for (const scores of [other, written]) {
    assert.deepEqual([...scores.items()].sort((a, b) => a - b), [3, 7, 5000]);
  }
  assert.deepEqual(items.map((item) => other.get(item)), items.map((item) => one.get(item)));
  assert.deepEqual(items.map((item) => written.get(item, 1)), items.map((item) => one.get(item)));
});
