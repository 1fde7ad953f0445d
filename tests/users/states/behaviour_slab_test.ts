import assert from "node:assert/strict";
import fc from "fast-check";
import { SequenceSlab } from "../../../src/users/states/sequence.ts";
import type { Behaviour } from "../../../src/users/states/behaviour_slab.ts";

function stored(slab: SequenceSlab, row: number): Behaviour[] {
  return Array.from({ length: slab.length(row) }, (_, i) => ({
    item: slab.item(row, i),
    action: slab.action(row, i),
    time: slab.time(row, i),
    strength: slab.strength(row, i),
  }));
}

const behaviour = fc.record({
  item: fc.nat(2 ** 32 - 1),
  action: fc.constantFrom("click", "rating"),
  time: fc.nat(2 ** 48 - 1),
  // The usual one, halves, and those that need single precision.
  strength: fc.oneof(fc.constant(1), fc.constantFrom(0, -0, 0.5, -2.75), fc.float({ noNaN: true })),
}, { noNullPrototype: true });

Deno.test("SequenceSlab.insert() keeps every strength exactly, whatever rows store of them", () => {
  fc.assert(fc.property(fc.array(fc.array(behaviour, { maxLength: 30 }), { maxLength: 6 }), (people) => {
    const slab = new SequenceSlab({ capacity: 25, window: 5, hop: 2 });
    for (const behaviours of people) {
      const row = slab.allocate();
      for (const next of behaviours) slab.insert(row, next);
      const want = behaviours.toSorted((a, b) => a.time - b.time).slice(-25);
      // What was older than a full row when it came is not in it.
      assert.deepEqual(stored(slab, row), want);
      if (behaviours.length % 2 === 1) slab.release(row);
    }
  }));
});

Deno.test("SequenceSlab.rowBytes() is 11 a behaviour, 13 and 15 where an action has strengths that differ", () => {
  const slab = new SequenceSlab({ capacity: 100 });
  const bytes = (strengths: readonly number[]) => {
    const row = slab.allocate();
    const insert = (strength: number, time: number) =>
      slab.insert(row, { item: 1, action: "a", time, strength });
    strengths.forEach(insert);
    while (slab.length(row) < 100) insert(1, slab.length(row));
    return slab.rowBytes(row);
  };
  assert.deepEqual([[1], [1, 0.5], [1, 0.5, 0.1]].map(bytes), [1115, 1315, 1515]);
});

Deno.test("SequenceSlab.insert() throws a RangeError when a time does not fit 48 bits", () => {
  const slab = new SequenceSlab();
  const row = slab.allocate();
  for (const time of [-1, 0.5, 2 ** 48, NaN, Infinity]) {
    assert.throws(() => slab.insert(row, { item: 1, action: "a", time, strength: 1 }), RangeError);
  }
});
