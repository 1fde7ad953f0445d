import assert from "node:assert/strict";
import fc from "fast-check";
import { startExperiment } from "../../src/assignment/changes.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { createRandom, normal } from "../../src/draws/random_source.ts";
import type { Arm, Effect } from "../../src/experiments/effect.ts";
import { FirstSpreads, informationOf, possibleSpread } from "../../src/experiments/first_spreads.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import { ExperimentTotals, USER_SEGMENTS } from "../../src/experiments/totals.ts";
import { sumsOf } from "../../src/experiments/user_metrics.ts";
import { compareVariant } from "../../src/experiments/verdict.ts";
import { criticalSquare } from "../../src/metrics/confidence_sequence.ts";
import { METRICS } from "../../src/assignment/metrics.ts";
import { keysOf } from "../../src/values/record.ts";
import { Followed } from "../../streams/experiments/followed.ts";
import { list, restored } from "./lists.ts";

/** Two arms whose users have these spreads. @param share of the variant */
function effectOf(users: number, [control, variant]: readonly [number, number], share = 0.5): Effect {
  const armOf = (users: number, spread: number): Arm => {
    return { users, value: 1000, variance: spread / users, spread, equalUsers: 1000, cut: 0 };
  };
  const arms = { control: armOf(users * (1 - share), control), variant: armOf(users * share, variant) };
  return { ...arms, lift: 0, variance: 1, explained: 0 };
}

Deno.test("informationOf() keeps the error rate however the variance of the difference grows", () => {
  const [from, most, walks, steps] = [200, 1000, 4000, 300];
  const options = { alpha: 0.05, tunedFor: most * 2 / 3 };
  const users = Array.from({ length: steps + 1 }, (_, step) => from * (most / from) ** (step / steps));
  // The variances of the arms' sums grow by these powers of the number of users.
  for (const [share, ...powers] of [[0.5, 2, 2], [0.5, 9, 9], [0.02, 1, 5]] as const) {
    const effects = users.map((n) => {
      const [control, variant] = powers.map((power) => (n / from) ** (power - 1)) as [number, number];
      return effectOf(n, [control, variant], share);
    });
    const first = possibleSpread(effects[0]!, 0);
    const squares = effects.map((effect) => {
      const { control, variant } = effect;
      return (control.variance + variant.variance) * criticalSquare(informationOf(effect, first), options);
    });
    const [growth, growths] = (["control", "variant"] as const).map((name) => {
      const variances = effects.map(({ [name]: { users, spread } }) => users * spread);
      return variances.map((variance, at) => Math.sqrt(variance - (variances[at - 1] ?? 0)));
    }) as [number[], number[]];
    const random = createRandom(powers[1], 44);
    let wrong = 0;
    for (let walk = 0; walk < walks; walk++) {
      let [control, variant] = [0, 0];
      const crosses = effects.some((arms, at) => {
        control += growth[at]! * normal(random);
        variant += growths[at]! * normal(random);
        return (variant / arms.variant.users - control / arms.control.users) ** 2 >= squares[at]!;
      });
      if (crosses) wrong++;
    }
    // With 5 %, more than 243 come once in a thousand.
    assert.ok(wrong <= 243, `${powers} at ${share}: ${wrong} of ${walks}`);
  }
});

Deno.test("informationOf() is the number of users until these vary twice as much as at first", () => {
  const effect = effectOf(1000, [6, 6]);
  assert.deepEqual([undefined, 12, 6, 3, 1].map((first) => informationOf(effect, first)), [
    1000,
    1000,
    1000,
    1000,
    3000,
  ]);
});

Deno.test("FirstSpreads.update() keeps the first spread at a round number of lists, also over a restart", () => {
  fc.assert(fc.property(fc.nat(40), (restart) => {
    let spreads = new FirstSpreads(2);
    const asked: number[] = [];
    for (let lists = 1; lists <= 40; lists++) {
      spreads.update((comparison) => {
        if (comparison === 0) asked.push(lists);
        return comparison === 0 ? Math.max(0, lists - 9) : 0;
      });
      if (lists !== restart) continue;
      const to = new ByteWriter();
      spreads.encode(to);
      spreads = new FirstSpreads(2);
      spreads.decode(new ByteReader(to.toBytes()));
    }
    assert.deepEqual(asked, [1, 2, 3, 4, 6, 8, 12]);
    assert.deepEqual([spreads.get(0), spreads.get(1)], [3, undefined]);
  }));
});

Deno.test("compareVariant() asks for more evidence once the same users do much more than at first", () => {
  const experiment = startExperiment({
    name: "e",
    variants: [{ name: "A" }, { name: "B" }],
    stopRule: { maxUsers: 1000 },
  }, { records: new Map(), models: [] });
  const totals = new ExperimentTotals(experiment);
  const visit = (user: number, time: number) =>
    totals.update(list(`u${user}`, (user + time) % 3, { time, exposure: ["e", "AB"[user % 2]!] }));
  const width = (one: ExperimentTotals) => {
    const { low, high } = compareVariant(one, 1, "clicksPerUser").interval;
    const { low: least, high: most } = compareVariant(
      {
        experiment,
        moments: (...of) => one.moments(...of),
      },
      1,
      "clicksPerUser",
    ).interval;
    return (high - low) / (most - least);
  };
  for (let user = 0; user < 400; user++) visit(user, 0);
  assert.equal(width(totals), 1);
  for (let time = 1; time < 20; time++) for (let user = 0; user < 200; user++) visit(user, 3 * time);
  assert.ok(width(totals) > 1.2, `${width(totals)}`);
  const copy = restored(totals, new ExperimentTotals(experiment), usersOf(400));
  const to = new ByteWriter();
  totals.encodeFirstSpreads(to);
  copy.decodeFirstSpreads(new ByteReader(to.toBytes()));
  assert.equal(width(copy), width(totals));
});

Deno.test("Followed.decode() restores the first spread of each comparison", () => {
  const variants = [{ name: "A" }, { name: "B" }];
  const experiment = startExperiment({ name: "e", variants }, { records: new Map(), models: [] });
  const [followed, copy] = [0, 1].map(() => new Followed(experiment, new PrePeriod())) as [
    Followed,
    Followed,
  ];
  for (let user = 0; user < 512; user++) {
    const own = { experiment: "e", variant: "AB"[user % 2]! };
    const sample = list(`u${user}`, user % 3, { exposure: ["e", own.variant] });
    followed.sampled(sample, own, sumsOf(sample));
  }
  assert.equal(copy.decode(followed.encode()), true);
  const spreads = ({ status: { totals } }: Followed) =>
    [undefined, ...USER_SEGMENTS].flatMap((segment) =>
      keysOf(METRICS).map((metric) => totals.firstSpread(1, segment, metric))
    );
  assert.ok(spreads(followed).filter((spread) => spread !== undefined).length > 3);
  assert.deepEqual(spreads(copy), spreads(followed));
});

function usersOf(users: number): string[] {
  return Array.from({ length: users }, (_, user) => `u${user}`);
}
