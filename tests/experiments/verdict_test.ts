import assert from "node:assert/strict";
import fc from "fast-check";
import { startExperiment } from "../../src/assignment/changes.ts";
import { devianceAt, evidenceOf, inverted, ratioInterval } from "../../src/experiments/evidence.ts";
import type { Experiment } from "../../src/assignment/experiment.ts";
import { SampleRatio } from "../../src/experiments/sample_ratio.ts";
import { Moments } from "../../src/experiments/user_metrics.ts";
import { METRIC_FIELDS, type MetricName } from "../../src/assignment/metrics.ts";
import { compareVariant, verdicts } from "../../src/experiments/verdict.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { firstVerdict } from "../bench/verdicts.ts";
import { breadth } from "../breadth.ts";
import { HARD_WORLDS, type World, WORLDS } from "../bench/verdict_worlds.ts";

const NONE = { records: new Map(), models: [] };
const VARIANTS = [{ name: "A" }, { name: "B" }];

function experimentOf(metric: MetricName, more: Partial<Experiment> = {}): Experiment {
  return startExperiment({ name: "e", variants: VARIANTS, metric, ...more }, NONE);
}

/** An arm of users whose sums are all 1, but for those of `fields`. */
function arm(users: number, fields: Partial<Record<typeof METRIC_FIELDS[number], (user: number) => number>>) {
  const moments = new Moments();
  for (let user = 0; user < users; user++) {
    const sums = METRIC_FIELDS.map((field) => fields[field]?.(user) ?? 1);
    moments.update(Float64Array.from(sums), undefined);
  }
  return moments;
}

const figuresOf = (experiment: Experiment, arms: readonly Moments[]) => ({
  experiment,
  moments: (variant: number) => arms[variant] ?? new Moments(),
});

/** The number of wrong verdicts in `runs` A/A experiments. */
function wrongOf(world: World, split: number, end: number, runs: number, past = false): number {
  const experiment = experimentOf(world.metric, { stopRule: { maxUsers: end } });
  let wrong = 0;
  for (let run = 0; run < runs; run++) {
    if (
      firstVerdict(world, experiment, { split, end, past, allLooks: true }, createRandom(run, 41)).comparison
    ) wrong++;
  }
  return wrong;
}

Deno.test("compareVariant() sees a difference in at most 5 % of A/A experiments, however they are split", () => {
  // With 5 % each, more than 6 of 30 runs come once in 1,700 times, more than 10 of 80 once in 480.
  const [runs, most] = breadth([30, 6], [80, 10]);
  for (const world of Object.values(WORLDS)) {
    for (const split of [0.5, 0.9, 0.98]) {
      const wrong = wrongOf(world, split, 2000, runs);
      assert.ok(wrong <= most, `${world.name}, ${split}: ${wrong} of ${runs}`);
    }
  }
});

Deno.test("compareVariant() errs no more often with heavy tails, very different users, or a known past", () => {
  const [runs, most] = breadth([16, 4], [40, 7]);
  for (const world of [HARD_WORLDS["reward, σ 2"], HARD_WORLDS["CTR, very different people"]]) {
    for (const split of [0.5, 0.9]) {
      for (const past of [false, true]) {
        const wrong = wrongOf(world, split, 2000, runs, past);
        assert.ok(wrong <= most, `${world.name}, ${split}, ${past}: ${wrong} of ${runs}`);
      }
    }
  }
});

Deno.test("compareVariant() sees no difference when one robot has most lists of an arm", () => {
  for (const [lists, clicks] of [[100_000, 5_000], [10_000, 0], [1_000, 900]] as const) {
    const robot = { lists: () => lists, rows: () => lists, clicks: () => clicks };
    const person = { lists: () => 2, rows: () => 20, clicks: (user: number) => user % 5 };
    const [A, B] = [arm(1000, person), arm(1000, person)];
    B.merge(arm(1, robot));
    const { interval, conversions } = compareVariant(
      figuresOf(experimentOf("clicksPerList"), [A, B]),
      1,
      "ctr",
    );
    assert.deepEqual(interval, { low: -Infinity, high: Infinity }, `${lists} lists, ${clicks} clicks`);
    assert.ok(conversions < 15);
  }
});

Deno.test("compareVariant() needs 1.6 times the users of a single look for the same power", () => {
  // 1,250 users of both arms find this lift in 80 % of cases when looked at once (tests/bench/verdicts.ts power).
  const experiment = experimentOf("ctr", { stopRule: { maxUsers: 2000 } });
  let [found, wrong] = [0, 0];
  for (let run = 0; run < 200; run++) {
    const { comparison } = firstVerdict(
      WORLDS.CTR,
      experiment,
      { split: 0.5, end: 2000, lift: 0.145 },
      createRandom(run, 42),
    );
    if (comparison === undefined) continue;
    if (comparison.interval.low > 0) found++;
    else wrong++;
  }
  assert.ok(found >= 145, `${found} of 200`); // 160 ± 2.7 deviations
  assert.ok(wrong <= 1);
});

