import assert from "node:assert/strict";
import { popularityPredictions, scale, type Shown } from "../../scripts/simulator/figures.ts";
import { createRandom } from "../../src/draws/random_source.ts";

/** Pages of three out of nine items; item k is clicked with probability (k + 1) / 10. */
function pages(count: number): readonly (readonly Shown[])[] {
  const random = createRandom(4);
  return Array.from({ length: count }, () =>
    Array.from({ length: 3 }, () => {
      const k = Math.floor(9 * random());
      const truth = (k + 1) / 10;
      return { item: `i${k}`, truth, label: random() < truth ? 1 : 0 } as const;
    }));
}

Deno.test("scale() puts popularity at the truth where there is nothing but popularity", () => {
  const figures = scale(pages(6000));
  assert.equal(figures.rows, 6000);
  assert.ok(figures.constantLoss > figures.oracleLoss + 0.1);
  assert.ok(Math.abs(figures.popularityLoss - figures.oracleLoss) < 0.005);
  assert.ok(Math.abs(figures.popularityAuc - figures.oracleAuc) < 0.01);
});

Deno.test("popularityPredictions() does not see the future: a prefix is predicted alike", () => {
  const all = pages(300);
  assert.deepEqual(popularityPredictions(all).slice(0, 300), popularityPredictions(all.slice(0, 100)));
});

Deno.test("popularityPredictions() does not see its own page", () => {
  const row = { item: "a", truth: 0.5 } as const;
  const [first, second] = popularityPredictions([[{ ...row, label: 1 }, { ...row, label: 1 }]]);
  assert.equal(first, second);
});
