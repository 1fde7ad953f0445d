import assert from "node:assert/strict";
import { Calibration } from "../../src/learner/calibration.ts";
import { sigmoid } from "../../src/nn/losses/logistic.ts";
import { mulberry32 } from "../../src/draws/random.ts";

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
