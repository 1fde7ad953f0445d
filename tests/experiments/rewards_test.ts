import assert from "node:assert/strict";
import fc from "fast-check";
import { startExperiment } from "../../src/assignment/changes.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { createRandom, type Random } from "../../src/draws/random_source.ts";
import { PrePeriod } from "../../src/experiments/pre_period.ts";
import { ExperimentTotals } from "../../src/experiments/totals.ts";
import { compareVariant } from "../../src/experiments/verdict.ts";
import { Rows } from "../../src/samples/rows.ts";
import { list, restored } from "./lists.ts";

const VARIANTS = [{ name: "A" }, { name: "B" }];
const NAMES = ["A", "B"] as const;

const EXPERIMENT = startExperiment(
  { name: "e", variants: VARIANTS, metric: "reward", stopRule: { maxUsers: 4000 } },
  { records: new Map(), models: [] },
);

function newTotals(prePeriod?: PrePeriod): ExperimentTotals {
  return new ExperimentTotals(EXPERIMENT, prePeriod === undefined ? {} : { prePeriod });
}

/** A list of one item that brought a reward, in the experiment or before it. */
function bought(user: string, reward: number, variant?: typeof NAMES[number]) {
  const sample = list(user, 1, variant === undefined ? {} : { exposure: ["e", variant] });
  return { ...sample, rows: Rows.of([{ item: "i", label: 1, reward }]) };
}

const pareto = (random: Random) => (1 - random()) ** (-1 / 1.1);
const light = (random: Random) => 1 + random();

/** The comparison at the end of an experiment, or as soon as its interval excludes 0. */
function endOf(
  random: Random,
  { reward, users, split = 0.5, lift = 0, absurd = 0 }: {
    readonly reward: (random: Random) => number;
    readonly users: number;
    readonly split?: number;
    readonly lift?: number;
    readonly absurd?: number;
  },
) {
  const totals = newTotals();
  for (let u = 1; u <= users; u++) {
    const arm = random() < split ? 0 : 1;
    const value = random() < 0.3 ? reward(random) * (1 + arm * lift) : 0;
    totals.update(bought(`u${u}`, u === 777 && absurd !== 0 ? absurd : value, NAMES[arm]!));
    if (u % 200 !== 0) continue;
    const comparison = compareVariant(totals, 1, "reward");
    if (comparison.interval.low > 0 || comparison.interval.high < 0) return { ...comparison, users: u };
  }
  return { ...compareVariant(totals, 1, "reward"), users };
}

Deno.test("compareVariant() decides in spite of one reward of 1e200, in the right direction", () => {
  for (const absurd of [0, 1e200, 1.7e308, -1e200]) {
    const { interval, effect, users } = endOf(createRandom(3), {
      reward: light,
      users: 4000,
      lift: 0.4,
      absurd,
    });
    assert.ok(interval.low > 0 && users < 3000, `${absurd}: ${interval.low} after ${users}`);
    assert.ok(effect.lift! < 0.9, `${absurd}: ${effect.lift}`);
    assert.ok(effect.control.cut + effect.variant.cut > 0);
  }
});

Deno.test("compareVariant() sees a difference in rewards in at most 5 % of A/A experiments, whatever the tail", () => {
  for (const split of [0.5, 0.9]) {
    for (const absurd of [0, 1e200]) {
      let wrong = 0;
      for (let run = 0; run < 15; run++) {
        const { interval } = endOf(createRandom(run, 61), { reward: pareto, users: 2000, split, absurd });
        if (interval.low > 0 || interval.high < 0) wrong++;
      }
      assert.ok(wrong <= 4, `${split}, ${absurd}: ${wrong} of 15`); // 5 come once in 1,600 times at 5 %
    }
  }
});

const visits = fc.array(fc.tuple(fc.nat(15), fc.integer({ min: -3, max: 9 })), {
  minLength: 1,
  maxLength: 60,
});

/** All figures of the rewards of both arms. */
function figuresOf(totals: ExperimentTotals) {
  const { effect, interval } = compareVariant(totals, 1, "reward");
  return [effect.control, effect.variant].flatMap(({ value, variance, cut }) => [value ?? -1, variance, cut])
    .concat(interval.low, interval.high);
}

function assertSame(a: readonly number[], b: readonly number[]) {
  a.forEach((value, i) =>
    assert.ok(Object.is(value, b[i]) || Math.abs(value - b[i]!) <= 1e-9 * Math.abs(value), `${a} and ${b}`)
  );
}

/** Lists in order; users from 10 on have a past. */
function listsOf(visits: readonly (readonly [number, number])[]) {
  const past = visits.filter(([id]) => id >= 10).map(([id, reward]) => bought(`u${id}`, 2 * reward));
  return [...past, ...visits.map(([id, reward]) => bought(`u${id}`, reward, NAMES[id % 2]!))];
}

Deno.test("ExperimentTotals has the same rewards in any order of users, and after a restart at any time", () => {
  fc.assert(fc.property(visits, fc.nat(60), fc.nat(15), (visits, stop, absurd) => {
    const lists = [
      bought(`u${absurd}`, 1e200),
      ...listsOf([...visits, [absurd, 1e200], [15 - absurd, -1e200]]),
    ];
    const users = [...new Set(lists.map(({ user }) => user))];
    const whole = newTotals();
    const batch = newTotals();
    const past = new PrePeriod();
    let restarted = newTotals(past);
    for (const sample of lists) whole.update(sample);
    for (const user of users.toReversed()) {
      for (const sample of lists) if (sample.user === user) batch.update(sample);
    }
    for (const [at, sample] of lists.entries()) {
      if (at === stop) restarted = restored(restarted, newTotals(past), users);
      restarted.update(sample);
      past.update(sample);
    }
    assertSame(figuresOf(whole), figuresOf(batch));
    assertSame(figuresOf(whole), figuresOf(restarted));
  }));
});

Deno.test("ExperimentTotals keeps the reward of a forgotten user, cut", () => {
  const totals = newTotals();
  for (let u = 0; u < 40; u++) totals.update(bought(`u${u}`, u === 0 ? 1e200 : 2, NAMES[u % 2]!));
  const before = figuresOf(totals);
  totals.forget("u0");
  totals.forget("u1");
  const [value, , cut] = figuresOf(totals);
  assert.equal(value, before[0]);
  assert.equal(before[2], 1);
  assert.equal(cut, 0);
});

Deno.test("Rows.answer() keeps the sum of rewards finite", () => {
  const rows = Rows.of([{ item: "i" }]);
  for (let n = 0; n < 2; n++) rows.answer(0, { label: 1, explicit: false, reward: 1e308 });
  assert.equal(rows.reward(0), Number.MAX_VALUE);
});

Deno.test("ExperimentTotals.dropForgottenRewards() mends figures whose moments hold uncut rewards of members", () => {
  const [totals, others] = [newTotals(), newTotals()];
  const users = ["u0", "u1", "u2", "u3"];
  users.forEach((user, at) => totals.update(bought(user, 1 + at, NAMES[at % 2]!)));
  for (const user of users) others.update(bought(user, 1e200, NAMES[Number(user.slice(1)) % 2]!));
  for (const user of users) others.forget(user); // their moments keep a reward
  const head = new ByteWriter();
  others.encode(head);
  const copy = restored(totals, newTotals(), users);
  copy.decode(new ByteReader(head.toBytes()));
  copy.dropForgottenRewards();
  assert.deepEqual(figuresOf(copy), figuresOf(totals));
});