Deno.test("verdicts() gives none on arms with few users or conversions, and says what is missing", () => {
  const experiment = experimentOf("clicksPerUser", { stopRule: { maxUsers: 2000 } });
  const ratio = new SampleRatio([0.5, 0.5]);
  const tell = (a: Moments, b: Moments) => {
    const [verdict] = verdicts(figuresOf(experiment, [a, b]), ratio);
    return verdict!.text;
  };
  const people = (users: number, clicks: number) =>
    arm(users, { clicks: (u) => Number((u * clicks) % users < clicks) });
  assert.equal(
    tell(people(1900, 400), people(60, 40)),
    "cannot say yet: at least 40 more users in each arm",
  );
  // Nor is there "no difference" once there are all the users that were wanted.
  assert.match(
    tell(people(8000, 80), people(160, 2)),
    /^cannot say yet: clicksPerUser has 1 effective conversions in the smaller arm/,
  );
  assert.match(
    tell(people(900, 20), people(900, 2)),
    /clicksPerUser has 11 effective conversions .* needs 15$/,
  );
  assert.match(
    tell(people(900, 90), people(900, 20)),
    /^B is worse: −77\.8 % \[−\d\d\.\d, −\d\d\.\d\] clicksPerUser$/,
  );
});

Deno.test("verdicts() finds no difference from maxUsers on, and not before", () => {
  const experiment = experimentOf("ctr", { stopRule: { maxUsers: 2000 } });
  const wordOf = (users: number) => {
    const arms = [0, 1].map(() => arm(users, { clicks: (u) => u % 2 }));
    return verdicts(figuresOf(experiment, arms), new SampleRatio([0.5, 0.5]))[0]!.word;
  };
  assert.deepEqual([wordOf(999), wordOf(1000)], ["undecided", "no difference"]);
});

Deno.test("verdicts() stops a variant only for harm beyond the tolerance of a guard rail", () => {
  const arms = [21, 20].map((least) => arm(3000, { clicks: (u) => u % 2, lists: (u) => least + u % 3 }));
  const wordAt = (tolerance: number) => {
    const experiment = experimentOf("ctr", { guardRails: [{ metric: "listsPerUser", tolerance }] });
    return verdicts(figuresOf(experiment, arms), new SampleRatio([0.5, 0.5]))[0]!.word;
  };
  assert.deepEqual([0, 0.03, 0.06].map(wordAt), ["harmful", "harmful", "undecided"]);
});

Deno.test("verdicts() stops a variant that nobody clicks any more", () => {
  const experiment = experimentOf("listsPerUser", { guardRails: [{ metric: "ctr", tolerance: 0.1 }] });
  const half = (user: number) => user % 2;
  const arms = [
    arm(900, { clicks: half, lists: (u) => 1 + u % 3 }),
    arm(900, { clicks: () => 0, lists: (u) => 1 + u % 3 }),
  ];
  const [verdict] = verdicts(figuresOf(experiment, arms), new SampleRatio([0.5, 0.5]));
  assert.equal(verdict!.word, "harmful");
  assert.match(verdict!.text, /^stop: B makes ctr worse: −100\.0 % \[−100\.0, −\d\d\.\d\]$/);
});

Deno.test("verdicts() names the guard rails that cannot be judged yet", () => {
  const experiment = experimentOf("ctr", { guardRails: [{ metric: "reward" }, { metric: "listsPerUser" }] });
  const tell = (reward: (user: number) => number) => {
    const arms = [2, 3].map((clicks) => {
      return arm(3000, { clicks: (u) => Number(u % 10 < clicks), lists: (u) => 1 + u % 3, reward });
    });
    return verdicts(figuresOf(experiment, arms), new SampleRatio([0.5, 0.5]))[0]!.text;
  };
  assert.match(tell(() => 0), /^B is better: .* ctr; nothing is known yet about reward$/);
  assert.match(tell((user) => user < 12 ? 5 : 0), /^B is better: .* ctr; nothing is known yet about reward$/);
  assert.match(tell((user) => user < 300 ? 5 : 0), /^B is better: [^;]* ctr$/);
});

