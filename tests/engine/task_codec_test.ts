import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeTask, decodeTaskCounters, encodeTask } from "../../src/engine/task_codec.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "./fake_serving.ts";
import { anyStream, run, SMALL } from "./streams.ts";

Deno.test("decodeTask() restores clock, counters and position after any stream", () => {
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

Deno.test("decodeTask() throws a SyntaxError when the record is truncated anywhere", () => {
  const whole = encodeTask(new TaskState(SMALL, new FakeServing()), 0);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => decodeTask(whole.subarray(0, length), new TaskState(SMALL, new FakeServing())),
      SyntaxError,
    );
  }
});

Deno.test("decodeTask() and decodeTaskCounters() refuse other formats", () => {
  const whole = encodeTask(new TaskState(SMALL, new FakeServing()), 0);
  for (const format of [0, 3, 6]) {
    const message = new RegExp(`format is ${format}, this release reads 4 to 5`);
    const bytes = Uint8Array.of(format, ...whole.subarray(1));
    assert.throws(() => decodeTask(bytes, new TaskState(SMALL, new FakeServing())), message);
    assert.throws(() => decodeTaskCounters(bytes), message);
  }
});
