/**
 * What orders a list while the model has yet to prove itself.
 *
 * @module
 */

import assert from "node:assert/strict";
import { PRIOR_NUMERIC } from "../../src/features/schema.ts";
import { Story } from "../engine/story.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";

const SHARES = [0, 0.5, 1] as const;
const ITEMS = ["a", "b", "c", "d", "e", "f"];

/** Items with different click rates, and a user who requests lists. */
function shop(share: number, options: Partial<TaskOptions> = {}): Story {
  const story = new Story(options);
  story.serving.share = share;
  story.serving.version = 1;
  for (let n = 0; n < 30; n++) {
    const request = `h${n}`;
    story.show(10 * n, ITEMS, { request, id: request });
    ITEMS.slice(0, 1 + n % 5).forEach((item, i) => story.click(10 * n + 1 + i, item, { request }));
  }
  story.tick(2000);
  return story;
}

const close = (a: number, b: number) => assert.ok(Math.abs(a - b) < 1e-6, `${a} is not ${b}`);

Deno.test("TaskState.apply() orders by the prior, the mix or the model, says which, and always judges the model", () => {
  const frozen: number[][] = [];
  const lists = SHARES.map((share) => {
    const story = shop(share);
    const before = story.samples.length;
    const answer = story.ask(2010, "r", { candidates: [...ITEMS].reverse() });
    story.labels();
    const sample = story.samples.slice(before).find(({ request }) => request === "r");
    assert.ok(sample);
    // The model's prediction, without the effect of the position.
    const logits = sample.rows.map(({ prediction, position }) =>
      Math.log(prediction / (1 - prediction)) + position / 8
    );
    const priors = sample.rows.map(({ numerics }) => numerics[PRIOR_NUMERIC]!);
    const odds = logits.map((logit, row) => Math.exp(priors[row]! + share * (logit - priors[row]!)));
    const all = odds.reduce((sum, each) => sum + each, 0);
    assert.equal(answer.scoreKind, "share"); // few positives so far
    answer.items.forEach(({ item, score, propensity }, place) => {
      const row = [...sample.rows].findIndex((one) => one.item === item);
      close(score, odds[row]! / all);
      assert.equal(propensity, 1);
      assert.ok(place === 0 || answer.items[place - 1]!.score >= score, "best first");
    });
    const byItem = new Map(sample.rows.map(({ item }, row) => [item, logits[row]!]));
    frozen.push(ITEMS.map((item) => byItem.get(item)!));
    assert.equal(answer.orderedBy, ["prior", "mix", "model"][2 * share]);
    assert.equal(answer.modelShare, share === 1 ? undefined : share);
    return answer.items.map(({ item }) => item).join("");
  });
  assert.equal(lists[0], "abcdef", "by click rate");
  assert.notEqual(lists[2], lists[0]);
  for (const logits of frozen) logits.forEach((logit, at) => close(logit, frozen[2]![at]!));
});

Deno.test("TaskState.apply() starts a new user's first list with popular items while the model is new", () => {
  const story = new Story({ ranking: "model", retrieval: { newShare: 0.4, maxCandidates: 20 } });
  story.serving.share = 0;
  for (let n = 0; n < 40; n++) story.item(`quiet ${n}`, {}, 1);
  for (const [n, item] of ["hit", "hit", "hit", "second", "second", "third"].entries()) {
    story.click(100 + n, item, { user: `u${n}` });
  }
  const { items, orderedBy } = story.ask(300, "r", { count: 10 });
  assert.equal(orderedBy, "prior");
  assert.deepEqual(items.slice(0, 3).map(({ item }) => item), ["hit", "second", "third"]);
  const firstDrawn = items.findIndex(({ source }) => source === "drawn");
  assert.ok(firstDrawn < 0 || firstDrawn >= 3);
});

Deno.test("TaskState.apply() explores with the propensities of whatever orders: prior, mix or model", () => {
  const policy = { name: "boltzmann", temperature: 0.5 } as const;
  for (const share of SHARES) {
    const story = shop(share, { policy, logCandidates: true });
    const { items, others = [] } = story.ask(2010, "r", { candidates: ITEMS, count: 2 });
    const weights = [...items, ...others].map(({ score }) => score ** (1 / 0.5)); // shares are proportional to odds
    let left = weights.reduce((sum, weight) => sum + weight, 0);
    items.forEach(({ propensity }, place) => {
      close(propensity, weights[place]! / left);
      left -= weights[place]!;
    });
  }
});

Deno.test("TaskState.apply() leaves lists that no model orders unchanged, and names what ordered them", () => {
  const asked = (share: number, options: Partial<TaskOptions>, more = {}) => {
    const { items, orderedBy } = shop(share, options).ask(2010, "r", more);
    return { items: items.map(({ item }) => item), orderedBy };
  };
  for (
    const [options, more, by] of [
      [{ ranking: "blend" }, {}, "blend"],
      [{}, { list: "popular" }, "list"],
      [{}, { item: "a" }, "blend"],
    ] as const
  ) {
    assert.deepEqual(asked(0, options, more), asked(1, options, more));
    assert.equal(asked(0, options, more).orderedBy, by);
  }
  assert.equal(asked(0, { ranking: "both" }).orderedBy, "both");
});
