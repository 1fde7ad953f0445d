import assert from "node:assert/strict";
import fc from "fast-check";
import { type Choice, choose, type PolicyOptions } from "../../src/scorer/policy.ts";
import { mulberry32 } from "../../src/scorer/random.ts";

const SCORES = [0.3, 0.9, -0.2, 0.5];

/** Every list of 3 among 4 candidates, chosen by exploring at each position. */
function everyList(policy: PolicyOptions): Choice[][] {
  const lists: Choice[][] = [];
  for (let a = 0; a < 4; a++) {
    for (let b = 0; b < 3; b++) {
      for (let c = 0; c < 2; c++) {
        const script = [0, (a + 0.5) / 4, 0, (b + 0.5) / 3, 0, (c + 0.5) / 2];
        lists.push(choose(SCORES, 3, policy, () => script.shift() ?? NaN));
      }
    }
  }
  return lists;
}

const key = (list: readonly Choice[]) => list.map(({ index }) => index).join();
const probability = (list: readonly Choice[]) => list.reduce((p, { propensity }) => p * propensity, 1);

Deno.test("choose() gives propensities that sum to one over all lists when it explores", () => {
  for (const epsilon of [0.01, 0.3, 1]) {
    const lists = everyList({ name: "epsilon", epsilon });
    assert.equal(new Set(lists.map(key)).size, 24);
    const sum = lists.reduce((sum, list) => sum + probability(list), 0);
    assert.ok(Math.abs(sum - 1) < 1e-12, `${sum} for epsilon ${epsilon}`);
    for (const { propensity } of lists.flat()) assert.ok(propensity > 0 && propensity <= 1);
  }
});

Deno.test("choose() draws each list as often as its propensities say", () => {
  const policy = { name: "epsilon", epsilon: 0.4 } as const;
  const random = mulberry32(1);
  const draws = 20_000;
  const counts = new Map<string, number>();
  for (let n = 0; n < draws; n++) {
    const list = key(choose(SCORES, 3, policy, random));
    counts.set(list, (counts.get(list) ?? 0) + 1);
  }
  const chi2 = everyList(policy).reduce((sum, list) => {
    const expected = draws * probability(list);
    return sum + ((counts.get(key(list)) ?? 0) - expected) ** 2 / expected;
  }, 0);
  // The 99.9th percentile with 23 degrees of freedom.
  assert.ok(chi2 < 49.73, `chi-square is ${chi2}`);
});

Deno.test("choose() orders by score, then by place, and draws nothing when it is greedy", () => {
  const scores = fc.array(fc.integer({ min: -3, max: 3 }));
  fc.assert(fc.property(scores, fc.nat(20), (scores, count) => {
    const draw = () => assert.fail("greedy drew a number");
    const want = scores.map((score, index) => ({ score, index }))
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .slice(0, count).map(({ index }) => ({ index, propensity: 1 }));
    assert.deepEqual(choose(scores, count, { name: "greedy" }, draw), want);
    assert.deepEqual(choose(scores, count, { name: "epsilon", epsilon: 0 }, draw), want);
  }));
});
