import assert from "node:assert/strict";
import fc from "fast-check";
import { FedBefore } from "../../streams/feeders/fed_before.ts";

const anyRecords = fc.array(fc.string({ minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 });

/** What was fed when the first `count` records are on the log. */
function fed(records: readonly string[], count: number, isRejected = false): FedBefore {
  const all = new FedBefore({ next: 0, sum: 0 });
  for (const record of records.slice(0, count)) assert.equal(all.pass(record), false);
  return new FedBefore(all.position(isRejected));
}

Deno.test("FedBefore.pass() is true for the records fed before, wherever feeding stopped", () => {
  fc.assert(fc.property(anyRecords, fc.nat(12), (records, cut) => {
    const count = Math.min(cut, records.length);
    const again = fed(records, count);
    assert.equal(again.count, count);
    assert.deepEqual(records.map((record) => again.pass(record)), records.map((_, at) => at < count));
    again.end();
    assert.deepEqual(again.position(true), positionOf(records));
  }));
});

/** The position after all records in one go, the last of which is rejected. */
function positionOf(records: readonly string[]) {
  const all = new FedBefore({ next: 0, sum: 0 });
  for (const record of records) all.pass(record);
  return all.position(true);
}

Deno.test("FedBefore refuses a source that differs from what was fed, or has less", () => {
  fc.assert(fc.property(anyRecords, fc.nat(), (records, at) => {
    const changed = records.with(at % records.length, "another");
    assert.throws(() => {
      const before = fed(records, records.length);
      for (const record of changed) before.pass(record);
    }, /on the log: its first records differ from those; feed a different source/);
    const before = fed(records, records.length);
    for (const record of records.slice(1)) before.pass(record);
    assert.throws(() => before.end(), new RegExp(`it has only ${records.length - 1};`));
  }));
});

Deno.test("FedBefore.pass() is false for a last record that was rejected and has changed since", () => {
  const before = fed(["a", "b", "half"], 3, true);
  assert.deepEqual(["a", "b", "half and whole", "c"].map((record) => before.pass(record)), [
    true,
    true,
    false,
    false,
  ]);
  assert.equal(before.position(true).next, 4);
  const accepted = fed(["a", "b", "half"], 3);
  accepted.pass("a");
  accepted.pass("b");
  assert.throws(() => accepted.pass("half and whole"), /differ/);
  const unknown = new FedBefore({ next: 2, sum: null });
  assert.deepEqual(["x", "y", "z"].map((record) => unknown.pass(record)), [true, true, false]);
});
