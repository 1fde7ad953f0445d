import assert from "node:assert/strict";
import fc from "fast-check";
import { LeaderEpochs, UNKNOWN_EPOCH } from "../../../streams/log/kafka/protocol/leader_epochs.ts";

Deno.test("LeaderEpochs.before() is the epoch of the record before an offset, if that record was read", () => {
  // Where each of the epochs 0, 1 ... begins.
  const begins = fc.uniqueArray(fc.nat(50), { maxLength: 5 }).map((at) =>
    [0, ...at].toSorted((a, b) => a - b)
  );
  const reads = fc.array(fc.tuple(fc.nat(50), fc.nat(10)), { maxLength: 8 });
  fc.assert(fc.property(begins, reads, (begins, reads) => {
    const epochs = new LeaderEpochs();
    const epochAt = (offset: number) => begins.findLastIndex((begin) => begin <= offset);
    const read = new Set<number>();
    for (const [from, count] of reads) {
      for (let offset = from; offset < from + count; offset++) {
        read.add(offset);
        epochs.note({ from: offset, to: offset + 1, epoch: epochAt(offset) });
      }
    }
    for (let offset = 0; offset < 70; offset++) {
      const before = epochs.before(offset);
      assert.ok(before === UNKNOWN_EPOCH || read.has(offset - 1) && before === epochAt(offset - 1));
    }
    const last = reads.findLast(([, count]) => count > 0);
    if (last === undefined) return;
    const end = last[0] + last[1];
    assert.equal(epochs.before(end), epochAt(end - 1), "what was read last is known");
    assert.equal(epochs.lostFrom({ epoch: 9, end }), end, "it has them all");
  }));
});

Deno.test("LeaderEpochs.lostFrom() tells where a leader begins to have other records than were read", () => {
  const read = [{ from: 0, to: 3, epoch: 1 }, { from: 3, to: 6, epoch: 3 }];
  for (
    const [kept, differs] of [
      [{ epoch: 3, end: 5 }, 5],
      [{ epoch: 1, end: 2 }, 2],
      [{ epoch: 1, end: 4 }, 3], // ours is of another epoch at 3
      [{ epoch: 2, end: 6 }, 3], // it does not know epoch 3
    ] as const
  ) {
    const epochs = new LeaderEpochs();
    for (const run of read) epochs.note(run);
    assert.equal(epochs.lostFrom(kept), differs);
  }
});
