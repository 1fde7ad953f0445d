import assert from "node:assert/strict";
import fc from "fast-check";
import { listLikelihood } from "../../src/learner/list_likelihood.ts";

const lists = fc.array(
  fc.tuple(fc.double({ min: -8, max: 8, noNaN: true }), fc.integer({ min: 0, max: 1 })),
  {
    minLength: 2,
    maxLength: 9,
  },
);

/** The log likelihood by enumerating all choices of as many rows, each with the product of its odds. */
function enumerated(logits: readonly number[], labels: readonly number[]): number {
  const positives = labels.reduce((sum, label) => sum + label, 0);
  let [sum, chosen] = [0, 0];
  for (let set = 0; set < 2 ** logits.length; set++) {
    const members = logits.filter((_, i) => (set >> i) % 2 === 1);
    if (members.length === positives) sum += Math.exp(members.reduce((sum, logit) => sum + logit, 0));
  }
  for (const [i, logit] of logits.entries()) chosen += labels[i]! * logit;
  return chosen - Math.log(sum);
}

Deno.test("listLikelihood() equals enumeration, and a constant added to all logits changes nothing", () => {
  fc.assert(fc.property(lists, fc.double({ min: -20, max: 20, noNaN: true }), (list, level) => {
    const [logits, labels] = [list.map(([logit]) => logit), list.map(([, label]) => label)];
    const { value } = listLikelihood(logits, labels);
    assert.ok(Math.abs(value - enumerated(logits, labels)) < 1e-8 * (1 + Math.abs(value)));
    const raised = listLikelihood(logits.map((logit) => logit + level), labels);
    assert.ok(Math.abs(raised.value - value) < 1e-8 * (1 + Math.abs(value)));
  }));
});

Deno.test("listLikelihood() is finite for long lists with logits far apart", () => {
  for (const positives of [1, 40, 500]) {
    const labels = Array.from({ length: 1000 }, (_, i) => Number(i < positives));
    const { value } = listLikelihood(labels.map((_, i) => i % 3 === 0 ? -34 : i % 3 === 1 ? 0 : 34), labels);
    assert.ok(Number.isFinite(value) && value < 0, `${positives}: ${value}`);
  }
});
