import assert from "node:assert/strict";
import { Calibration } from "../../src/learner/calibration.ts";
import { labelBias } from "../../scripts/simulator/label_bias.ts";
import { keepRows } from "../../src/learner/row_sampling.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { type Link, linked, unlinked } from "../../src/nn/losses/link.ts";
import { sigmoid } from "../../src/nn/losses/logistic.ts";
import { mulberry32 } from "../../src/draws/random.ts";

const MINUTE = 60_000;
const STREAM = { seed: 1, lists: 2500, delayMs: 10 * MINUTE, windowMs: 10 * MINUTE, lateMs: 300 * MINUTE };

// A click comes after the window in one case of e.
for (const [policy, want] of [["window", 1 - Math.exp(-1)], ["late", 1], ["fnw", 1], ["fnc", 1]] as const) {
  Deno.test(`labelBias() of ${policy} is a factor of ${want.toFixed(2)} when clicks take as long as the window`, () => {
    const { ratio } = labelBias({ ...STREAM, policy });
    assert.ok(Math.abs(ratio - want) < 0.05, `${ratio}`);
  });
}

Deno.test("labelBias() of sampled negatives is none", () => {
  const learner = { negativeRate: 0.2 };
  const { ratio } = labelBias({ ...STREAM, lists: 8000, policy: "window", delayMs: MINUTE, learner });
  assert.ok(Math.abs(ratio - 1) < 0.05, `${ratio}`);
});

Deno.test("Calibration.update() finds the scale and the bias of logits that are both wrong", () => {
  const random = mulberry32(3);
  const calibration = new Calibration(0.001);
  for (let n = 0; n < 200_000; n++) {
    const z = 4 * random() - 3;
    calibration.update(2 * z + 1, random() < sigmoid(z) ? 1 : 0, 1);
  }
  assert.ok(Math.abs(calibration.scale - 0.5) < 0.05, `${calibration.scale}`);
  assert.ok(Math.abs(calibration.bias + 0.5) < 0.1, `${calibration.bias}`);
});

Deno.test("linked() is taken back by unlinked(), and makes p of the odds b/(1−b) where negatives are fake", () => {
  const calibrated: Link = { fakeNegatives: false, scale: 0.7, bias: 0.2 };
  for (const link of [calibrated, { ...calibrated, fakeNegatives: true }]) {
    for (const z of [-9, -2, -0.3]) assert.ok(Math.abs(unlinked(linked(z, link), link) - z) < 1e-9);
  }
  const fnc: Link = { fakeNegatives: true, scale: 1, bias: 0 };
  for (const p of [0.001, 0.2, 0.9]) {
    const b = p / (1 + p);
    assert.ok(Math.abs(sigmoid(linked(Math.log(b / (1 - b)), fnc)) - p) < 1e-9);
  }
  assert.ok(sigmoid(linked(40, fnc)) <= 1);
});

Deno.test("keepRows() keeps all positives and the same share of the negatives every time", () => {
  const rows = Array.from({ length: 20_000 }, (_, n) => ({ item: `i${n}`, label: n % 10 === 0 ? 1 : 0 }));
  const sample = { request: "r", rows } as unknown as Sample;
  const kept = keepRows(sample, 0.25, 7).rows;
  assert.equal(kept.filter(({ label }) => label === 1).length, 2000);
  assert.ok(Math.abs(kept.length - 2000 - 0.25 * 18_000) < 200, `${kept.length}`);
  assert.deepEqual(keepRows(sample, 0.25, 7).rows, kept);
  assert.equal(keepRows(sample, 1, 7), sample);
});
