import assert from "node:assert/strict";
import fc from "fast-check";
import { startExperiment } from "../../src/assignment/changes.ts";
import { type MetricName, METRICS } from "../../src/assignment/metrics.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import { ExperimentTotals } from "../../src/experiments/totals.ts";
import { compareVariant } from "../../src/experiments/verdict.ts";
import { keysOf } from "../../src/values/record.ts";
import { experimentOf, firstVerdict } from "../bench/verdicts.ts";
import { ROBOT_WORLDS } from "../bench/verdict_worlds.ts";
import { list, restored } from "./lists.ts";

Deno.test("compareVariant() decides in spite of robots, in the right direction", () => {
  for (const world of ROBOT_WORLDS) {
    const experiment = experimentOf(world.metric, { maxUsers: 4000 });
    let right = 0;
    for (let run = 0; run < 10; run++) {
      const options = { split: 0.5, end: 4000, lift: world.metric === "ctr" ? 0.3 : 0.2 };
      const { comparison } = firstVerdict(world, experiment, options, createRandom(run, 71));
      if (comparison !== undefined) right += comparison.interval.low > 0 ? 1 : -10;
    }
    assert.ok(right >= 7, `${world.name}: ${right} of 10`);
  }
});

Deno.test("compareVariant() sees a difference in at most 5 % of A/A experiments with robots", () => {
  for (const world of ROBOT_WORLDS) {
    for (const split of [0.5, 0.9]) {
      const experiment = experimentOf(world.metric, { maxUsers: 2000 });
      let wrong = 0;
      for (let run = 0; run < 20; run++) {
        const { comparison } = firstVerdict(world, experiment, { split, end: 2000 }, createRandom(run, 72));
        if (comparison !== undefined) wrong++;
      }
      assert.ok(wrong <= 5, `${world.name}, ${split}: ${wrong} of 20`); // 6 come once in 3,000 times at 5 %
    }
  }
});

const NAMES = ["A", "B"] as const;
const EXPERIMENT = startExperiment({ name: "e", variants: NAMES.map((name) => ({ name })) }, {
  records: new Map(),
  models: [],
});

function newTotals(prePeriod: PrePeriod): ExperimentTotals {
  return new ExperimentTotals(EXPERIMENT, { prePeriod });
}

/** The sums behind every metric, in both arms. */
function figuresOf(totals: ExperimentTotals): readonly number[] {
  return keysOf(METRICS).flatMap((metric) =>
    [0, 1].flatMap((variant) => [...totals.moments(variant, undefined, metric).sums])
  );
}

function assertSame(a: readonly number[], b: readonly number[]) {
  const at = a.findIndex((value, i) => !(Math.abs(value - b[i]!) <= 1e-9 * (1 + Math.abs(value))));
  assert.equal(at, -1, `${a[at]} and ${b[at]}`);
}

const visits = fc.array(fc.tuple(fc.nat(15), fc.nat(5)), { minLength: 1, maxLength: 60 });

Deno.test("ExperimentTotals cuts the same users in any order, and after a restart at any time", () => {
  fc.assert(fc.property(visits, fc.nat(60), fc.nat(15), (visits, stop, robot) => {
    // Users from 10 on have a past; the robot has one, too.
    const past = [
      ...visits.filter(([id]) => id >= 10),
      ...Array.from({ length: 40 }, () => [robot, 9] as const),
    ]
      .map(([id, clicks]) => list(`u${id}`, clicks));
    const lists = [...visits, ...Array.from({ length: 50 }, () => [robot, 10] as const)]
      .map(([id, clicks], time) => list(`u${id}`, clicks, { time, exposure: ["e", NAMES[id % 2]!] }));
    const users = [...new Set([...past, ...lists].map(({ user }) => user))];
    const periods = [new PrePeriod(), new PrePeriod()] as const;
    for (const sample of past) for (const period of periods) period.update(sample);
    const [whole, batch] = [newTotals(periods[0]), newTotals(periods[0])];
    let restarted = newTotals(periods[1]);
    for (const [at, sample] of lists.entries()) {
      whole.update(sample);
      if (at === stop) restarted = restored(restarted, newTotals(periods[1]), users);
      restarted.update(sample);
    }
    for (const user of users.toReversed()) {
      for (const sample of lists) if (sample.user === user) batch.update(sample);
    }
    assertSame(figuresOf(whole), figuresOf(batch));
    assertSame(figuresOf(whole), figuresOf(restarted));
  }));
});

Deno.test("ExperimentTotals keeps a forgotten robot cut", () => {
  const totals = newTotals(new PrePeriod());
  for (let u = 0; u < 400; u++) {
    for (let time = 0; time < (u === 0 ? 300 : 2); time++) {
      totals.update(list(`u${u}`, u === 0 ? 10 : u % 3, { time, exposure: ["e", NAMES[u % 2]!] }));
    }
  }
  const valueOf = (metric: MetricName) => compareVariant(totals, 1, metric).effect.control.value!;
  const before = keysOf(METRICS).map(valueOf);
  totals.forget("u0");
  keysOf(METRICS).forEach((metric, at) => {
    const value = valueOf(metric);
    assert.ok(Math.abs(value - before[at]!) <= 0.05 * value, `${metric}: ${value}, ${before[at]} before`);
  });
  assert.equal(totals.moments(0).users, 200);
});

Deno.test("ExperimentTotals counts users with as much as all others in full, and cuts one with more to theirs", () => {
  const totals = newTotals(new PrePeriod());
  for (let u = 0; u < 100; u++) {
    for (let time = 0; time < (u === 7 ? 50 : 2); time++) {
      totals.update(list(`u${u}`, 1, { time, exposure: ["e", "A"] }));
    }
  }
  const total = (metric: MetricName) => totals.moments(0, undefined, metric);
  assert.equal(total("listsPerUser").total("lists"), 200);
  assert.equal(total("ctr").total("rows"), 2000);
  assert.equal(total("ctr").total("clicks"), 200);
  assert.equal(total("clicksPerUser").total("clicks"), 200);
  assert.equal(totals.moments(0).total("lists"), 248);
});
