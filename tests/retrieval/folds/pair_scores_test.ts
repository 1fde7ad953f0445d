import assert from "node:assert/strict";
import fc from "fast-check";
import { Catalogue } from "../../../src/items/catalogue.ts";
import { contextOf } from "../../../src/retrieval/signals/context.ts";
import { FAR, NEAR, Neighbours, TOGETHER } from "../../../src/retrieval/folds/neighbours.ts";
import { PAIR_COLUMNS, PairScores } from "../../../src/retrieval/folds/pair_scores.ts";
import { createUser } from "../../../src/users/user_state.ts";
import { SequenceSlab } from "../../../src/users/states/sequence.ts";

const ITEMS = 12, HOUR_MS = 3_600_000;
const byId = (a: number, b: number) => a - b;
const user = createUser("u", new SequenceSlab());
const before = fc.array(
  fc.record({ item: fc.nat(ITEMS - 1), ago: fc.nat(5 * HOUR_MS), liked: fc.boolean() }),
  { maxLength: 25 },
).map((all) => all.sort((a, b) => a.ago - b.ago));
type Before = typeof before extends fc.Arbitrary<infer T> ? T : never;
const signals = fc.array(
  fc.record({ item: fc.nat(ITEMS - 1), gap: fc.nat(HOUR_MS), liked: fc.boolean(), before }),
  {
    maxLength: 20,
  },
);

function context(of: Before, time: number) {
  return contextOf(of.map(({ item, ago, liked }) => ({ item, liked, time: time - ago })));
}

Deno.test("PairScores.ask() sums the pairs of the newest 20 behaviours, weighted by age, place and popularity", () => {
  fc.assert(
    fc.property(
      signals,
      before,
      fc.nat(50 * HOUR_MS),
      fc.integer({ min: 1, max: 200 }),
      (all, asked, wait, size) => {
        const neighbours = new Neighbours({ halfLifeMs: HOUR_MS });
        const catalogue = new Catalogue({ userFields: [], itemFields: [], contextFields: [], crosses: [] });
        // With few items they are scanned one by one.
        for (let n = 0; n < Math.max(ITEMS, size); n++) catalogue.apply({ item: `i${n}`, time: 1 });
        let time = 1e12;
        for (const { item, gap, liked, before } of all) {
          time += gap;
          const signal = {
            user: "u",
            item,
            time,
            liked,
            wanted: true,
            step: null,
            context: context(before, time),
          };
          neighbours.learn(signal, byId);
        }
        time += wait;
        const pairs = new PairScores(neighbours, catalogue);
        pairs.ask({
          user,
          context: context(asked, time),
          time,
          allowed: () => true,
        });

        const { rows, pace } = neighbours, unit = neighbours.unit(time);
        const aged = (ago: number, halfLifeMs: number) => 0.05 + 0.95 * 2 ** (-ago / halfLifeMs);
        for (let item = 0; item < ITEMS; item++) {
          const want = { far: 0, near: 0, together: 0 }, popularity = neighbours.count(item) / unit;
          for (const [x, { item: other, ago, liked }] of asked.slice(0, 20).entries()) {
            const weight = (which: number) =>
              popularity === 0
                ? 0
                : rows.get(other, item, which) / unit / Math.sqrt(neighbours.count(other) / unit || 1) /
                  popularity ** 0.2;
            want.far += weight(FAR) * 0.85 ** x * aged(ago, pace.farMs);
            want.near += weight(NEAR) * 0.9 ** x * aged(ago, pace.nearMs);
            want.together += liked ? weight(TOGETHER) * 0.98 ** x : 0;
          }
          for (const name of ["far", "near", "together"] as const) {
            const got = pairs.scores.get(item, PAIR_COLUMNS[name]);
            assert.ok(
              Math.abs(got - want[name]) <= 1e-6 * want[name],
              `${name} of ${item}: ${got} is not ${want[name]}`,
            );
          }
        }
      },
    ),
  );
});
