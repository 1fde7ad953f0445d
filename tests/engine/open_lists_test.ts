import assert from "node:assert/strict";
import fc from "fast-check";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "./fake_serving.ts";
import { Story } from "./story.ts";
import { anyStream, Durable, outputs, run, SMALL, take } from "./streams.ts";

for (const options of [{}, { impressions: "logged" }, { labelPolicy: "late" }] as const) {
  Deno.test(`ImpressionJoin.openItems counts the rows of all users' open lists, ${JSON.stringify(options)}`, () => {
    fc.assert(
      fc.property(anyStream, (steps) => {
        const serving = new FakeServing();
        const task = new TaskState({ ...SMALL, ...options }, serving);
        steps.forEach((step, offset) => {
          take(task, serving, step, offset, outputs());
          assert.equal(task.join.openItems, held(task));
        });
        task.join.abandon();
        task.flush(outputs());
        assert.equal(task.join.openItems, held(task));
      }),
      { numRuns: 300 },
    );
  });
}

Deno.test("TaskState.apply() rejects other systems' lists beyond half of maxOpenItems, until some are settled", () => {
  const story = new Story({ maxOpenItems: 10 });
  const show = (time: number, request: string) => story.show(time, ["a", "b", "c"], { request })?.code;
  assert.deepEqual([show(1000, "r0"), show(1001, "r1"), show(1002, "r2")], [
    undefined,
    undefined,
    "too-many-open",
  ]);
  assert.equal(show(1002, "r1"), undefined, "it is open already, and only replaces itself");
  story.tick(1131);
  assert.equal(show(1131, "r3"), undefined);
  assert.equal(show(1132, "r0"), undefined, "it repeats a settled list");
  assert.equal(story.task.counters.impressions, 5);
  assert.deepEqual(Object.keys(story.labels()), ["r0", "r1", "r3"]);
});

Deno.test("TaskState.apply() answers requests beyond maxOpenItems without opening lists for them", () => {
  const story = new Story({ maxOpenItems: 5 });
  const candidates = ["a", "b", "c"];
  for (const n of [0, 1, 2, 3]) assert.equal(story.ask(1000 + n, `r${n}`, { candidates }).items.length, 3);
  assert.equal(story.task.counters.unopened, 2);
  assert.deepEqual(Object.keys(story.labels()), ["r0", "r1"]);
  assert.equal(story.task.join.openItems, 0);
});

Deno.test("TaskState rejects and opens the same lists when it is restored at any commit", () => {
  const options = { ...SMALL, maxOpenItems: 6 };
  let full = 0;
  fc.assert(
    fc.property(anyStream, (steps) => {
      const want = run(steps, options, new FakeServing());
      const serving = new FakeServing();
      const durable = new Durable();
      let task = new TaskState(options, serving);
      steps.forEach((step, offset) => {
        const out = outputs();
        take(task, serving, step, offset, out);
        durable.commit(task, out);
        task = durable.restore(options, serving);
      });
      assert.deepEqual(task.counters, want.task.counters);
      full += task.counters.unopened;
    }),
    { numRuns: 100 },
  );
  assert.ok(full > 0, "the bound is reached");
});

function held(task: TaskState): number {
  let items = 0;
  for (const { pending } of task.users.values()) {
    for (const { rows } of pending.values()) items += rows.length;
  }
  return items;
}
