import assert from "node:assert/strict";
import fc from "fast-check";
import { assignPartitions } from "../../streams/log/assignment.ts";

Deno.test("assignPartitions() is complete, disjoint and balanced, and moves no more than it must", () => {
  const state = fc.nat(20).chain((partitions) =>
    fc.record({
      partitions: fc.constant(partitions),
      // Who holds each partition now; -1 is nobody.
      owners: fc.array(fc.integer({ min: -1, max: 6 }), { minLength: partitions, maxLength: partitions }),
      members: fc.integer({ min: 1, max: 7 }),
    })
  );
  fc.assert(fc.property(state, ({ partitions, owners, members }) => {
    const held = new Map(
      Array.from({ length: members }, (_, m) => [m, owners.flatMap((owner, p) => owner === m ? [p] : [])]),
    );
    const shares = assignPartitions(partitions, held);
    const given = [...shares.values()].flat().sort((a, b) => a - b);
    assert.deepEqual(given, Array.from({ length: partitions }, (_, p) => p));

    const sizes = [...shares.values()].map((share) => share.length);
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);

    // The most that any balanced sharing can leave in place: whoever holds enough keeps low, some keep one more.
    const low = Math.floor(partitions / members);
    const own = [...held.values()].map((parts) => parts.length);
    const more = Math.min(partitions % members, own.filter((size) => size > low).length);
    const most = own.reduce((sum, size) => sum + Math.min(size, low), 0) + more;
    const kept = [...shares].flatMap(([m, share]) => share.filter((p) => held.get(m)?.includes(p))).length;
    assert.equal(kept, most);
  }));
});

Deno.test("assignPartitions() gives a partition that two members claim to the first", () => {
  const shares = assignPartitions(2, new Map([["a", [0]], ["b", [0, 1]]]));
  assert.deepEqual([...shares], [["a", [0]], ["b", [1]]]);
});

Deno.test("assignPartitions() ignores partitions that do not exist", () => {
  assert.deepEqual([...assignPartitions(1, new Map([["a", [5]]]))], [["a", [0]]]);
});
