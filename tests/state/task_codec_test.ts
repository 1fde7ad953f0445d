import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { decodeTask, encodeTask } from "../../src/engine/task_codec.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "./fake_serving.ts";
import { anyStream, outputs, run, SMALL, START } from "./streams.ts";

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

Deno.test("decodeTask() throws a SyntaxError when the record is cut anywhere", () => {
  const whole = encodeTask(new TaskState(SMALL, new FakeServing()), 0);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => decodeTask(whole.subarray(0, length), new TaskState(SMALL, new FakeServing())),
      SyntaxError,
    );
  }
});

Deno.test("decodeTask() heals the clock and the mean of a record of format 2 that one client had spoilt", () => {
  const HOUR = 3_600_000;
  const to = new ByteWriter().u8(2).uint(5).uint(7).uint(20).uint(3).uint(1000).f64(1_003_500);
  to.uint(0).f64(START + HOUR).string("held").uint(1).f64(START + 9e9).uint(0);
  const task = new TaskState(SMALL, new FakeServing());
  assert.equal(decodeTask(to.toBytes(), task), 7);
  assert.equal(task.maxTime, START + HOUR);
  const apply = (n: number, value: number) =>
    task.apply(
      { type: "interaction", user: "u", item: "i", action: "rating", value, time: START + n },
      n,
      outputs(),
      { time: START + n, isSure: true },
    );
  apply(0, 4);
  assert.equal(task.maxTime, START + 60_000, "as far ahead as servers may be");
  for (let n = 1; n < 40; n++) apply(n, 4);
  assert.equal(task.statistics.overall.values.mean, 4);
});
