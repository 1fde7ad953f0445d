import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, endOf, FAULT_KINDS, makeSchedule } from "./schedule.ts";

const counts = {
  "kill": 12,
  "kill-monitor": 3,
  "freeze": 3,
  "leave": 3,
  "join": 2,
  "kill-joining": 2,
  "full-disk": 2,
  "broker": 2,
  "broker-freeze": 1,
  "broker-isolate": 1,
  "broker-hide": 1,
  "broker-leave": 1,
};

Deno.test("makeSchedule() repeats its faults for the same seed, and varies them with the seed", () => {
  assert.deepEqual(makeSchedule({ seed: 5, counts }), makeSchedule({ seed: 5, counts }));
  assert.notDeepEqual(makeSchedule({ seed: 5, counts }), makeSchedule({ seed: 6, counts }));
});

Deno.test("makeSchedule() makes as many faults of each kind as asked, in order, one at a time per process", () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 1, max: 4 }), fc.nat(2), (seed, tasks, monitors) => {
    const schedule = makeSchedule({ seed, counts, tasks, monitors: monitors + 1 });
    for (const kind of FAULT_KINDS) {
      assert.equal(schedule.filter((fault) => fault.kind === kind).length, counts[kind]);
    }
    const free = new Map<string, number>();
    let last = 0;
    for (const { atMs, kind, target, lastsMs } of schedule) {
      assert.ok(atMs >= last && atMs >= (free.get(target) ?? 0));
      last = atMs;
      free.set(target, atMs + lastsMs);
      assert.match(target, /^(broker|guest-\d+|task-[0-3]|learner-[01]|monitor-[0-2])$/);
      if (kind === "kill-monitor") assert.match(target, /^monitor/);
      if (kind === "full-disk") assert.match(target, /^task/);
    }
    assert.equal(endOf(schedule), Math.max(...schedule.map(({ atMs, lastsMs }) => atMs + lastsMs)));
    assert.equal(describe(schedule).split("\n").length, schedule.length + 1);
  }));
});
