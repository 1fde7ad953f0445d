import assert from "node:assert/strict";
import fc from "fast-check";
import type { RequestEvent } from "../../src/events/event.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "./fake_serving.ts";
import { anyStream, inventory, outputs, run, SMALL, take } from "./streams.ts";

const asks = (user: string, time: number): RequestEvent[] => [
  { type: "request", request: "preview", user, time, count: 3 },
  { type: "request", request: "preview", user, time, count: 3, candidates: ["i1", "nobody knows this"] },
];

Deno.test("Lists.preview() changes neither the state nor later outputs", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const plain = run(steps);
    const serving = new FakeServing();
    const task = new TaskState(SMALL, serving);
    const out = outputs();
    steps.forEach((step, offset) => {
      take(task, serving, step, offset, out);
      for (const user of [...task.users.values()]) {
        for (const ask of asks(user.id, Math.max(0, task.maxTime))) task.lists.preview(user, ask);
      }
    });
    assert.deepEqual(inventory(task), inventory(plain.task));
    assert.deepEqual(out, plain.out);
    assert.equal(task.catalogue.get("nobody knows this"), undefined);
  }));
});

Deno.test("Lists.preview() is the answer that the same request gets", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const { task } = run(steps);
    for (const user of [...task.users.values()]) {
      const [ask] = asks(user.id, Math.max(0, task.maxTime)) as [RequestEvent];
      const { recommendation, list, serving } = task.lists.preview(user, ask);
      const out = outputs();
      task.apply(ask, user.lastOffset + 1, out);
      assert.deepEqual(out.recommendations, [recommendation]);
      assert.deepEqual(list.rows.map(({ item }) => item), recommendation.items.map(({ item }) => item));
      assert.ok(serving.score(list).every(Number.isFinite));
      return; // the opened list may change other users' answers
    }
  }));
});
