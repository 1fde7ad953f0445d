import assert from "node:assert/strict";
import { BettingSequence, sequenceInterval, sequenceP } from "../../src/experiments/confidence_sequence.ts";
import { SampleRatio, seenLoss } from "../../src/experiments/sample_ratio.ts";
import { createRandom, normal } from "../../src/simulator/random.ts";

Deno.test("sequenceInterval() ends where sequenceP() says so, and is narrowest where it is tuned", () => {
  const estimate = { value: 0.3, variance: 0.01, n: 700 };
  const { low } = sequenceInterval(estimate, { alpha: 0.05, tunedFor: 1000 });
  assert.ok(Math.abs(sequenceP(estimate, low, { alpha: 0.05, tunedFor: 1000 }) - 0.05) < 1e-9);
  const width = (tunedFor: number) =>
    sequenceInterval({ value: 0, variance: 1, n: 1000 }, { alpha: 0.05, tunedFor }).high;
  assert.ok(width(1000) < Math.min(width(300), width(3000)));
});

Deno.test("sequenceInterval() leaves the truth out as rarely as it says when looked at all the time", () => {
  const random = createRandom(11);
  let [wrong, naive] = [0, 0];
  for (let run = 0; run < 400; run++) {
    let [sum, out, outNaive] = [0, false, false];
    for (let n = 1; n <= 2000; n++) {
      sum += normal(random);
      if (n < 20) continue;
      const estimate = { value: sum / n, variance: 1 / n, n };
      const { low, high } = sequenceInterval(estimate, { alpha: 0.05, tunedFor: 500 });
      out ||= low > 0 || high < 0;
      outNaive ||= Math.abs(sum) > 1.96 * Math.sqrt(n);
    }
    wrong += Number(out);
    naive += Number(outNaive);
  }
  assert.ok(wrong <= 30, `${wrong} of 400, expected at most 20`);
  assert.ok(naive >= 120, `${naive} of 400`);
});

Deno.test("BettingSequence() holds the truth at all times and closes in on it", () => {
  const random = createRandom(3);
  let wrong = 0;
  for (let run = 0; run < 60; run++) {
    const sequence = new BettingSequence(0.1, { low: 0, high: 2 });
    let out = false;
    for (let n = 0; n < 500; n++) {
      sequence.update(random() < 0.2 ? 2 : 0);
      const { low, high } = sequence.get();
      out ||= low > 0.4 || high < 0.4;
    }
    wrong += Number(out);
    assert.ok(sequence.get().high - sequence.get().low < 0.35);
  }
  assert.ok(wrong <= 12, `${wrong} of 60, expected at most 6`);
  assert.throws(() => new BettingSequence(0.1).update(1.5), /Cannot take an observation/);
});

Deno.test("SampleRatio() raises the alarm when users are lost and seldom otherwise", () => {
  const random = createRandom(8);
  let [alarms, caught] = [0, 0];
  for (let run = 0; run < 100; run++) {
    const [sound, lossy] = [new SampleRatio([0.5, 0.5]), new SampleRatio([0.5, 0.5])];
    for (let user = 0; user < 20_000; user++) {
      const arm = random() < 0.5 ? 0 : 1;
      sound.update(arm);
      if (arm === 0 || random() > 0.1) lossy.update(arm);
    }
    alarms += Number(sound.mismatch);
    caught += Number(lossy.mismatch);
  }
  assert.ok(alarms <= 4, `${alarms} false alarms of 100, expected at most 1`);
  assert.equal(caught, 100);
  assert.throws(() => new SampleRatio([0.5, 0.6]), /must be above 0 and sum to 1/);
});

Deno.test("seenLoss() is what SampleRatio() sees in about 95 % of cases", () => {
  for (const [users, share] of [[5000, 0.5], [20_000, 0.1]] as const) {
    const lost = seenLoss(users, share);
    let caught = 0;
    for (let run = 0; run < 100; run++) {
      const random = createRandom(run, 9);
      const ratio = new SampleRatio([share, 1 - share]);
      for (let u = 0; u < users && !ratio.mismatch; u++) {
        const arm = random() < share ? 0 : 1;
        if (arm === 1 || random() >= lost) ratio.update(arm);
      }
      caught += Number(ratio.mismatch);
    }
    assert.ok(caught >= 90 && caught <= 99, `${caught} of 100`);
  }
});
