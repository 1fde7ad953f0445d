import assert from "node:assert/strict";
import fc from "fast-check";
import { METRIC_FIELDS } from "../../src/assignment/metrics.ts";
import { Largest } from "../../src/experiments/largest.ts";
import { Limits } from "../../src/experiments/limits.ts";
import { ExperimentTotals } from "../../src/experiments/totals.ts";
import type { UserSums } from "../../src/experiments/user_metrics.ts";
import { compareVariant } from "../../src/experiments/verdict.ts";
import { startExperiment } from "../../src/assignment/changes.ts";
import { times } from "../../src/values/times.ts";
import { list } from "./lists.ts";

/** A user with this many lists, and this many before; 0 = without a past. */
function user([lists, past]: readonly [number, number], group = 0): UserSums {
  const sums = (count: number) => Float64Array.from(METRIC_FIELDS, (field) => field === "lists" ? count : 1);
  return { group, sums: sums(lists), before: past === 0 ? undefined : sums(past) };
}

/** Weights of users with so many lists, by arm. */
function weightsIn(...arms: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const largest = new Largest("lists", arms.length);
  const users = arms.map((arm, at) => arm.map((lists) => user([lists, 0], at)));
  for (const one of users.flat()) largest.update(one, 1);
  return users.map((arm) => arm.map((one) => largest.weightsOf(one)[0]));
}

function assertNear(actual: readonly number[], expected: readonly number[]) {
  assert.equal(actual.length, expected.length);
  for (const [at, value] of actual.entries()) {
    assert.ok(
      Math.abs(value - expected[at]!) <= 1e-8 * Math.abs(expected[at]!),
      `${value}, not ${expected[at]}`,
    );
  }
}

const size = fc.oneof(fc.nat(4), fc.nat(300));
const every = fc.integer({ min: 1, max: 110 });
const joined = fc.array(fc.tuple(size, size, fc.nat(1)), { maxLength: 40 });
const step = fc.record({ join: joined, leave: fc.nat(30) });

Deno.test("Largest.above() finds the same users as a fresh instance, whoever came and went", () => {
  fc.assert(fc.property(every, every, fc.array(step, { maxLength: 12 }), (a, b, steps) => {
    const largest = new Largest("lists", 2);
    const users: UserSums[] = [];
    const come = (one: UserSums) => {
      users.push(one);
      largest.update(one, 1);
    };
    // A crowd in which every nth user has twice as many lists, so that the limits are fractions.
    for (const [arm, often] of [a, b].entries()) {
      for (const at of times(110, (at) => at)) come(user([at % often === 0 ? 2 : 1, 0], arm));
    }
    for (const { join, leave } of steps) {
      for (const gone of users.splice(0, leave)) largest.update(gone, -1);
      for (const [now, past, arm] of join) come(user([now, past], arm));
      const fresh = new Largest("lists", 2);
      for (const one of users) fresh.update(one, 1);
      const found = new Map(largest.above(users));
      assert.equal(found.size, [...fresh.above(users)].length);
      for (const one of users) assertNear(found.get(one) ?? [1, 1], fresh.weightsOf(one));
    }
  }));
});

Deno.test("Largest.above() walks all users only now and then, even when most are of one size", () => {
  const largest = new Largest("lists", 2);
  const users: UserSums[] = [];
  let walks = 0;
  const walked = {
    *[Symbol.iterator]() {
      walks++;
      yield* users;
    },
  };
  for (let look = 0; look < 50; look++) {
    for (let n = 0; n < 100; n++) {
      const one = user([n % (31 + look % 7) === 0 ? 9 : 10, 0], n % 2);
      users.push(one);
      largest.update(one, 1);
    }
    assert.equal([...largest.above(walked)].length, 0);
  }
  assert.ok(walks <= 10, `${walks} walks`);
});

Deno.test("Largest.weightsOf() cuts at least one user in a hundred, and nobody who is alone", () => {
  const weights = (lists: readonly number[]) => weightsIn(lists)[0]!;
  assert.deepEqual(weights([7]), [1]);
  assert.deepEqual(weights([7, 14]), [1, 0.5]);
  assert.deepEqual(weights([5, 5, 5]), [1, 1, 1]);
  const many = weights(Array.from({ length: 300 }, (_, at) => at + 1));
  assert.equal(many.filter((weight) => weight < 1).length, 3);
});

