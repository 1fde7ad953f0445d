import assert from "node:assert/strict";
import fc from "fast-check";
import { Schedule } from "../../scripts/simulator/schedule.ts";

Deno.test("Schedule.take() gives what was added by time, then in the order of adding", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 9 })), (times) => {
    const schedule = new Schedule<{ time: number; order: number }>();
    times.forEach((time, order) => schedule.add(time, { time, order }));
    const expected = times.map((time, order) => ({ time, order })).sort((a, b) => a.time - b.time);
    const taken = times.map(() => schedule.take());
    assert.deepEqual(taken, expected);
    assert.equal(schedule.take(), undefined);
  }));
});

Deno.test("Schedule.time is that of the next thing through adding and taking, infinite when empty", () => {
  fc.assert(fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 99 }))), (steps) => {
    const schedule = new Schedule<number>();
    const model: number[] = [];
    for (const step of steps) {
      if (step === null) assert.equal(schedule.take(), model.shift());
      else {
        schedule.add(step, step);
        model.push(step);
        model.sort((a, b) => a - b);
      }
      assert.equal(schedule.time, model[0] ?? Infinity);
    }
  }));
});