Deno.test("verdicts() says with a ratio that users have more lists, but not with a metric per user", () => {
  const tell = (metric: MetricName, lists: number) => {
    const arms = [1, lists].map((times, b) =>
      arm(3000, { clicks: (u) => Number(u % 10 < 2 + b), lists: (u) => times * (1 + u % 3) })
    );
    return verdicts(figuresOf(experimentOf(metric), arms), new SampleRatio([0.5, 0.5]))[0]!.text;
  };
  assert.match(
    tell("clicksPerList", 2),
    /^B is worse: .* clicksPerList; clicksPerList counts lists, not people, and listsPerUser differs: \+100\.0 % \[/,
  );
  assert.doesNotMatch(tell("ctr", 1), /differs/);
  assert.doesNotMatch(tell("clicksPerUser", 2), /differs/);
});

Deno.test("verdicts() does not mistake a control or variant without clicks for one without an effect", () => {
  const experiment = experimentOf("clicksPerUser");
  const tell = (control: number, variant: number) => {
    const arms = [control, variant].map((clicks) => arm(5000, { clicks: (user) => Number(user < clicks) }));
    return verdicts(figuresOf(experiment, arms), new SampleRatio([0.5, 0.5]))[0]!.text;
  };
  assert.match(tell(0, 31), /^B is better: \+∞ % \[\d+\.\d, ∞\] clicksPerUser$/);
  const few = /^cannot say yet: clicksPerUser has 7 effective conversions in the smaller arm, and needs 15$/;
  assert.match(tell(0, 14), few);
  assert.match(tell(14, 0), few);
  assert.equal(tell(0, 0), "cannot say yet: there are no outcomes to compare");
  const none =
    verdicts(figuresOf(experiment, [arm(0, {}), arm(0, {})]), new SampleRatio([0.5, 0.5]))[0]!.text;
  assert.match(none, /^cannot say yet: no list is settled yet: /);
});

Deno.test("verdicts() compares how far calibrations are from 1", () => {
  const clicks = (user: number) => Number(user % 10 === 0);
  const predicting = (predicted: number) => arm(5000, { clicks, predicted: () => predicted });
  const tell = (a: number, b: number) => {
    const figures = figuresOf(experimentOf("calibration", { stopRule: { maxUsers: 20_000 } }), [
      predicting(a),
      predicting(b),
    ]);
    return verdicts(figures, new SampleRatio([0.5, 0.5]))[0]!.text;
  };
  assert.match(
    tell(0.1, 0.03),
    /^B is worse: \+233\.3 % \[\d+\.\d, \d+\.\d\] distance of calibration from 1$/,
  );
  assert.match(tell(0.1, 0.33), /^B is worse: \+230\.0 %/);
  assert.match(tell(0.03, 0.1), /^B is better: −70\.0 % \[−\d+\.\d, −\d+\.\d\] distance/);
  assert.match(tell(0.05, 0.2), /^cannot say yet/); // as far off on either side
  assert.match(tell(0.03, 0.2), /^B is better: −40\.0 %/);
});

Deno.test("compareVariant() has an interval without 0 exactly when p is at most α, also for calibrations", () => {
  const clicks = (user: number) => Number(user % 10 === 0);
  const seen = { excludes: 0, holds: 0 };
  for (const metric of ["calibration", "clicksPerUser"] as const) {
    const experiment = experimentOf(metric, { stopRule: { alpha: 0.05, maxUsers: 20_000 } });
    for (let run = 0; run < 60; run++) {
      const random = createRandom(run, 77);
      const arms = [0, 1].map(() => {
        const [predicted, share] = [0.03 + 0.3 * random(), 8 + Math.floor(4 * random())];
        return arm(1500, {
          predicted: () => predicted,
          clicks: metric === "calibration" ? clicks : (u) => Number(u % share === 0),
        });
      });
      const { interval, p } = compareVariant(figuresOf(experiment, arms), 1, metric);
      const excludes = interval.low > 0 || interval.high < 0;
      assert.equal(p <= 0.05, excludes, `${metric}, ${run}: p = ${p}, [${interval.low}, ${interval.high}]`);
      seen[excludes ? "excludes" : "holds"]++;
    }
  }
  assert.ok(Math.min(seen.excludes, seen.holds) > 10, JSON.stringify(seen));
});

Deno.test("verdicts() judges each of several guard rails at its share of the error rate", () => {
  const arms = [1, 1.05].map((more) => {
    return arm(3000, { clicks: (u) => Number(u % 9 === 0) * more, lists: (u) => 1 + u % 3 });
  });
  const rails = (["ctr", "listsPerUser", "clicksPerUser"] as const).map((metric) => ({ metric }));
  for (const count of [1, 2, 3]) {
    const experiment = experimentOf("reward", {
      stopRule: { alpha: 0.06 },
      guardRails: rails.slice(0, count),
    });
    const [verdict] = verdicts(figuresOf(experiment, arms), new SampleRatio([0.5, 0.5]));
    const own = experimentOf("reward", { stopRule: { alpha: 0.06 / count } });
    for (const { metric, interval } of verdict!.guardRails) {
      assert.deepEqual(interval, compareVariant(figuresOf(own, arms), 1, metric).interval);
    }
  }
});

const counts = fc.record({
  control: fc.record({
    users: fc.integer({ min: 2, max: 5000 }),
    value: fc.double({ min: 0, max: 9, noNaN: true }),
  }),
  variant: fc.record({
    users: fc.integer({ min: 2, max: 5000 }),
    value: fc.double({ min: 0, max: 9, noNaN: true }),
  }),
  variance: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
  square: fc.double({ min: 1, max: 800, noNaN: true }),
});

Deno.test("ratioInterval() ends where the deviance reaches the critical square", () => {
  fc.assert(fc.property(counts, ({ control, variant, variance, square }) => {
    const armOf = (one: typeof control) => ({
      ...one,
      value: one.value < 1e-6 ? 0 : one.value,
      variance: variance / one.users,
      equalUsers: one.users,
    });
    const [a, b] = [armOf(control), armOf(variant)];
    const evidence = evidenceOf(a, b);
    if (evidence === null) return assert.ok(a.value + b.value === 0);
    fc.pre(evidence.control.conversions + evidence.variant.conversions >= 30); // with fewer it is never called
    const { low, high } = ratioInterval(evidence, square);
    assert.ok(low <= high);
    for (const end of [low, high]) {
      // Some ends are beyond what numbers can hold.
      if (end < 1e-100 || end > 1e100) continue;
      assert.ok(Math.abs(devianceAt(evidence, end) / square - 1) < 1e-6, `${end}`);
    }
    if (b.value === 0) assert.equal(low, 0);
    if (a.value === 0) assert.equal(high, Infinity);
    if (a.value > 0 && b.value > 0) {
      assert.ok(low <= b.value / a.value * 1.000001 && high >= b.value / a.value * 0.999999);
    }
    if (a.value > 0) {
      const { control: same, variant: other } = inverted(evidence);
      const product = other.conversions / other.exposure / (same.conversions / same.exposure);
      assert.ok(Math.abs(product - a.value * b.value) < 1e-9 * (1 + product));
    }
  }));
});

Deno.test("ratioInterval() ends at 0 or Infinity when an arm has next to nothing", () => {
  const [many, hardly] = [{ conversions: 811, exposure: 90 }, { conversions: 0.0018, exposure: 92 }];
  const high = ratioInterval({ control: hardly, variant: many }, 237.6);
  assert.equal(high.high, Infinity);
  assert.ok(high.low > 6 && high.low < 7, `${high.low}`);
  const low = ratioInterval({ control: many, variant: hardly }, 237.6);
  assert.equal(low.low, 0);
  assert.ok(Math.abs(low.high * high.low - 1) < 1e-9, `${low.high}`);
});

Deno.test("compareVariant() rarely sees a difference in calibrations that are off by as much on opposite sides", () => {
  const world = HARD_WORLDS.calibration;
  const experiment = experimentOf("calibration", { stopRule: { maxUsers: 2000 } });
  let wrong = 0;
  for (let run = 0; run < 60; run++) {
    const options = { split: 0.5, end: 1000, lift: 1 };
    const { comparison } = firstVerdict(world, experiment, options, createRandom(run, 43));
    if (comparison !== undefined) wrong++;
  }
  assert.ok(wrong <= 8, `${wrong} of 60`);
});

Deno.test("compareVariant() says nothing of a metric that is undefined or does not vary", () => {
  const experiment = experimentOf("calibration");
  for (
    const [metric, fields] of [
      ["calibration", { clicks: () => 0 }],
      ["ctr", { rows: () => 0, clicks: () => 0 }],
      ["ctr", {}],
      ["reward", { reward: () => 0 }],
      ["ne", { clicks: () => 0 }],
    ] as const
  ) {
    const arms = [arm(500, fields), arm(500, fields)];
    const { interval, p } = compareVariant(figuresOf(experiment, arms), 1, metric);
    assert.deepEqual({ interval, p }, { interval: { low: -Infinity, high: Infinity }, p: 1 }, metric);
  }
});

Deno.test("verdicts() claims no effect when the users of each arm are all alike, whatever rounding leaves", () => {
  fc.assert(fc.property(
    fc.integer({ min: 100, max: 400 }),
    fc.integer({ min: 100, max: 400 }),
    fc.integer({ min: 1, max: 30 }),
    fc.constantFrom(1, 2, 3),
    fc.constantFrom("ctr" as const, "clicksPerList" as const),
    (a, b, rows, more, metric) => {
      const constant = (users: number, clicks: number) =>
        arm(users, { clicks: () => clicks, rows: () => rows });
      const arms = [constant(a, 1), constant(b, more)];
      const experiment = experimentOf(metric, { stopRule: { minUsers: 10, maxUsers: 100 } });
      const figures = figuresOf(experiment, arms);
      const [verdict] = verdicts(figures, new SampleRatio([0.5, 0.5]));
      assert.equal(verdict?.word, more === 1 ? "no difference" : "undecided", verdict!.text);
    },
  ));
});
