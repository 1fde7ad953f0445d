import assert from "node:assert/strict";
import fc from "fast-check";
import { forEachPair, pairPrefixes, PairWeights } from "../../src/features/pairs.ts";

const name = fc.constantFrom("a", "b", "c", "a=b");
const field = fc.option(name);
const row = fc.record({
  categories: fc.array(name, { maxLength: 3 }),
  fields: fc.tuple(field, field, field),
});

Deno.test("PairWeights.addTo() adds what forEachPair() names, bit for bit, and looks each key up once", () => {
  fc.assert(
    fc.property(
      fc.option(name),
      fc.array(field, { maxLength: 2 }),
      fc.array(row, { maxLength: 12 }),
      (user, userFields, rows) => {
        const prefixes = pairPrefixes(user, userFields);
        const looked: string[] = [];
        /** Different for each key, so that the order of a sum shows. */
        const weights = new Map<string, number>();
        const weightOf = (key: string) => {
          const weight = weights.get(key) ?? 0.1 * 1.7 ** weights.size;
          weights.set(key, weight);
          return weight;
        };
        const pairs = new PairWeights(prefixes, [2, 0], (key) => {
          looked.push(key);
          return weightOf(key);
        });
        for (const one of rows) {
          let want = 0.3;
          forEachPair(prefixes, one, [2, 0], (key) => want += weightOf(key));
          assert.equal(pairs.addTo(0.3, one), want);
        }
        assert.equal(new Set(looked).size, looked.length);
      },
    ),
  );
});
