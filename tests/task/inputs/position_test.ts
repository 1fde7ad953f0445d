import assert from "node:assert/strict";
import {
  changeOf,
  decodePosition,
  encodeInputs,
  INPUTS,
  type OwnPosition,
  PARTITIONS,
  positionOf,
  type PositionSides,
} from "../../../streams/task/inputs/position.ts";
import { hasCode } from "../../contracts/log_suite.ts";

const own: OwnPosition = { next: 17, ids: { events: "a" }, partitions: 2 };
const SIDES: PositionSides = {
  topic: "events",
  partition: 1,
  statistics: "statistics",
  group: "tasks",
  own,
  committed: 17,
  now: { id: "a", partitions: 2 },
  bounds: { start: 3, end: 40 },
};

Deno.test("positionOf() resumes where the task's own record says, and remarks on a group that disagrees", () => {
  assert.deepEqual(positionOf(SIDES), { next: 17, remark: null });
  for (
    const [committed, says] of [[null, "expired or was deleted"], [0, "says 0"], [40, "says 40"]] as const
  ) {
    const { next, remark } = positionOf({ ...SIDES, committed });
    assert.equal(next, 17);
    assert.ok(remark?.includes("at 17") && remark.includes(says), `${remark}`);
  }
});

Deno.test("positionOf() begins at the first remaining event when no task has ever run", () => {
  assert.deepEqual(positionOf({ ...SIDES, own: null, committed: null }), { next: 3, remark: null });
});

Deno.test("positionOf() resumes before what the log dropped, so that reading counts the loss", () => {
  assert.equal(positionOf({ ...SIDES, bounds: { start: 30, end: 40 } }).next, 17);
});

Deno.test("positionOf() refuses positions that contradict each other, and names both sides and the way out", () => {
  const cases: readonly (readonly [change: Partial<PositionSides>, ...says: string[]])[] = [
    [{ now: { id: "b", partitions: 2 } }, "id was a", "is b", "--prefix", "follow events"],
    [{ now: { id: "a", partitions: 4 } }, "with 2 partitions", "has 4 now", "follow events"],
    [{ bounds: { start: 0, end: 16 } }, "at 17", "from 16 on", "--prefix"],
    [{ own: null }, "at 17", "group tasks", "statistics/1 has no record", "--delete --group tasks"],
  ];
  for (const [change, ...says] of cases) {
    assert.throws(() => positionOf({ ...SIDES, ...change }), (error) => {
      assert.ok(hasCode("topic-mismatch")(error));
      for (const word of says) assert.ok((error as Error).message.includes(word), `${error}: ${word}`);
      return true;
    });
  }
});

Deno.test("changeOf() compares ids only where both are known", () => {
  assert.equal(changeOf("t", { id: null, partitions: 1 }, { id: "b", partitions: 1 }), null);
  assert.equal(changeOf("t", { id: "a", partitions: 1 }, { id: null, partitions: 1 }), null);
  assert.match(changeOf("t", { id: "a", partitions: 1 }, null)?.message ?? "", /t: it was deleted/);
});

Deno.test("decodePosition() reads what encodeInputs() wrote, and rejects damaged or older headers", () => {
  const ids = { events: "x", items: null };
  assert.deepEqual(decodePosition({ [INPUTS]: encodeInputs(5, ids), [PARTITIONS]: "2" }), {
    next: 5,
    ids,
    partitions: 2,
  });
  for (const odd of ["", "{", "{}", '{"next":-0.5,"ids":{}}', '{"next":1,"ids":null}', "null"]) {
    assert.throws(() => decodePosition({ [INPUTS]: odd, [PARTITIONS]: "2" }), SyntaxError, odd);
  }
  assert.throws(() => decodePosition({ [PARTITIONS]: "2" }), SyntaxError);
  assert.throws(() => decodePosition({ [INPUTS]: encodeInputs(5, ids) }), SyntaxError);
});
