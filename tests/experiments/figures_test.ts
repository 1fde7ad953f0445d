import assert from "node:assert/strict";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import fc from "fast-check";
import { startExperiment } from "../../src/assignment/changes.ts";
import { effectOf } from "../../src/experiments/effect.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import { SampleRatio } from "../../src/experiments/sample_ratio.ts";
import { ExperimentTotals } from "../../src/experiments/totals.ts";
import { Moments, sumsOf, valueOf } from "../../src/experiments/user_metrics.ts";
import { METRIC_FIELDS } from "../../src/assignment/metrics.ts";
import { verdicts } from "../../src/experiments/verdict.ts";
import { createRandom, normal } from "../../src/draws/random_source.ts";
import { list } from "./lists.ts";

const NONE = { records: new Map(), models: [] };

function user(clicks: number, rows: number): Float64Array {
  return sumsOf(list("u", clicks, { rows }));
}

const people = fc.array(fc.tuple(fc.nat(5), fc.integer({ min: 5, max: 12 })), {
  minLength: 5,
  maxLength: 40,
});

Deno.test("effectOf() has the variance of the users' influences", () => {
  fc.assert(fc.property(people, people, (a, b) => {
    const [control, variant] = [a, b].map((users) => {
      const moments = new Moments();
      for (const [clicks, rows] of users) moments.update(user(clicks, rows), undefined);
      return moments;
    }) as [Moments, Moments];
    const { control: arm } = effectOf(control, variant, "ctr", false);
    const [y, x] = [0, 1].map((i) => a.reduce((sum, pair) => sum + pair[i]!, 0)) as [number, number];
    const influences = a.map(([clicks, rows]) => (clicks - y / x * rows) / (x / a.length));
    const variance = influences.reduce((sum, i) => sum + i * i, 0) / a.length / (a.length - 1);
    assert.ok(Math.abs(arm.value! - y / x) < 1e-12);
    assert.ok(Math.abs(arm.variance - variance) < 1e-9 * (1 + variance));
  }));
});

Deno.test("effectOf() states a variance of NE that matches its spread over simulated users", () => {
  const random = createRandom(11);
  const draw = (users: number) => {
    const moments = new Moments();
    for (let u = 0; u < users; u++) {
      const rows = 5 + Math.floor(10 * random());
      moments.update(user(Array.from({ length: rows }).filter(() => random() < 0.2).length, rows), undefined);
    }
    return moments;
  };
  const values: number[] = [];
  let stated = 0;
  for (let run = 0; run < 400; run++) {
    const moments = draw(300);
    const { control } = effectOf(moments, moments, "ne", false);
    values.push(control.value!);
    stated += control.variance / 400;
  }
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const spread = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1);
  assert.ok(Math.abs(spread / stated - 1) < 0.3, `${spread} against ${stated}`); // 4 deviations of χ²₃₉₉
  const moments = draw(50);
  const [c, n] = [moments.total("clicks"), moments.total("rows")];
  const entropy = -(c * Math.log(c / n) + (n - c) * Math.log(1 - c / n));
  assert.ok(Math.abs(valueOf("ne", moments)! - moments.total("loss") / entropy) < 1e-12);
  assert.equal(valueOf("ne", new Moments()), null);
});

