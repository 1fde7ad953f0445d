/**
 * Estimators against the enumerated truth: the log holds each list in its exact share, so an estimate is the estimator's
 * expectation (SNIPS: its limit).
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  type EstimatorName,
  ESTIMATORS,
  evaluatePolicy,
  type EvaluationOptions,
  type Slate,
  SLATES,
} from "../../src/experiments/off_policy.ts";
import { placeDistribution, type PolicyOptions } from "../../src/draws/policy.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import {
  type DEPENDENCES,
  enumerateLists,
  exactLog,
  randomContext,
  type SlateContext,
  trueValue,
} from "./small_slates.ts";

const SURE: EvaluationOptions = { resamples: 0, force: true };

/** Which rewards a slate assumption allows for. */
const ALLOWED: Readonly<Record<Slate, readonly (typeof DEPENDENCES)[number][]>> = {
  cascade: ["item-position", "cascade"],
  standard: ["item-position", "cascade", "whole list"],
};

/** Sizes of slates, also of different ones in one log. */
const SIZES = [
  [{ items: 2, places: 2 }],
  [{ items: 3, places: 2 }],
  [{ items: 4, places: 3 }],
  [{ items: 3, places: 1 }, { items: 3, places: 3 }, { items: 4, places: 2 }],
];

function estimates(contexts: readonly SlateContext[], options: EvaluationOptions) {
  const { estimates } = evaluatePolicy(exactLog(contexts), { ...SURE, ...options });
  return new Map(estimates.map(({ estimator, value }) => [estimator, value]));
}

Deno.test("evaluatePolicy() is unbiased when its slate assumption holds, however bad the reward model is", () => {
  for (const slate of SLATES) {
    for (const dependence of ALLOWED[slate]) {
      for (const [at, sizes] of SIZES.entries()) {
        for (let seed = 0; seed < 5; seed++) {
          const random = createRandom(seed, at);
          const contexts = sizes.map((size) => randomContext(random, { ...size, dependence }));
          const truth = trueValue(contexts);
          for (const [name, value] of estimates(contexts, { slate })) {
            const where = `${slate}, ${dependence} rewards, size ${at}, seed ${seed}: ${name}`;
            assert.ok(Math.abs(value - truth) < 1e-9, `${where} ${value} for ${truth}`);
          }
        }
      }
    }
  }
});

Deno.test("evaluatePolicy() with the cascade assumption is biased when rewards depend on the items below", () => {
  const context = randomContext(createRandom(1), { items: 3, places: 2, dependence: "whole list" });
  for (const [name, value] of estimates([context], { slate: "cascade" })) {
    assert.ok(Math.abs(value - trueValue([context])) > 0.01, name);
  }
});

Deno.test("evaluatePolicy() is unbiased for the engine's own policies", () => {
  const scores = [0.3, -0.4, 1.1, 0.2];
  const policies: PolicyOptions[] = [
    { name: "greedy" },
    { name: "epsilon", epsilon: 0.3 },
    { name: "boltzmann", temperature: 0.4 },
    { name: "boltzmann", temperature: 2 },
  ];
  for (const logging of policies.slice(1)) {
    for (const target of policies) {
      const random = createRandom(6);
      const of = (policy: PolicyOptions) => (above: readonly number[]) => [
        ...placeDistribution({ scores }, above, policy),
      ];
      const context: SlateContext = {
        ...randomContext(random, { items: 4, places: 3, dependence: "cascade" }),
        logging: of(logging),
        target: of(target),
      };
      for (const slate of SLATES) {
        // These estimators are means over lists, so their expectation is that of the estimate of a single list.
        const sums = new Map<EstimatorName, number>();
        for (const { logged, list } of enumerateLists(context)) {
          for (
            const { estimator, value } of evaluatePolicy([list], { ...SURE, slate })
              .estimates
          ) {
            sums.set(estimator, (sums.get(estimator) ?? 0) + logged * value);
          }
        }
        for (const name of ESTIMATORS.filter((name) => name !== "snips")) {
          const gap = sums.get(name)! - trueValue([context]);
          assert.ok(Math.abs(gap) < 1e-9, `${logging.name} for ${target.name}, ${slate}: ${name} ${gap}`);
        }
      }
    }
  }
});

Deno.test("evaluatePolicy() is exact in a case that was reported as biased", () => {
  // Two items, lists of two; an item earns by its place, and the policy prefers the list that is seldom logged.
  const context: SlateContext = {
    items: 2,
    places: 2,
    logging: (above) => above.length === 0 ? [9 / 12, 3 / 12] : above[0] === 0 ? [0, 1] : [1, 0],
    target: (above) => above.length === 0 ? [0, 1] : above[0] === 0 ? [0, 1] : [1, 0],
    reward: ([first], place) => (first === 1) === (place === 0) ? 0.8 : 0.2,
    predicted: (_, item) => item === 1 ? 0.9 : 0.1,
  };
  assert.ok(Math.abs(trueValue([context]) - 1) < 1e-12);
  for (const slate of SLATES) {
    for (const [name, value] of estimates([context], { slate })) {
      assert.ok(Math.abs(value - 1) < 1e-9, `${slate} ${name} ${value}`);
    }
  }
});

Deno.test("evaluatePolicy() gives an empty list the weight 1", () => {
  const list = {
    unit: "u",
    places: [{ target: 0.5, logged: 0.5, reward: 1, predicted: 0.5, expected: 0.5 }],
  };
  const log = Array.from({ length: 60 }, (_, n) => ({ unit: `u${n}`, places: n < 30 ? list.places : [] }));
  const { overlap, estimates, refusals } = evaluatePolicy(log, { resamples: 0 });
  assert.deepEqual([overlap.meanWeight, refusals], [1, []]);
  for (const { estimator, value } of estimates) assert.equal(value, 0.5, estimator);
});
