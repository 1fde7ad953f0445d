import assert from "node:assert/strict";
import fc from "fast-check";
import { type FeatureSchema, numericNames } from "../../src/features/schema.ts";
import { GlobalStatistics, ItemStatistics, UserStatistics } from "../../src/features/kept_statistics.ts";
import { FeatureStatistics, type ItemFacts } from "../../src/features/statistics.ts";
import { NaiveStatistics, type Outcome } from "./naive_statistics.ts";
import { RatingBaseline } from "./rating_baseline.ts";

const SCHEMA: FeatureSchema = {
  userFields: [],
  itemFields: [],
  contextFields: [],
  // Named like the categories' key, with which it must not be confused.
  crosses: ["decade", "category"],
};
const ITEMS: ReadonlyMap<string, Omit<ItemFacts, "statistics">> = new Map([
  ["i0", { categories: ["x"], crosses: ["90s", "x"], firstTime: 0 }],
  ["i1", { categories: ["x", "y"], crosses: ["90s", "y"], firstTime: 3_600_000 }],
  ["i2", { categories: [], crosses: ["80s", null], firstTime: 10 }],
  ["i3", { categories: ["z", "y", "x"], crosses: ["80s", null], firstTime: 99_000_000 }],
]);

/** Statistics of values before the stream, so that 1 to 5 are usual. */
function rated(...values: readonly number[]): GlobalStatistics {
  const overall = new GlobalStatistics();
  for (const value of values) overall.values.learn(value);
  return overall;
}

/** Statistics of all users and items of a stream. */
class Kept {
  readonly statistics: FeatureStatistics;
  readonly #users = new Map<string, UserStatistics>();
  readonly #items = new Map(
    [...ITEMS].map((
      [id, facts],
    ): [string, ItemFacts] => [id, { ...facts, statistics: new ItemStatistics() }]),
  );

  constructor(overall = rated(3, 3)) {
    this.statistics = new FeatureStatistics(SCHEMA, overall);
  }

  user(id: string): UserStatistics {
    const known = this.#users.get(id) ?? new UserStatistics();
    this.#users.set(id, known);
    return known;
  }

  item(id: string): ItemFacts {
    const item = this.#items.get(id);
    assert.ok(item !== undefined);
    return item;
  }

  learn({ user, item, label, value }: Outcome): void {
    if (label !== undefined) this.statistics.learnOutcome(this.user(user), this.item(item), label);
    if (value !== undefined) this.statistics.learnValue(this.user(user), this.item(item), value);
  }
}

const users = fc.constantFrom("u0", "u1");
const items = fc.constantFrom(...ITEMS.keys());
const label = fc.constantFrom(0 as const, 1 as const);
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ user: users, item: items, label }),
  fc.record({ user: users, item: items, value: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ user: users, item: items, label, value: fc.integer({ min: 1, max: 5 }) }),
);
const stream = fc.array(outcome, { maxLength: 40 });

function assertClose(got: ArrayLike<number>, want: ArrayLike<number>, names: readonly string[]): void {
  assert.equal(got.length, want.length);
  names.forEach((name, i) => {
    const gap = Math.abs((got[i] ?? NaN) - (want[i] ?? NaN));
    assert.ok(gap <= 1e-5 * Math.max(1, Math.abs(want[i] ?? NaN)), `${name}: got ${got[i]}, want ${want[i]}`);
  });
}

