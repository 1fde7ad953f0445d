/** One absurd value among others hardly changes what is learnt from the others. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { CLIP } from "../../src/features/standardisation.ts";
import { NumericScaler } from "../../src/features/numeric_scaler.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { START } from "./streams.ts";
import { Story } from "./story.ts";

const RATINGS = 150;

interface Learnt {
  /** Strengths of the ratings of all but the robot, in order. */
  readonly strengths: readonly number[];
  /** Standardised numerics of their lists, in order. */
  readonly numerics: readonly number[];
}

/** People who are shown films and rate them; before one of the ratings, a robot rates a film with any value. */
function rate(seed: number, robot?: { readonly at: number; readonly value: number }): Learnt {
  const random = mulberry32(seed);
  const story = new Story({
    outcomeWindowMs: 600_000,
    allowedLatenessMs: 300_000,
    sequence: { capacity: RATINGS, window: 50, hop: 10 },
  });
  for (let n = 0; n < 12; n++) story.item(`i${n}`, { categories: [`c${n % 3}`] }, START);
  for (let n = 0; n < RATINGS; n++) {
    const time = START + n * 1000;
    const item = `i${Math.floor(random() * 12)}`;
    const value = 1 + Math.floor(random() * 5);
    const user = `u${Math.floor(random() * 8)}`;
    if (n === robot?.at) story.act(time, "rating", item, { user: "robot", value: robot.value });
    const shown = { type: "impression", user, request: `r${n}`, time, items: [item] } as const;
    story.apply(shown);
    story.act(time + 1, "rating", item, { user, value, request: `r${n}` });
  }
  const { users, sequences } = story.task;
  const strengths = [...users.values()].filter(({ id }) => id !== "robot")
    .sort((a, b) => a.id < b.id ? -1 : 1)
    .flatMap(({ row }) =>
      Array.from({ length: sequences.length(row) }, (_, n) => sequences.strength(row, n))
    );
  const rows = story.samples.map(({ rows }) => rows.at(0).numerics);
  const scaler = new NumericScaler(rows[0]!.length);
  for (const row of rows) scaler.update(row);
  const { mean, inverseDeviation } = scaler.freeze();
  const scaled = (x: number, i: number) =>
    Math.max(-CLIP, Math.min(CLIP, (x - mean[i]!) * inverseDeviation[i]!));
  return { strengths, numerics: rows.flatMap((row) => [...row].map(scaled)) };
}

function apart(one: readonly number[], other: readonly number[]): number[] {
  assert.equal(one.length, other.length);
  return one.map((x, n) => Math.abs(x - other[n]!));
}

const largest = (of: readonly number[]) => of.reduce((a, b) => Math.max(a, b), 0);
const mean = (of: readonly number[]) => of.reduce((a, b) => a + b, 0) / of.length;

Deno.test("TaskState.apply() gives others nearly the same strengths and numerics when one value is absurd", () => {
  // Up to ten times the largest usual value is not absurd: `ValueScale` believes it.
  const value = fc.oneof(
    fc.constantFrom(1e6, -1e6, 1e30, 1e308, -1e308, 51, 1000),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((x) => Math.abs(x) > 50),
  );
  fc.assert(
    fc.property(fc.nat(), fc.nat(RATINGS - 1), value, (seed, at, value) => {
      const [clean, spoilt] = [rate(seed), rate(seed, { at, value })];
      const strengths = apart(clean.strengths, spoilt.strengths);
      // Before there is a usual value, one of them may be anywhere between the ends of the scale.
      assert.ok(largest(strengths) <= 4, `strengths: ${largest(strengths)}`);
      assert.ok(mean(strengths) < 0.25, `strengths: ${mean(strengths)} in the mean`);
      const numerics = apart(clean.numerics, spoilt.numerics);
      assert.ok(mean(numerics) < 0.05, `numerics: ${mean(numerics)} in the mean`);
    }),
    { numRuns: 25 },
  );
});

Deno.test("TaskState.apply() gives others exactly the same strengths when a value is far from the usual ones", () => {
  for (const value of [1e6, -1e6, 1e30]) {
    const [clean, spoilt] = [rate(7), rate(7, { at: 40, value })];
    assert.deepEqual(spoilt.strengths, clean.strengths);
  }
});

Deno.test("TaskState.apply() limits a merged behaviour's strength to what its action can have", () => {
  const story = new Story();
  const merged = (action: string, strength: number, time: number) => ({ item: "a", action, strength, time });
  const behaviours = [
    merged("click", 1e30, 1),
    merged("view", -1e308, 2),
    merged("rating", 1e30, 3),
    merged("rating", -2.5, 4),
    merged("dislike", -1, 5),
  ];
  story.apply({ type: "merge", user: "u", from: "s", time: 10, attributes: {}, behaviours });
  const { row } = story.task.users.get("u")!;
  const strengths = behaviours.map((_, n) => story.task.sequences.strength(row, n));
  assert.deepEqual(strengths, [1, -0.5, 10, -2.5, -1]);
});