Deno.test("Largest.weightsOf() cuts equal arms as one, arms of one shape alike, and a small arm as if it were large", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 150 });
  fc.assert(fc.property(sizes, fc.integer({ min: 2, max: 9 }), (all, times) => {
    const both = weightsIn(all, all), more = all.map((size) => times * size);
    assertNear(both.flat(), weightsIn([...all, ...all])[0]!);
    if (all.length >= 100) assertNear(weightsIn(all, more).flat(), both.flat());
  }));
  const [many, few] = [times(5000, () => 2), times(100, (at) => at < 5 ? 40 : 2)];
  // Two of those with 40 are cut, to the 40 of the third one; of one large arm, all five are in the 1 %.
  assert.deepEqual(new Set(weightsIn(many, few).flat()), new Set([1]));
  assert.deepEqual(weightsIn([...many, ...few])[0]!.filter((weight) => weight < 1), times(5, () => 2 / 40));
});

Deno.test("Limits cuts rewards by the shares of the arms, on both sides of 0", () => {
  const [many, few] = [
    times(5000, () => [2, -1]).flat(),
    times(100, (at) => at < 5 ? [40, -30] : [2, -1]).flat(),
  ];
  const [apart, together] = [new Limits([many, few]), new Limits([[...many, ...few]])];
  assert.deepEqual([apart.low, apart.high, together.low, together.high], [-30, 40, -1, 2]);
  const absurd = new Limits([[...many, 1e200], few]);
  assert.equal(absurd.high, 40);
});

Deno.test("ExperimentTotals sees what a variant does to a few users of a small arm", () => {
  const experiment = startExperiment({ name: "e", variants: [{ name: "A", weight: 49 }, { name: "B" }] }, {
    records: new Map(),
    models: [],
  });
  const totals = new ExperimentTotals(experiment);
  const visit = (user: string, lists: number, variant: string) => {
    for (let time = 0; time < lists; time++) totals.update(list(user, 0, { time, exposure: ["e", variant] }));
  };
  times(4900, (at) => visit(`a${at}`, 2, "A"));
  times(100, (at) => visit(`b${at}`, at < 5 ? 30 : at % 2 + 1, "B"));
  const lift = compareVariant(totals, 1, "listsPerUser").effect.lift!;
  assert.ok(Math.abs(lift - 0.465) < 1e-9, `${lift}`); // (5 · 30 + 48 · 2 + 47 · 1) / 200 − 1, uncut
});

/** Users by arm, each with many lists or few, and what they click: those with more lists click less. */
const REGULARS = times(200, (at) => {
  const lists = at % 20 === 0 ? 5 + at / 20 : 1 + at % 2;
  return { lists, clicks: lists > 2 ? 1 : 3 };
});

/** What a variant is said to change whose users all have this many times as many lists, with clicks as before. */
function shownLifts(times: number): readonly number[] {
  const totals = new ExperimentTotals(
    startExperiment({ name: "e", variants: [{ name: "A" }, { name: "B" }] }, {
      records: new Map(),
      models: [],
    }),
  );
  for (const variant of ["A", "B"]) {
    for (const [at, { lists, clicks }] of REGULARS.entries()) {
      for (let time = 0; time < lists * (variant === "B" ? times : 1); time++) {
        totals.update(list(`${variant}${at}`, clicks, { time, exposure: ["e", variant] }));
      }
    }
  }
  return (["listsPerUser", "clicksPerUser", "ctr", "clicksPerList"] as const).map((metric) =>
    compareVariant(totals, 1, metric).effect.lift!
  );
}

Deno.test("ExperimentTotals shows as many times as many lists as there are, and no change of what comes of each", () => {
  for (const times of [2, 3, 8]) {
    const lifts = shownLifts(times).map((lift) => Number(lift.toFixed(9)));
    assert.deepEqual(lifts, [times - 1, times - 1, 0, 0]);
  }
});

Deno.test("Largest.weightsOf() keeps robots out of what is typical of their arm, and takes few users as those of others", () => {
  const people = times(300, (at) => 1 + at % 3);
  const robots = people.map((lists, at) => at < 3 ? 20_000 : lists);
  assert.deepEqual(
    weightsIn(people, robots)[1]!.slice(0, 3).map((weight) => weight < 4 / 20_000),
    times(3, () => true),
  );
  assert.ok(weightsIn(people, [20_000, 1, 2])[1]![0]! < 4 / 20_000);
});