Deno.test("FeatureStatistics.numerics() equals the formulas over the whole history after every outcome", () => {
  const behaviours = fc.record({ items: fc.array(items), lastTime: fc.option(fc.nat(9_000_000)) });
  fc.assert(
    fc.property(
      stream,
      users,
      items,
      fc.nat(200_000_000),
      behaviours,
      (stream, user, item, time, behaviours) => {
        const kept = new Kept();
        const naive = new NaiveStatistics(SCHEMA, ITEMS, [3, 3]);
        const seen = behaviours.items.filter((other) => other === item).length;
        const facts = { historyLength: behaviours.items.length, lastTime: behaviours.lastTime };
        for (const outcome of stream) {
          kept.learn(outcome);
          naive.learn(outcome);
          assertClose(
            kept.statistics.numerics({ ...facts, statistics: kept.user(user) }, kept.item(item), time, seen),
            naive.numerics(user, item, time, behaviours),
            numericNames(SCHEMA),
          );
        }
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("FeatureStatistics.valueSurprise() equals its formula over the whole history before every value", () => {
  fc.assert(fc.property(stream, (stream) => {
    const kept = new Kept();
    const naive = new NaiveStatistics(SCHEMA, ITEMS, [3, 3]);
    for (const outcome of stream) {
      const { user, item, value } = outcome;
      if (value !== undefined) {
        const got = kept.statistics.valueSurprise(kept.user(user), kept.item(item).statistics, value);
        assertClose([got], [value - naive.values(user, item, value).expected], ["f"]);
      }
      kept.learn(outcome);
      naive.learn(outcome);
    }
  }));
});

Deno.test("FeatureStatistics.numerics() equals the rating baseline's features before every rating", () => {
  const rating = fc.record({ user: users, item: items, value: fc.integer({ min: 1, max: 5 }) });
  const names = numericNames(SCHEMA);
  fc.assert(fc.property(fc.array(rating, { maxLength: 60 }), (ratings) => {
    const kept = new Kept(rated(3.5, 3.5));
    const baseline = new RatingBaseline(ITEMS, 2);
    for (const { user, item, value } of ratings) {
      const facts = { statistics: kept.user(user), historyLength: 0, lastTime: null };
      const numerics = kept.statistics.numerics(facts, kept.item(item), 0, 0);
      const surprise = kept.statistics.valueSurprise(kept.user(user), kept.item(item).statistics, value);
      const { surprise: wantedSurprise, ...want } = baseline.learn(user, item, value);
      const ported = Object.keys(want);
      assertClose(ported.map((name) => numerics[names.indexOf(name)] ?? NaN), Object.values(want), ported);
      assertClose([surprise], [wantedSurprise], ["surprise"]);
      kept.learn({ user, item, value, label: value >= 4 ? 1 : 0 });
    }
  }));
});

Deno.test("FeatureStatistics.numerics() is finite, whatever was learnt", () => {
  const extreme = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(1e308, -1e308),
  );
  const outcome: fc.Arbitrary<Outcome> = fc.oneof(
    fc.record({ user: users, item: items, label }),
    fc.record({ user: users, item: items, value: extreme }),
  );
  fc.assert(fc.property(fc.array(outcome), users, items, (stream, user, item) => {
    const kept = new Kept();
    for (const outcome of stream) {
      kept.learn(outcome);
      const facts = { statistics: kept.user(user), historyLength: 0, lastTime: null };
      const numerics = kept.statistics.numerics(facts, kept.item(item), -1, 0);
      assert.equal(numerics.length, numericNames(SCHEMA).length);
      assert.ok(numerics.every(Number.isFinite), numerics.join());
      const surprise = kept.statistics.valueSurprise(kept.user(user), kept.item(item).statistics, 1e308);
      assert.ok(Number.isFinite(Math.fround(surprise)));
    }
  }));
});

Deno.test("FeatureStatistics keeps 128 categories per user, and drops the least recently updated", () => {
  const statistics = new FeatureStatistics({ ...SCHEMA, crosses: [] });
  const user = new UserStatistics();
  const learn = (category: string) =>
    statistics.learnOutcome(user, {
      categories: [category],
      crosses: [],
      firstTime: 0,
      statistics: new ItemStatistics(),
    }, 1);
  for (let i = 0; i < 128; i++) learn(`c${i}`);
  learn("c0");
  learn("new");
  assert.equal(user.keys.size, 128);
  const outcomes = (category: string) => user.keys.numbers[user.keys.find(`category\0${category}`)];
  assert.deepEqual(["c0", "c1", "c2", "new"].map(outcomes), [2, undefined, 1, 1]);
});
