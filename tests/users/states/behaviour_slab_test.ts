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
  // The usual strength, halves, and some that need single precision.
  strength: fc.oneof(
    { arbitrary: fc.constant(1), weight: 10 },
    fc.constantFrom(0, -0, 0.5, -2.75),
    fc.float({ noNaN: true }),
  ),
}, { noNullPrototype: true });

Deno.test("SequenceSlab keeps each row's behaviours, whatever others store, and does not grow over time", () => {
  const step = fc.record({ person: fc.nat(3), next: fc.option(behaviour, { freq: 20 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), fc.boolean(), (steps, clears) => {
      const slab = new SequenceSlab({ capacity: 9, window: 5, hop: 2 });
      const play = () => {
        const people = [0, 1, 2, 3].map(() => ({ row: slab.allocate(), model: [] as Behaviour[] }));
        for (const { person, next } of steps) {
          const own = people[person]!;
          if (next !== null) {
            slab.insert(own.row, next);
            // A full row drops what is older than its behaviours.
            own.model = [...own.model, next].sort((a, b) => a.time - b.time).slice(-9);
          } else if (clears) {
            slab.clear(own.row);
            own.model = [];
          } else {
            slab.release(own.row);
            Object.assign(own, { row: slab.allocate(), model: [] });
          }
        }
        for (const { row, model } of people) assert.deepEqual(stored(slab, row), model);
        for (const { row } of people) slab.release(row);
      };
      play();
      const { bytes } = slab;
      for (let n = 0; n < 20; n++) play();
      assert.equal(slab.bytes, bytes);
    }),
    { numRuns: 40 },
  );
});

Deno.test("SequenceSlab.rowBytes() is 11 per behaviour, or 13 or 15 where an action's strengths differ", () => {
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

Deno.test("SequenceSlab.insert() throws a RangeError when a time does not fit into 48 bits", () => {
  const slab = new SequenceSlab();
  const row = slab.allocate();
  for (const time of [-1, 0.5, 2 ** 48, NaN, Infinity]) {
    assert.throws(() => slab.insert(row, { item: 1, action: "a", time, strength: 1 }), RangeError);
  }
});
