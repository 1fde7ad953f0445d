import assert from "node:assert/strict";
import { bernoulliThompson } from "../../src/experiments/bernoulli_thompson.ts";
import { ESTIMATORS, evaluatePolicy, type LoggedList, SLATES } from "../../src/experiments/off_policy.ts";
import { createRandom, type Random } from "../../src/draws/random_source.ts";
import { banditContexts, drawLog } from "../bench/bandit.ts";

const [logging, target] = [{ name: "boltzmann", temperature: 1.5 }, {
  name: "boltzmann",
  temperature: 0.7,
}] as const;

Deno.test("evaluatePolicy() gives the log's own mean for the policy that made it, with any estimator", () => {
  const { contexts } = banditContexts(20, 2, logging);
  const log = drawLog(contexts, { lists: 500, length: 2, logging, target: logging, random: createRandom(1) });
  for (const slate of SLATES) {
    const { logged, estimates, overlap } = evaluatePolicy(log, { slate, resamples: 0 });
    assert.ok(Math.abs(overlap.effective - 500) < 1e-6 && Math.abs(overlap.maxWeight - 1) < 1e-9);
    for (const { estimator, value } of estimates) {
      if (estimator === "ips" || estimator === "snips") assert.ok(Math.abs(value - logged) < 1e-9, estimator);
      else assert.ok(Math.abs(value - logged) < 0.05, `${estimator} ${value} ${logged}`);
    }
  }
});

Deno.test("evaluatePolicy() refuses once the mean weight is three standard errors below 1", () => {
  // A weight of 2 for some lists and 0 for all others: a mean of 0.91 and 0.88, 2.9 and 3.8 standard errors below 1.
  const log = (weighted: number) =>
    Array.from({ length: 1000 }, (_, n) => ({
      unit: `u${n}`,
      places: [{ logged: 0.5, target: Number(n < weighted), reward: n % 2, predicted: 0, expected: 0 }],
    }));
  assert.deepEqual(evaluatePolicy(log(455), { resamples: 0 }).refusals, []);
  assert.match(
    evaluatePolicy(log(440), { resamples: 0 }).refusals.join(),
    /^support is missing: the weights average 0.880, /,
  );
});

Deno.test("evaluatePolicy() covers the truth as often as it claims, most tightly with DR", () => {
  for (const length of [1, 2]) {
    const { contexts, truth } = banditContexts(40, length, target);
    const held = new Map(ESTIMATORS.map((name) => [name, 0]));
    const width = new Map(ESTIMATORS.map((name) => [name, 0]));
    const runs = 60;
    for (let run = 0; run < runs; run++) {
      const log = drawLog(contexts, { lists: 400, length, logging, target, random: createRandom(run, 7) });
      for (const { estimator, normal } of evaluatePolicy(log, { resamples: 0 }).estimates) {
        held.set(estimator, held.get(estimator)! + Number(normal.low <= truth && truth <= normal.high));
        width.set(estimator, width.get(estimator)! + normal.high - normal.low);
      }
    }
    // With 95 %, fewer than 50 of 60 happens once in a thousand.
    for (const name of ESTIMATORS) {
      assert.ok(held.get(name)! >= 50, `${name} held ${held.get(name)} of ${runs}`);
    }
    assert.ok(width.get("dr")! < Math.min(width.get("ips")!, width.get("snips")!));
  }
});

Deno.test("evaluatePolicy() has bootstrap intervals that are no narrower when resamples are few", () => {
  const random = createRandom(11, 1);
  const [runs, truth] = [1500, 0.5];
  let held = 0;
  for (let run = 0; run < runs; run++) {
    const log = Array.from({ length: 200 }, (_, n): LoggedList => ({
      unit: `u${n}`,
      places: [{ target: 0.5, logged: 0.5, reward: random(), predicted: 0, expected: 0 }],
    }));
    const [ips] = evaluatePolicy(log, { resamples: 40, seed: run }).estimates;
    held += Number(ips!.bootstrap!.low <= truth && truth <= ips!.bootstrap!.high);
  }
  // Of 40 resamples the second and the last but one hold 90 % only. The standard error is 0.6 %.
  assert.ok(held / runs > 0.93 && held / runs < 0.97, `${held / runs}`);
});

Deno.test("evaluatePolicy() treats lists of one unit as dependent", () => {
  const list = (unit: string, reward: number): LoggedList => ({
    unit,
    places: [{ target: 0.5, logged: 0.5, reward, predicted: 0, expected: 0 }],
  });
  const apart = Array.from({ length: 100 }, (_, n) => list(`u${n}`, n % 2));
  const together = Array.from({ length: 100 }, (_, n) => list(`u${n % 10}`, n % 2));
  const half = (log: LoggedList[]) => evaluatePolicy(log, { resamples: 0 }).loggedError;
  assert.ok(half(together) > 3 * half(apart));
});

