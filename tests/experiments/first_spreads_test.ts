import assert from "node:assert/strict";
import fc from "fast-check";
import { startExperiment } from "../../src/assignment/changes.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { createRandom, normal } from "../../src/draws/random_source.ts";
import type { Arm, Effect } from "../../src/experiments/effect.ts";
import { FirstSpreads, informationOf } from "../../src/experiments/first_spreads.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import { ExperimentTotals, USER_SEGMENTS } from "../../src/experiments/totals.ts";
import { sumsOf } from "../../src/experiments/user_metrics.ts";
import { compareVariant } from "../../src/experiments/verdict.ts";
import { criticalSquare } from "../../src/metrics/confidence_sequence.ts";
import { METRICS } from "../../src/assignment/metrics.ts";
import { keysOf } from "../../src/values/record.ts";
import { Followed } from "../../streams/experiments/followed.ts";
import { list, restored } from "./lists.ts";

function effectOf(users: number, spread: number): Effect {
  const arm: Arm = { users: users / 2, value: 1, variance: 1, spread, equalUsers: users / 2, cut: 0 };
  return { control: arm, variant: arm, lift: 0, variance: 1, explained: 0 };
}

Deno.test("informationOf() keeps the error rate however the variance of the difference grows", () => {
  const [from, most, walks, steps] = [200, 1000, 4000, 300];
  const options = { alpha: 0.05, tunedFor: most * 2 / 3 };
  const users = Array.from({ length: steps + 1 }, (_, step) => from * (most / from) ** (step / steps));
  for (const power of [1, 2, 5, 9]) {
    const variances = users.map((n) => n ** power);
    const squares = users.map((n, at) => {
      const effect = effectOf(n, variances[at]! / n);
      return variances[at]! * criticalSquare(informationOf(effect, variances[0]! / from), options);
    });
    const random = createRandom(power, 44);
    let wrong = 0;
    for (let walk = 0; walk < walks; walk++) {
      let place = 0;
      const crosses = squares.some((square, at) => {
        place += Math.sqrt(variances[at]! - (variances[at - 1] ?? 0)) * normal(random);
        return place * place >= square;
      });
      if (crosses) wrong++;
    }
    // With 5 %, more than 243 come once in a thousand; by the number of users, powers 5 and 9 have 363 and 591.
    assert.ok(wrong <= 243, `power ${power}: ${wrong} of ${walks}`);
  }
});

Deno.test("informationOf() is the number of users until these vary twice as much as at first", () => {
  const effect = effectOf(1000, 6);
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
