import assert from "node:assert/strict";
import fc from "fast-check";
import { distance, goalFor, isUneven } from "../../streams/generations/positions.ts";

const offsets = fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 });

Deno.test("distance() is the number of offsets in between, and 0 where the first position is ahead", () => {
  fc.assert(fc.property(offsets, offsets, (from, more) => {
    assert.equal(distance(from, from), 0);
    assert.equal(distance(from.map((offset) => offset + 1), from), 0);
    const to = more.map((count, partition) => (from[partition] ?? 0) + count);
    assert.equal(distance(from, to), more.reduce((sum, count) => sum + count, 0));
  }));
});

Deno.test("goalFor() is the position of each task, or of the furthest behind of those that share a partition", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 3 }), offsets, (partitions, some) => {
    const tasks = Array.from({ length: partitions * 2 }, (_, task) => some[task % some.length]!);
    assert.deepEqual(goalFor({ partitions, tasks }, tasks.length), tasks);
    assert.ok(!isUneven({ partitions, tasks }, tasks.length));
    const pairs = Array.from(
      { length: partitions },
      (_, place) => [tasks[place]!, tasks[place + partitions]!],
    );
    assert.deepEqual(
      goalFor({ partitions, tasks }, partitions),
      pairs.map(([one, other]) => Math.min(one!, other!)),
    );
    assert.equal(isUneven({ partitions, tasks }, partitions), pairs.some(([one, other]) => one !== other));
  }));
});
