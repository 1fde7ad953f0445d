import assert from "node:assert/strict";
import { labelBias } from "./label_bias.ts";

const MINUTE = 60_000;
const STREAM = { seed: 1, lists: 2500, delayMs: 10 * MINUTE, windowMs: 10 * MINUTE, lateMs: 300 * MINUTE };

// One click in e comes after the window.
for (const [policy, want] of [["window", 1 - Math.exp(-1)], ["late", 1], ["fnw", 1]] as const) {
  Deno.test(`labelBias() of ${policy} is ${want.toFixed(2)} when the mean delay of clicks is the window`, () => {
    const { ratio } = labelBias({ ...STREAM, policy });
    assert.ok(Math.abs(ratio - want) < 0.05, `${ratio}`);
  });
}

Deno.test("labelBias() is 1 with sampled negatives", () => {
  const learner = { negativeRate: 0.2 };
  const { ratio } = labelBias({ ...STREAM, lists: 8000, policy: "window", delayMs: MINUTE, learner });
  assert.ok(Math.abs(ratio - 1) < 0.05, `${ratio}`);
});
