import assert from "node:assert/strict";
import fc from "fast-check";
import { Catalogue } from "../../src/state/catalogue.ts";
import {
  decodeItemState,
  decodeTask,
  encodeItemState,
  encodeTask,
  itemKey,
  itemOfKey,
} from "../../src/state/task_codec.ts";
import { TaskState } from "../../src/state/task_state.ts";
import { FakeServing } from "./fake_serving.ts";
import { anyStream, run, SMALL } from "./streams.ts";

Deno.test("decodeItemState() gives the same item when items come from any stream", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const { task } = run(steps);
    const catalogue = new Catalogue(SMALL.schema);
    for (const item of task.catalogue.items()) {
      assert.deepEqual({ ...decodeItemState(item.id, encodeItemState(item), catalogue), index: 0 }, {
        ...item,
        index: 0,
      });
    }
  }));
});

Deno.test("decodeTask() gives the same clock, counters and position when tasks come from any stream", () => {
  fc.assert(fc.property(anyStream, fc.maxSafeNat(), (steps, itemsNext) => {
    const { task } = run(steps);
    const copy = new TaskState(SMALL, new FakeServing());
    assert.equal(decodeTask(encodeTask(task, itemsNext), copy), itemsNext);
    assert.equal(copy.maxTime, task.maxTime);
    assert.equal(copy.join.nextSequence, task.join.nextSequence);
    assert.deepEqual(copy.counters, task.counters);
    assert.deepEqual(copy.statistics.overall, task.statistics.overall);
  }));
});

Deno.test("decodeItemState() throws a SyntaxError when the record is cut anywhere", () => {
  const item = new Catalogue(SMALL.schema).apply({ item: "i", time: 7, category: "c" });
  const whole = encodeItemState(item);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => decodeItemState("i", whole.subarray(0, length), new Catalogue(SMALL.schema)),
      SyntaxError,
    );
  }
});

Deno.test("decodeTask() throws a SyntaxError when the record is cut anywhere", () => {
  const whole = encodeTask(new TaskState(SMALL, new FakeServing()), 0);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => decodeTask(whole.subarray(0, length), new TaskState(SMALL, new FakeServing())),
      SyntaxError,
    );
  }
});

Deno.test("itemOfKey() gives the id that itemKey() was made of", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (id) => assert.equal(itemOfKey(itemKey(id)), id)));
});