Deno.test("effectOf() with CUPED narrows the interval by what the pre-period explains, and stays unbiased", () => {
  const random = createRandom(5);
  const lifts: number[] = [];
  let [plain, cuped, explained] = [0, 0, 0];
  const draw = (p: number, n: number) => Array.from({ length: n }).filter(() => random() < p).length;
  for (let run = 0; run < 60; run++) {
    const arms = [0.3, 0.33].map((rate) => {
      const moments = new Moments();
      for (let u = 0; u < 400; u++) {
        const taste = 0.5 * normal(random);
        const p = (rate: number) => 1 / (1 + Math.exp(-Math.log(rate / (1 - rate)) - taste));
        moments.update(user(draw(p(rate), 20), 20), user(draw(p(0.3), 20), 20));
      }
      return moments;
    }) as [Moments, Moments];
    const without = effectOf(...arms, "ctr", false);
    const effect = effectOf(...arms, "ctr");
    lifts.push(effect.lift!);
    plain += without.variance;
    cuped += effect.variance;
    explained += effect.explained / 60;
  }
  assert.ok(cuped < 0.8 * plain, `${cuped / plain}`);
  assert.ok(explained > 0.2 && explained < 1, `${explained}`);
  const mean = lifts.reduce((sum, lift) => sum + lift, 0) / 60;
  const observed = lifts.reduce((sum, lift) => sum + (lift - mean) ** 2, 0) / 59;
  assert.ok(Math.abs(mean - 0.092) < 4 * Math.sqrt(observed / 60), `${mean}`);
  // The stated variance is the real one: a χ² with 59 degrees of freedom stays within these bounds.
  assert.ok(cuped / 60 / observed > 0.6 && cuped / 60 / observed < 1.8, `${cuped / 60 / observed}`);
});

Deno.test("ExperimentTotals has the same figures however users are split over tasks", () => {
  const experiment = startExperiment({ name: "e", variants: [{ name: "A" }, { name: "B" }] }, NONE);
  const visits = fc.array(fc.tuple(fc.nat(12), fc.nat(4), fc.boolean()), { maxLength: 60 });
  fc.assert(fc.property(visits, fc.integer({ min: 1, max: 4 }), (visits, tasks) => {
    const whole = new ExperimentTotals(experiment);
    const parts = Array.from({ length: tasks }, () => new ExperimentTotals(experiment));
    visits.forEach(([id, clicks, exposed], time) => {
      const variant = id % 2 === 0 ? "A" : "B";
      const sample = list(`u${id}`, clicks, exposed ? { time, exposure: ["e", variant] } : { time });
      whole.update(sample);
      parts[id % tasks]!.update(sample);
    });
    for (const variant of [0, 1]) {
      const merged = new Moments();
      for (const part of parts) merged.merge(part.moments(variant));
      const [a, b] = [whole.moments(variant).sums, merged.sums];
      for (let i = 0; i < a.length; i++) assert.ok(Math.abs(a[i]! - b[i]!) < 1e-6 * (1 + Math.abs(a[i]!)));
    }
  }));
});

Deno.test("ExperimentTotals leaves out overrides and users who changed variant, and has the pre-period", () => {
  const variants = [{ name: "A" }, { name: "B" }];
  const experiment = startExperiment({ name: "e", variants, overrides: { boss: "B" } }, NONE);
  const joined: number[] = [];
  const totals = new ExperimentTotals(experiment, { onUser: (variant) => joined.push(variant) });
  totals.update(list("ann", 3, { time: 1 }));
  totals.update(list("ann", 2, { time: 2, exposure: ["e", "B"] }));
  totals.update(list("ann", 4, { time: 3, exposure: ["e", "A"] }));
  totals.update(list("boss", 9, { time: 4, exposure: ["e", "B"] }));
  totals.update(list("bob", 1, { time: 5, exposure: ["e", "A"] }));
  assert.deepEqual(joined, [1, 0]);
  assert.equal(totals.moved, 1);
  assert.deepEqual([0, 1].map((v) => totals.moments(v).total("clicks")), [1, 2]);
  assert.equal(totals.moments(1).get(METRIC_FIELDS.length + METRIC_FIELDS.indexOf("clicks"), 0), 3);
  assert.equal(totals.moments(1, "new").users, 0);
});

Deno.test("PrePeriod keeps users as long as their past may count", () => {
  const day = 86_400_000;
  const period = new PrePeriod();
  for (let d = 0; d < 40; d++) {
    period.update(list(`once${d}`, 1, { time: d * day }));
    period.update(list("often", 1, { time: d * day }));
    const gone = period.prune(d * day);
    assert.deepEqual(gone, d < 29 ? [] : [`once${d - 29}`]);
    assert.equal(period.before(`once${d}`, (d + 14) * day)?.[1], 1);
    assert.equal(period.before(`once${d}`, (d + 15) * day), undefined);
  }
  assert.equal(period.before("often", 40 * day)?.[1], 40);
  const restored = new PrePeriod();
  for (const user of ["once20", "often"]) {
    const to = new ByteWriter();
    period.encodeUser(to, user);
    restored.decodeUser(new ByteReader(to.toBytes()), user);
  }
  assert.deepEqual(restored.prune(49 * day), ["once20"]);
  assert.deepEqual(restored.before("often", 40 * day), period.before("often", 40 * day));
});

