import assert from "node:assert/strict";
import fc from "fast-check";
import { WeightColumns } from "../../../src/retrieval/items/weight_columns.ts";

Deno.test("WeightColumns keeps rows and columns alike, however often columns are replaced", () => {
  const column = fc.record({
    item: fc.nat(6),
    others: fc.uniqueArray(fc.tuple(fc.nat(6), fc.integer({ min: -9, max: 9 })), {
      selector: ([other]) => other,
    }),
  });
  fc.assert(fc.property(fc.array(column, { maxLength: 20 }), (columns) => {
    const weights = new WeightColumns();
    const want = new Map<number, (readonly [number, number])[]>();
    for (const { item, others } of columns) {
      weights.clear(item);
      for (const [other, weight] of others) weights.add(item, other, weight);
      want.set(item, others);
    }
    for (let item = 0; item < 7; item++) {
      assert.equal(weights.has(item), want.has(item));
      assert.deepEqual(weights.column(item), want.get(item) ?? []);
      const { items, weights: row } = weights.row(item) ?? { items: [], weights: [] };
      const predicts = items.map((to, k) => [to, row[k]!] as const).sort(([a], [b]) => a - b);
      const expected = [...want].flatMap(([to, others]) =>
        others.filter(([other]) => other === item).map(([, weight]) => [to, weight] as const)
      );
      assert.deepEqual(predicts, expected.sort(([a], [b]) => a - b));
    }
  }));
});
