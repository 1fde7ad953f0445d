import assert from "node:assert/strict";
import fc from "fast-check";
import { type Deadline, DeadlineQueue } from "../../src/users/deadline_queue.ts";

Deno.test("DeadlineQueue returns deadlines by time, then by sequence, however they are pushed and popped", () => {
  // null = pop
  fc.assert(fc.property(fc.array(fc.option(fc.nat(9)), { maxLength: 80 }), (steps) => {
    const queue = new DeadlineQueue();
    let model: Deadline[] = [];
    steps.forEach((time, sequence) => {
      if (time === null) {
        assert.deepEqual(queue.pop(), model[0]);
        model = model.slice(1);
      } else {
        const entry = { time, sequence, user: `u${sequence}` };
        queue.push(entry);
        model = [...model, entry].sort((a, b) => a.time - b.time || a.sequence - b.sequence);
      }
      assert.equal(queue.size, model.length);
      assert.deepEqual(queue.peek(), model[0]);
    });
  }));
});
