import assert from "node:assert/strict";
import fc from "fast-check";
import { type Choice, choose, type PolicyOptions, propensitiesOf } from "../../src/draws/policy.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { largestProbability, logitDeviation } from "../../src/draws/thompson.ts";

const CANDIDATES = { scores: [0.3, 0.9, -0.2, 0.5], deviations: [0.4, 0.1, 1.5, 0.7] };
const EXPLORING: readonly PolicyOptions[] = [
  { name: "epsilon", epsilon: 0.01 },
  { name: "epsilon", epsilon: 0.4 },
  { name: "epsilon", epsilon: 1 },
  { name: "boltzmann", temperature: 0.5 },
  { name: "boltzmann", temperature: 3 },
  { name: "thompson" },
  { name: "thompson", scale: 0.5 },
];

/** Every list of 3 among 4 candidates. */
function everyList(): number[][] {
  const lists: number[][] = [];
  for (const a of [0, 1, 2, 3]) {
    for (const b of [0, 1, 2, 3]) {
      for (const c of [0, 1, 2, 3]) if (new Set([a, b, c]).size === 3) lists.push([a, b, c]);
    }
  }
  return lists;
}

const product = (factors: readonly number[]) => factors.reduce((p, factor) => p * factor, 1);
const key = (list: readonly Choice[]) => list.map(({ index }) => index).join();

Deno.test("propensitiesOf() sums to one over all lists, for every policy that explores", () => {
  for (const policy of EXPLORING) {
    const lists = everyList().map((list) => propensitiesOf(CANDIDATES, list, policy));
    const sum = lists.reduce((sum, list) => sum + product(list), 0);
    assert.ok(Math.abs(sum - 1) < 1e-6, `${sum} for ${JSON.stringify(policy)}`);
    for (const p of lists.flat()) assert.ok(p >= 0 && p <= 1);
  }
});

Deno.test("choose() draws each list as often as its propensities say", () => {
  for (const policy of EXPLORING.filter(({ name }) => name !== "epsilon").concat(EXPLORING[1]!)) {
    const random = mulberry32(1);
    const draws = policy.name === "thompson" ? 5000 : 20_000;
    const counts = new Map<string, number>();
    for (let n = 0; n < draws; n++) {
      const list = choose(CANDIDATES, 3, policy, random);
      counts.set(key(list), (counts.get(key(list)) ?? 0) + 1);
      if (n > 20) continue;
      const propensities = propensitiesOf(CANDIDATES, list.map(({ index }) => index), policy);
      assert.deepEqual(list.map(({ propensity }) => propensity), propensities);
    }
    let [chi2, rare, expectedRare, cells] = [0, 0, 0, 0];
    for (const list of everyList()) {
      const expected = draws * product(propensitiesOf(CANDIDATES, list, policy));
      const count = counts.get(list.join()) ?? 0;
      if (expected < 5) [rare, expectedRare] = [rare + count, expectedRare + expected];
      else [chi2, cells] = [chi2 + (count - expected) ** 2 / expected, cells + 1];
    }
    if (expectedRare > 0) chi2 += (rare - expectedRare) ** 2 / expectedRare;
    // The 99.9th percentile with 23 degrees of freedom: with fewer cells it would be smaller, so this is the most
    // lenient.
    const degrees = cells - (expectedRare > 0 ? 0 : 1);
    const limit = degrees * (1 - 2 / (9 * degrees) + 3.09 * Math.sqrt(2 / (9 * degrees))) ** 3;
    assert.ok(chi2 < limit, `chi-square of ${JSON.stringify(policy)} is ${chi2}, ${degrees} degrees`);
  }
});

Deno.test("propensitiesOf() with boltzmann is the softmax of what remains at each place", () => {
  const { scores } = CANDIDATES;
  for (const list of everyList()) {
    const rest = new Set(scores.keys());
    const want = list.map((index) => {
      const sum = [...rest].reduce((sum, k) => sum + Math.exp(scores[k]! / 0.7), 0);
      rest.delete(index);
      return Math.exp(scores[index]! / 0.7) / sum;
    });
    const got = propensitiesOf(CANDIDATES, list, { name: "boltzmann", temperature: 0.7 });
    for (const [place, p] of got.entries()) assert.ok(Math.abs(p - want[place]!) < 1e-12);
  }
  // Scores beyond the range of exp().
  const far = propensitiesOf({ scores: [2000, 0, -2000] }, [0, 1], { name: "boltzmann", temperature: 1 });
  assert.deepEqual(far, [1, 1]);
});

Deno.test("choose() orders by score, then by place, and draws nothing when greedy", () => {
  const scores = fc.array(fc.integer({ min: -3, max: 3 }));
  fc.assert(fc.property(scores, fc.nat(20), (scores, count) => {
    const draw = () => assert.fail("greedy drew a number");
    const want = scores.map((score, index) => ({ score, index }))
      .sort((a, b) => b.score - a.score || a.index - b.index)
      .slice(0, count).map(({ index }) => ({ index, propensity: 1 }));
    assert.deepEqual(choose({ scores }, count, { name: "greedy" }, draw), want);
    assert.deepEqual(choose({ scores }, count, { name: "epsilon", epsilon: 0 }, draw), want);
  }));
});

Deno.test("propensitiesOf() gives 0 to an item that greedy would not have chosen", () => {
  assert.deepEqual(propensitiesOf(CANDIDATES, [0, 1, 3], { name: "greedy" }), [0, 1, 1]);
});

Deno.test("largestProbability() sums to one over the candidates, even when deviations differ widely", () => {
  for (const deviations of [[1, 1, 1], [1, 0.02, 0.3], [3, 0.1, 0.1], [0.5, 10, 0.25]]) {
    const sum = [0, 1, 2].reduce(
      (sum, index) => sum + largestProbability(index, [0, 1, 2], [0, 0.4, -0.3], deviations),
      0,
    );
    assert.ok(Math.abs(sum - 1) < 1e-6, `${sum} for ${deviations}`);
  }
  const two = largestProbability(0, [0, 1], [1, 0], [0.6, 0.8]);
  assert.ok(Math.abs(two - 0.841344746068543) < 1e-6, "Φ((1 − 0)/√(0.36 + 0.64))");
});

Deno.test("logitDeviation() falls with the number of outcomes of an item", () => {
  assert.equal(logitDeviation(0, 2), 1);
  assert.ok(logitDeviation(100, 0) < logitDeviation(100, -3));
  assert.ok(Math.abs(logitDeviation(396, 0) - 0.1) < 1e-12);
});