Deno.test("evaluatePolicy() covers the truth when few users have many lists, and refuses when users are too few", () => {
  const truth = 0.4;
  const draw = (random: Random, users: number): LoggedList[] =>
    Array.from({ length: users }, (_, u) => {
      // A user's lists are alike, and some users have ten times as many.
      const [rate, lists] = [0.1 + 0.6 * random(), random() < 0.1 ? 20 : 2];
      return Array.from({ length: lists }, (): LoggedList => {
        const good = random() < 0.5;
        return {
          unit: `u${u}`,
          places: [{
            target: good ? 0.75 : 0.25,
            logged: 0.5,
            reward: random() < (good ? rate + 0.1 : rate - 0.1) ? 1 : 0,
            predicted: good ? 0.5 : 0.3,
            expected: 0.45,
          }],
        };
      });
    }).flat();
  const held = new Map(ESTIMATORS.map((name) => [name, 0]));
  let runs = 0;
  for (let run = 0; run < 300; run++) {
    const log = draw(createRandom(run, 12), 150);
    const { estimates } = evaluatePolicy(log, { resamples: 0 });
    runs += Number(estimates.length > 0);
    for (const { estimator, normal } of estimates) {
      const inside = normal.low <= truth + 0.05 && truth + 0.05 <= normal.high;
      held.set(estimator, held.get(estimator)! + Number(inside));
    }
  }
  assert.ok(runs > 250, `${runs}`);
  for (const name of ESTIMATORS) {
    const share = held.get(name)! / runs;
    assert.ok(share > 0.91 && share <= 0.99, `${name} held ${share} of ${runs}`);
  }
  const few = evaluatePolicy(draw(createRandom(1), 20), { resamples: 0 });
  assert.match(few.refusals[0]!, /worth \d+\.\d independent units of equal size, but intervals need 30/);
  assert.deepEqual(few.estimates, []);
  const one = draw(createRandom(1), 1);
  assert.equal(evaluatePolicy(one, { resamples: 0, force: true }).estimates[0]!.normal.high, Infinity);
});

Deno.test("evaluatePolicy() refuses when the log says too little, and says why", () => {
  let units = 0;
  const list = (logged: number, target: number): LoggedList => ({
    unit: `u${units++}`,
    places: [{ target, logged, reward: 1, predicted: 0, expected: 0 }],
  });
  const few = [
    ...Array.from({ length: 990 }, () => list(0.5, 0.45)),
    ...Array.from({ length: 10 }, () => list(0.001, 0.05)),
  ];
  const { refusals, estimates } = evaluatePolicy(few);
  assert.match(
    refusals[0]!,
    /^the log is worth \d+ of its 1000 lists to this policy, which needs 100; the largest weight is 50$/,
  );
  assert.deepEqual(estimates, []);
  assert.equal(evaluatePolicy(few, { force: true, resamples: 10 }).estimates.length, 3);
  // Half of what the policy does was never logged.
  const missing = Array.from({ length: 1000 }, () => list(1, 0.5));
  assert.match(
    evaluatePolicy(missing).refusals[0]!,
    /support is missing: the weights average 0.500, .* about 50 %/,
  );
  assert.deepEqual(evaluatePolicy(few, { clip: 2, resamples: 0 }).refusals, []);
  // An older release logged a uniform choice of four as one of two.
  const wrong = Array.from({ length: 1000 }, (_, n) => list(0.25, n % 2 === 0 ? 0.5 : 0.1));
  assert.match(
    evaluatePolicy(wrong).refusals[0]!,
    /^the logged probabilities are wrong: .* average 1\.200, not 1/,
  );
  // Without a click no rate is known, and an interval of width 0 would claim that one is.
  const bought = (count: number) =>
    Array.from({ length: 1000 }, (_, n): LoggedList => {
      const { unit, places: [place] } = list(0.5, 0.5);
      return { unit, places: [{ ...place!, reward: n < count ? 1 : 0 }] };
    });
  assert.match(
    evaluatePolicy(bought(0)).refusals[0]!,
    /^the rewards of this policy are worth 0\.0 independent units/,
  );
  assert.match(
    evaluatePolicy(bought(9)).refusals[0]!,
    /worth 9\.0 independent units of equal size, but intervals need 10 or more; 1\.2 times as many units/,
  );
  assert.deepEqual(evaluatePolicy(bought(11), { resamples: 0 }).refusals, []);
  assert.throws(() => evaluatePolicy([]), /empty log/);
  assert.throws(() => evaluatePolicy([list(0, 1)]), /logged probability is 0/);
  assert.throws(() => evaluatePolicy([list(0.5, 1.5)]), /target probability is 1.5/);
  const [place] = list(0.5, 0.5).places;
  const broken = { unit: "u", places: [{ ...place!, reward: NaN }] };
  assert.throws(() => evaluatePolicy([broken]), /its reward is NaN, not a finite number/);
});

