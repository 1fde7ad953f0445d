import assert from "node:assert/strict";
import { Rows } from "../../src/samples/rows.ts";
import type { ListFeatures } from "../../src/samples/sample.ts";
import { MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import { explain, type Explanation, withoutBehaviour } from "../../src/scorer/explanation.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { batches, makeLearner, makeModel, makeSamples, SCHEMA, WIDTH } from "../learner/batches.ts";

/** A model that has learnt a little. */
function trained(model: ModelName): ServingModel {
  const learner = makeLearner(model);
  for (const batch of batches(makeSamples(80))) learner.learn(batch);
  const serving = new ServingModel(makeModel(model, 99), SCHEMA, WIDTH);
  serving.apply(learner.version("full", 1));
  return serving;
}

function run(steps: ReturnType<typeof explain>): { why: readonly Explanation[]; turns: number } {
  for (let turns = 0;; turns++) {
    const step = steps.next();
    if (step.done) return { why: step.value, turns };
  }
}

const LONG = makeSamples(40, 5).find(({ history }) => history.items.length === 6)!;

for (const model of MODEL_NAMES) {
  Deno.test(`explain() of ${model} gives scores, and their differences without each behaviour`, () => {
    const serving = trained(model);
    const { why, turns } = run(explain(serving, LONG));
    assert.equal(turns, 6, "it yields in between");
    assert.deepEqual(why.map(({ item }) => item), LONG.rows.map(({ item }) => item));
    assert.deepEqual(why.map(({ logit }) => logit), [...serving.score(LONG)]);
    assert.deepEqual(why.map(({ prior }) => prior), LONG.rows.map(({ offset }) => offset));
    const { history } = LONG;
    const before: ListFeatures = {
      ...LONG,
      history: {
        items: history.items.slice(0, -1),
        categories: history.categories.slice(0, -1),
        actions: history.actions.slice(0, -1),
        times: history.times.slice(0, -1),
        strengths: history.strengths.slice(0, -1),
      },
    };
    const last = serving.score(before);
    why.forEach(({ logit, effects }, row) => {
      assert.equal(effects.length, 6);
      assert.equal(effects[5], logit - last[row]!, "without the last behaviour the score is as before it");
      for (const [t, effect] of effects.entries()) {
        assert.equal(effect, logit - serving.score(withoutBehaviour(LONG, t))[row]!);
      }
    });
    assert.ok(
      why.some(({ effects }) => effects.some((effect) => Math.abs(effect!) > 1e-4)),
      "all effects are zero",
    );
  });

  Deno.test(`explain() of ${model} gives where each candidate looks`, () => {
    const serving = trained(model);
    const { why } = run(explain(serving, LONG));
    for (const { looksAt, weights } of why) {
      if (model === "base") assert.deepEqual([looksAt, weights], [null, []]);
      else if (model === "mimn") {
        assert.equal(looksAt, "slots");
        assert.ok(Math.abs(weights.reduce<number>((sum, w) => sum + w!, 0) - 1) < 1e-5);
      } else {
        assert.deepEqual([looksAt, weights.length], ["behaviours", 6]);
        assert.ok(weights.every((weight) => weight! > 0 && weight! < 1), "sigmoid weights");
      }
    }
    if (model !== "base") {
      assert.ok(
        why.some(({ weights }) => weights.some((w, i) => w !== why[0]!.weights[i])),
        "all candidates have the same weights",
      );
    }
    assert.deepEqual(run(explain(serving, { ...LONG, rows: new Rows(0, 0) })).why, []);
  });
}

Deno.test("explain() has no effects for behaviours that are already in a lifelong state", () => {
  const serving = trained("mimn");
  const values = serving.initState();
  for (let t = 0; t < 2; t++) {
    const { items, categories, strengths } = LONG.history;
    serving.step(values, items[t]!, categories[t]!, strengths[t]!);
  }
  const whole = run(explain(serving, LONG)).why;
  const { why, turns } = run(explain(serving, { ...LONG, state: { from: 2, values } }));
  assert.equal(turns, 4);
  why.forEach(({ effects, logit }, row) => {
    assert.deepEqual(effects.slice(0, 2), [null, null]);
    assert.ok(Math.abs(logit - whole[row]!.logit) < 1e-5, "the state continues like the history");
    effects.slice(2).forEach((effect, t) =>
      assert.ok(Math.abs(effect! - whole[row]!.effects[t + 2]!) < 1e-5)
    );
  });
});

Deno.test("explain() continues with a new version that arrives in between", () => {
  const learner = makeLearner("base");
  const serving = new ServingModel(makeModel("base", 99), SCHEMA, WIDTH);
  serving.apply(learner.version("full", 1));
  const steps = explain(serving, LONG);
  for (let n = 0; n < 3; n++) steps.next();
  for (const batch of batches(makeSamples(80))) learner.learn(batch);
  serving.apply(learner.version("full", 2));
  const { why } = run(steps);
  const now = serving.score(LONG);
  why.forEach(({ effects }, row) =>
    assert.equal(effects[0], now[row]! - serving.score(withoutBehaviour(LONG, 0))[row]!)
  );
});

Deno.test("withoutBehaviour() keeps earlier behaviours", () => {
  const { items, categories, actions, times } = LONG.history;
  const earlier = { items, categories, actions, times };
  const { history } = withoutBehaviour({ ...LONG, history: { ...LONG.history, earlier } }, 0);
  assert.equal(history.items.length, 5);
  assert.deepEqual(history.earlier, earlier);
});
