/**
 * What must hold for every answer, whatever the candidates, scores and policy.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeEvent } from "../../src/events/codec.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { ListFeatures } from "../../src/samples/sample.ts";
import { choose, placeDistribution, type PolicyOptions, propensitiesOf } from "../../src/draws/policy.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import type { Serving } from "../../src/features/serving.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { Story } from "../engine/story.ts";

/** Scores from a few values, so that some tie. */
const scores = fc.array(fc.integer({ min: -2, max: 2 }), { maxLength: 8 });
const policies = fc.oneof(
  fc.constant<PolicyOptions>({ name: "greedy" }),
  fc.record({ name: fc.constant("epsilon" as const), epsilon: fc.constantFrom(0, 0.001, 0.3, 1) }),
  fc.record({ name: fc.constant("boltzmann" as const), temperature: fc.constantFrom(1e-9, 0.1, 1, 1e6) }),
);

Deno.test("choose() returns different candidates, as many as there are, with the probability of each", () => {
  fc.assert(fc.property(scores, fc.nat(10), policies, fc.nat(), (scores, count, policy, seed) => {
    const list = choose({ scores }, count, policy, mulberry32(seed));
    assert.equal(list.length, Math.min(count, scores.length));
    const chosen = list.map(({ index }) => index);
    assert.equal(new Set(chosen).size, chosen.length);
    for (const [place, { index, propensity }] of list.entries()) {
      const distribution = placeDistribution({ scores }, chosen.slice(0, place), policy);
      const sum = distribution.reduce((a, b) => a + b, 0);
      assert.ok(Math.abs(sum - 1) < 1e-9, `${sum}`);
      assert.ok(propensity > 0 && propensity <= 1);
      assert.ok(Math.abs(distribution[index]! - propensity) < 1e-9, `${distribution[index]} ${propensity}`);
    }
  }));
});

Deno.test("choose() with epsilon 1 is uniform, ties or not, and with 0 it is greedy", () => {
  for (const scores of [[1, 1, 1, 1], [3, 0, 0, -2]]) {
    for (const list of [[0, 1, 2], [3, 1, 0]]) {
      assert.deepEqual(propensitiesOf({ scores }, list, { name: "epsilon", epsilon: 1 }), [
        1 / 4,
        1 / 3,
        1 / 2,
      ]);
    }
    assert.deepEqual(propensitiesOf({ scores }, [0, 1, 2], { name: "epsilon", epsilon: 0 }), [1, 1, 1]);
    assert.deepEqual(propensitiesOf({ scores }, [1, 0], { name: "epsilon", epsilon: 0 }), [0, 1]);
  }
  assert.deepEqual(choose({ scores: [] }, 5, { name: "epsilon", epsilon: 1 }, mulberry32(1)), []);
});

Deno.test("TaskState.apply() explores as often as its propensities say, over many requests", () => {
  const story = new Story({ policy: { name: "epsilon", epsilon: 0.3 }, seed: 5, impressions: "logged" });
  const candidates = ["a", "b", "c", "d"];
  const greedy = new Story({ seed: 5 }).ask(1000, "r", { candidates }).items.map(({ item }) => item);
  const requests = 6000;
  const counts = new Map<string, { count: number; expected: number }>();
  for (let n = 0; n < requests; n++) {
    const { items } = story.ask(1000, `r${n}`, { candidates, count: 2 });
    const key = items.map(({ item }) => item).join();
    const [first, second] = items;
    const best = greedy.find((item) => item !== first!.item);
    const want = [
      0.3 / 4 + (first!.item === greedy[0] ? 0.7 : 0),
      0.3 / 3 + (second!.item === best ? 0.7 : 0),
    ];
    items.forEach(({ propensity }, place) => assert.ok(Math.abs(propensity - want[place]!) < 1e-12, key));
    const cell = counts.get(key) ?? { count: 0, expected: requests * want[0]! * want[1]! };
    counts.set(key, { ...cell, count: cell.count + 1 });
  }
  assert.equal(counts.size, 12, "every list of two");
  const chi2 = [...counts.values()].reduce(
    (sum, { count, expected }) => sum + (count - expected) ** 2 / expected,
    0,
  );
  // 11 degrees of freedom: beyond 50 with probability 6e-7. The draws are a function of the seed.
  assert.ok(chi2 < 50, `chi-square ${chi2}`);
});

/** A model whose scores of some items are not finite. */
class BrokenServing extends FakeServing {
  override score(list: ListFeatures): Float32Array {
    const logits = super.score(list);
    const broken = [NaN, Infinity, -Infinity];
    return logits.map((logit, c) => broken[list.rows.items[c]!.id.charCodeAt(0) % 4] ?? logit);
  }
}

function ask(
  serving: Serving,
  policy: PolicyOptions,
  candidates: readonly string[],
  count = 5,
): Recommendation {
  const schema = { userFields: [], itemFields: [], contextFields: [], crosses: [] };
  const task = new TaskState({ schema, policy }, serving);
  const out = { recommendations: [] as Recommendation[], samples: [], forgotten: [] };
  task.apply({ type: "request", user: "u", time: 1000, request: "r", count, candidates }, 0, out);
  return out.recommendations[0]!;
}

Deno.test("TaskState.apply() answers with finite numbers where the model has none, under any policy", () => {
  const candidates = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const all: readonly PolicyOptions[] = [
    { name: "greedy" },
    { name: "epsilon", epsilon: 0.5 },
    { name: "boltzmann", temperature: 1 },
    { name: "thompson" },
  ];
  for (const policy of all) {
    const { items } = ask(new BrokenServing(), policy, candidates, 8);
    assert.deepEqual(items.map(({ item }) => item).sort(), candidates);
    for (const { score, propensity } of items) {
      assert.ok(score > 0 && score < 1 && propensity > 0 && propensity <= 1, `${score} ${propensity}`);
    }
  }
});

Deno.test("TaskState.apply() answers with fewer items when there are fewer candidates, known or not", () => {
  const { items } = ask(
    new FakeServing(),
    { name: "epsilon", epsilon: 1 },
    ["unknown item", "unknown too"],
    50,
  );
  assert.deepEqual(items.map(({ item }) => item).sort(), ["unknown item", "unknown too"]);
  assert.deepEqual(items.map(({ propensity }) => propensity), [1 / 2, 1]);
});

Deno.test("decodeEvent() refuses a request with duplicate candidates, or with none", () => {
  for (const [candidates, code] of [[["a", "b", "a"], "duplicate-item"], [[], "empty-list"]] as const) {
    const event = { type: "request", user: "u", time: 1_700_000_000_000, request: "r", count: 2, candidates };
    const decoded = decodeEvent(new TextEncoder().encode(JSON.stringify(event)));
    assert.ok(!decoded.ok);
    assert.equal(decoded.code, code);
  }
});

Deno.test("TaskState.apply() shows the same list of the blend whether the other candidates are logged or not", () => {
  const answers = [false, true].map((logCandidates) => {
    const story = new Story({
      ranking: "blend",
      logCandidates,
      retrieval: { maxCandidates: 10, newShare: 0.5 },
    });
    // Ten liked items that are not in the catalogue, and two in the catalogue that nobody has seen.
    for (let n = 0; n < 60; n++) story.click(200 + n, `liked ${(n * 7) % 10}`, { user: `u${n % 9}` });
    for (const item of ["new 0", "new 1"]) story.item(item, {}, 280);
    return story.ask(300, "r", { count: 7 }).items.map(({ order: _, ...item }) => item);
  });
  assert.equal(answers[0]?.length, 7);
  assert.deepEqual(answers[0], answers[1]);
});