Deno.test("ExperimentTotals leaves lists that were open at the first exposure out of the past", () => {
  const variants = [{ name: "A" }, { name: "B" }];
  const totals = new ExperimentTotals(startExperiment({ name: "e", variants }, NONE));
  for (const [time, closedTime] of [[1, 2], [3, 9], [4, 6], [5, 12]] as const) {
    totals.update(list("ann", time, { time, closedTime }));
  }
  totals.update(list("ann", 0, { time: 9, exposure: ["e", "A"] }));
  const clicks = METRIC_FIELDS.length + METRIC_FIELDS.indexOf("clicks");
  assert.equal(totals.moments(0).get(clicks, 0), 1 + 3 + 4);
});

Deno.test("verdicts() puts each verdict into a plain sentence", () => {
  const experiment = startExperiment({
    name: "e",
    variants: [{ name: "A" }, { name: "B" }],
    guardRails: [{ metric: "listsPerUser", tolerance: 0.1 }],
    stopRule: { maxUsers: 4000 },
  }, NONE);
  const tell = (
    rates: readonly [number, number],
    users: number,
    lists: readonly [number, number] = [1, 1],
    intended = 0.5,
  ) => {
    const random = createRandom(2);
    const ratio = new SampleRatio([intended, 1 - intended]);
    const totals = new ExperimentTotals(experiment, { onUser: (variant) => ratio.update(variant) });
    for (let u = 0; u < users; u++) {
      const arm = u % 2;
      const visits = lists[arm]! + Number(lists[arm]! > 1 && u % 3 === 0);
      for (let time = 0; time < visits; time++) {
        const clicks = Array.from({ length: 10 }).filter(() => random() < rates[arm]!).length;
        totals.update(list(`u${u}`, clicks, { time, exposure: ["e", "AB"[arm]!] }));
      }
    }
    return verdicts(totals, ratio)[0]!.text;
  };
  assert.match(tell([0.1, 0.2], 2000), /^B is better: \+\d+\.\d % \[\d+\.\d, \d+\.\d\] ctr$/);
  assert.match(tell([0.2, 0.1], 2000), /^B is worse: −\d+\.\d % \[−\d+\.\d, −\d+\.\d\] ctr$/);
  assert.match(
    tell([0.1, 0.106], 1000),
    /^cannot say yet: about \d+ more users if the effect is the \+\d+\.\d % \[−\d+\.\d, \d+\.\d\] that it looks like$/,
  );
  assert.match(tell([0.1, 0.2], 100), /^cannot say yet: at least 50 more users in each arm$/);
  assert.match(
    tell([0.002, 0.002], 1000),
    /^cannot say yet: ctr has \d+ effective conversions in the smaller arm, and needs 15$/,
  );
  assert.match(tell([0.1, 0.1], 4200), /^no difference found in 4200 users/);
  assert.equal(tell([1, 1], 4200), "no difference found in 4200 users: +0.0 % [−∞, ∞] ctr");
  assert.match(tell([0.1, 0.2], 2000, [2, 1]), /^stop: B makes listsPerUser worse: −\d+\.\d %/);
  assert.match(
    tell([0.1, 0.2], 2000, [2, 1], 0.9),
    /^stop: B makes listsPerUser worse: −\d+\.\d % .*; invalid: users are split 50:50 /,
  );
  const skewed = new SampleRatio([0.5, 0.5]);
  for (let u = 0; u < 10_000; u++) skewed.update(u % 100 < 48 ? 0 : 1);
  const [verdict] = verdicts(new ExperimentTotals(experiment), skewed);
  assert.match(verdict!.text, /^invalid: users are split 48:52 \(4800 and 5200 users, p = /);
});
