/**
 * Calibration of probabilities by level.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { createRandom } from "../../src/draws/random_source.ts";
import { sigmoid } from "../../src/nn/losses/logistic.ts";
import { Levels } from "../../src/scorer/levels.ts";

/** Learns rows with logits spread over [−4, 2], whose true logit is `truth` of that. */
function learn(levels: Levels, rows: number, seed: number, truth: (logit: number) => number): void {
  const random = createRandom(seed);
  for (let row = 0; row < rows; row++) {
    const logit = 6 * random() - 4;
    levels.learn(logit, random() < sigmoid(truth(logit)) ? 1 : 0);
  }
}

/** Mean distance of corrected probabilities from true ones over the same spread. */
function error(correct: (logit: number) => number, truth: (logit: number) => number): number {
  const logits = Array.from({ length: 601 }, (_, at) => at / 100 - 4);
  return logits.reduce((sum, z) => sum + Math.abs(sigmoid(correct(z)) - sigmoid(truth(z))), 0) /
    logits.length;
}

const TOO_SURE = (logit: number) => 0.7 * logit - 0.4;
const AS_SAID = (logit: number) => logit;

Deno.test("Levels.correct() leaves logits unchanged before any outcomes", () => {
  const levels = new Levels();
  for (const logit of [-40, -6.1, -6, -0.3, 0, 3.99, 4, 40]) {
    assert.ok(Math.abs(levels.correct(logit) - logit) < 1e-12, `${logit}`);
  }
});

Deno.test("Levels.correct() comes close to the truth where predictions are biased and too sure", () => {
  for (let seed = 0; seed < 10; seed++) {
    const levels = new Levels();
    learn(levels, 30_000, seed, TOO_SURE);
    const [before, after] = [AS_SAID, (z: number) => levels.correct(z)].map((by) => error(by, TOO_SURE));
    assert.ok(after! < 0.4 * before!, `${before} to ${after}`);
  }
});

Deno.test("Levels.correct() does little harm to calibrated predictions", () => {
  for (let seed = 0; seed < 10; seed++) {
    const levels = new Levels();
    learn(levels, 30_000, seed, AS_SAID);
    assert.ok(error((z) => levels.correct(z), AS_SAID) < 0.012, `seed ${seed}`);
  }
});

Deno.test("Levels.correct() follows the truth when it changes, however much it had learnt before", () => {
  const levels = new Levels();
  learn(levels, 300_000, 1, TOO_SURE);
  learn(levels, 60_000, 2, AS_SAID);
  assert.ok(error((z) => levels.correct(z), AS_SAID) < 0.2 * error(TOO_SURE, AS_SAID));
});

const ROWS = fc.array(
  fc.record({
    logit: fc.double({ min: -30, max: 30, noNaN: true }),
    label: fc.integer({ min: 0, max: 1 }),
    times: fc.integer({ min: 1, max: 2000 }),
  }),
  { maxLength: 12 },
);

Deno.test("Levels.correct() never falls where the logit rises, whatever it has learnt", () => {
  fc.assert(fc.property(ROWS, (rows) => {
    const levels = new Levels();
    for (const { logit, label, times } of rows) for (let n = 0; n < times; n++) levels.learn(logit, label);
    let last = -Infinity;
    for (let logit = -10; logit < 8; logit += 0.05) {
      const corrected = levels.correct(logit);
      assert.ok(corrected >= last - 1e-12, `${corrected} after ${last}`);
      last = corrected;
    }
  }));
});

Deno.test("Levels.correct() leaves right levels alone when another is far too sure", () => {
  for (const truth of [0.5, 0]) {
    const [levels, random] = [new Levels(), createRandom(38)];
    for (let row = 0; row < 400_000; row++) {
      if (row % 20 === 0) levels.learn(4, random() < truth ? 1 : 0);
      else {
        const logit = 3.6 * random() - 3.2;
        levels.learn(logit, random() < sigmoid(logit) ? 1 : 0);
      }
    }
    const top = sigmoid(levels.correct(4)); // without positives, it cannot fall below levels that are right
    assert.ok(0.5 < top && top < 0.65, `${truth}: ${top}`);
    for (const logit of [-3, -2, -1, 0]) {
      const [p, right] = [sigmoid(levels.correct(logit)), sigmoid(logit)];
      assert.ok(Math.abs(p - right) < 0.03, `${truth}: ${p} at ${right}`);
    }
  }
});

Deno.test("Levels.restore() continues like the encoded levels, to the bit", () => {
  fc.assert(fc.property(ROWS, ROWS, (before, after) => {
    const [one, other] = [new Levels(), new Levels()];
    const learn = (levels: Levels, rows: typeof before) => {
      for (const { logit, label, times } of rows) for (let n = 0; n < times; n++) levels.learn(logit, label);
    };
    learn(one, before);
    for (const [name, value] of one.counters()) {
      assert.ok(Number.isSafeInteger(value) && value > 0, `${name} is ${value}`);
      other.restore(name, value);
    }
    for (const levels of [one, other]) learn(levels, after);
    assert.deepEqual([...other.counters()], [...one.counters()]);
    for (const logit of [-9, -2.2, 0.1, 5]) assert.equal(other.correct(logit), one.correct(logit));
  }));
});

Deno.test("Levels.restore() ignores unknown counters", () => {
  const levels = new Levels();
  for (const name of ["said21", "came99", "said", "other3", "said-1"]) levels.restore(name, 5);
  assert.deepEqual([...levels.counters()], []);
});
