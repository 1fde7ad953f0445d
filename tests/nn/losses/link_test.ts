import assert from "node:assert/strict";
import { type Link, linked, unlinked } from "../../../src/nn/losses/link.ts";
import { sigmoid } from "../../../src/nn/losses/logistic.ts";

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
