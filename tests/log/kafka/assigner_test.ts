import assert from "node:assert/strict";
import fc from "fast-check";
import {
  decodeMember,
  decodeShare,
  encodeMember,
  encodeShare,
  type GroupMember,
  planShares,
} from "../../../streams/log/kafka/group/assigner.ts";

Deno.test("planShares() never gives two members the same partition, nor one that another holds", () => {
  const members = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(members, fc.integer({ min: 1, max: 20 }), fc.array(fc.nat(7)), (ids, partitions, owners) => {
      // The owner of each partition: a member, or one that is gone.
      const held = (i: number) =>
        Array.from({ length: partitions }, (_, p) => p).filter((p) => owners[p] === i);
      let group: GroupMember[] = ids.map((id, i) => ({ id, held: held(i) }));
      for (let round = 1;; round++) {
        assert.ok(round <= 2, "two rounds are enough");
        const shares = planShares(partitions, group);
        for (const { id } of group) {
          for (const partition of shares.get(id)?.partitions ?? []) {
            const holder = group.find(({ held }) => held.includes(partition));
            assert.ok(holder === undefined || holder.id === id);
          }
        }
        group = group.map(({ id }) => ({ id, held: shares.get(id)?.partitions ?? [] }));
        if ([...shares.values()].every(({ more }) => !more)) break;
      }
      const sizes = group.map(({ held }) => held.length);
      assert.equal(sizes.reduce((sum, size) => sum + size, 0), partitions);
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
    }),
  );
});

Deno.test("planShares() does not depend on the order of the members", () => {
  const group = [{ id: "a", held: [0, 1, 2] }, { id: "b", held: [] }, { id: "c", held: [3] }];
  assert.deepEqual([...planShares(4, group)].sort(), [...planShares(4, group.toReversed())].sort());
});

Deno.test("decodeMember() and decodeShare() read back what was encoded", () => {
  const topics = ["events", "items"];
  assert.deepEqual(decodeMember("m", encodeMember(topics, [1, 3])), { id: "m", held: [1, 3] });
  for (const share of [{ partitions: [0, 2], more: true }, { partitions: [], more: false }]) {
    assert.deepEqual(decodeShare(encodeShare(topics, share)), share);
  }
  assert.deepEqual(decodeShare(new Uint8Array()), { partitions: [], more: false });
});