Deno.test("evaluatePolicy() says how much larger a log would do: as much suffices, and less does not", () => {
  const small: LoggedList[] = Array.from({ length: 21 }, (_, n) => {
    const target = n % 7 === 0 ? 0.9 : 0.2, logged = 0.3;
    return { unit: `u${n}`, places: [{ target, logged, reward: n % 3, predicted: 0, expected: 0 }] };
  });
  const times = (count: number) =>
    Array.from({ length: count }, (_, n) => small.map((list) => ({ ...list, unit: `${list.unit} of ${n}` })))
      .flat();
  const { refusals } = evaluatePolicy(small);
  const told = refusals.map((refusal) =>
    Number(/; (\S+) times as many \w+ like these would do$/.exec(refusal)?.[1])
  );
  assert.ok(refusals.length > 2 && told.every((many) => many > 1), refusals.join());
  const enough = Math.ceil(Math.max(...told));
  assert.deepEqual(evaluatePolicy(times(enough), { resamples: 0 }).refusals, []);
  assert.notDeepEqual(evaluatePolicy(times(enough - 1), { resamples: 0 }).refusals, []);
});

Deno.test("evaluatePolicy() refuses when there are many rewards, but none on a list that counts for much", () => {
  // The policy takes an item in 80 % of lists that the log has in 12 %: the first 36.
  const refusals = (firstClick: number) => {
    const lists = Array.from({ length: 300 }, (_, u): LoggedList => {
      const chances = u < 36 ? { logged: 0.12, target: 0.8 } : { logged: 0.88, target: 0.2 };
      const reward = Number(u >= firstClick && u < firstClick + 12);
      return { unit: `u${u}`, places: [{ ...chances, reward, predicted: 0, expected: 0 }] };
    });
    return evaluatePolicy(lists, { resamples: 0 }).refusals;
  };
  assert.deepEqual(refusals(0), []);
  const [refusal, ...others] = refusals(100);
  assert.match(refusal!, /rewards of this policy are worth 0\.5 independent units/);
  assert.deepEqual(others, []);
});

Deno.test("bernoulliThompson() ranks two arms as their Beta distributions do", () => {
  const table = bernoulliThompson([{ alpha: 1, beta: 1 }, { alpha: 2, beta: 1 }], 2, 40_000, createRandom(3));
  // P(U < V) with V of density 2v is E[V] = 2/3.
  assert.ok(Math.abs(table[1]![0]! - 2 / 3) < 4 * Math.sqrt(2 / 9 / 40_000));
  assert.ok(Math.abs(table[0]![0]! + table[0]![1]! - 1) < 1e-12);
});

Deno.test("evaluatePolicy() refuses or covers the truth when propensities are small or two policies made the log", () => {
  const rates = [0.05, 0.05, 0.3];
  const target = (share: number) => [0.4, 0.6 - share, share];
  const worlds: readonly [
    name: string,
    logged: (random: Random) => readonly number[],
    target: readonly number[],
  ][] = [
    ["5 % logged", () => [0.5, 0.45, 0.05], target(0.2)],
    ["0.1 % logged", () => [0.5, 0.499, 0.001], target(0.05)],
    ["0.03 % logged", () => [0.5, 0.4997, 0.0003], target(0.05)],
    ["20 % or 0.2 % logged", (random) => random() < 0.5 ? [0.5, 0.3, 0.2] : [0.5, 0.498, 0.002], target(0.2)],
    [
      "20 % in a twentieth of the log",
      (random) => random() < 0.05 ? [0.5, 0.3, 0.2] : [0.5, 0.5, 0],
      target(0.04),
    ],
  ];
  for (const [name, logged, chances] of worlds) {
    const truth = chances.reduce((sum, chance, a) => sum + chance * rates[a]!, 0);
    let [held, given] = [0, 0];
    for (let run = 0; run < 12; run++) {
      const random = createRandom(run, 13);
      const log = Array.from({ length: 2000 }, (_, n): LoggedList => {
        const shares = logged(random);
        const draw = random();
        const a = draw < shares[0]! ? 0 : draw < shares[0]! + shares[1]! ? 1 : 2;
        const reward = random() < rates[a]! ? 1 : 0;
        const place = { target: chances[a]!, logged: shares[a]!, reward, predicted: 0.1, expected: 0.1 };
        return { unit: `u${n >> 1}`, places: [place] };
      });
      for (const { normal } of evaluatePolicy(log, { resamples: 0 }).estimates) {
        given++;
        held += Number(normal.low <= truth && truth <= normal.high);
      }
    }
    assert.ok(held >= 0.8 * given, `${name}: held ${held} of ${given}`);
    assert.equal(given > 0, name === "5 % logged", `${name}: ${given} given`);
  }
});

Deno.test("evaluatePolicy() says how much of the policy is left out when weights are clipped", () => {
  const log = Array.from({ length: 100_000 }, (_, n) => {
    const isRare = n % 1000 === 0;
    const chosen = { target: 0.5, logged: isRare ? 0.001 : 0.999 };
    return { unit: `u${n}`, places: [{ ...chosen, reward: isRare ? 1 : 0, predicted: 0, expected: 0 }] };
  });
  const valueOf = (clip: number | undefined) => {
    const { overlap: { cut }, estimates: [ips] } = evaluatePolicy(log, { clip, resamples: 0, force: true });
    return [cut, ips!.value].map((value) => Number(value.toFixed(4)));
  };
  assert.deepEqual(valueOf(undefined), [0, 0.5]);
  assert.deepEqual(valueOf(50), [0.45, 0.05], "half of what it does is rare, and nine tenths of that is cut");
});
