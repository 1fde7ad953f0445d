import assert from "node:assert/strict";
import fc from "fast-check";
import { DecayedCounts } from "../../../src/retrieval/items/decayed_counts.ts";
import { decayedCount, raise } from "../../../src/items/popularity.ts";

Deno.test("DecayedCounts.count() is decayed to the time it was moved to, whatever was asked before", () => {
  const half = 1000;
  const steps = fc.array(
    fc.record({ item: fc.nat(600), time: fc.nat(2_000_000), asks: fc.boolean() }),
    { maxLength: 60 },
  );
  fc.assert(fc.property(steps, (steps) => {
    const counts = new DecayedCounts(half);
    for (const { item, time, asks } of steps) {
      if (!asks) {
        counts.set(item, raise(counts.score(item), time, half));
        continue;
      }
      counts.moveTo(time);
      const fresh = new DecayedCounts(half);
      fresh.set(item, counts.score(item));
      fresh.moveTo(time);
      assert.equal(counts.count(item), fresh.count(item));
      const want = decayedCount(counts.score(item), time, half);
      if (want < 1e100 && want > 1e-100) assert.ok(Math.abs(counts.count(item) - want) <= 1e-12 * want);
      assert.ok(Number.isFinite(counts.count(item)));
    }
    counts.moveTo(5);
    assert.equal(counts.count(1_000_000), 0);
  }));
});
