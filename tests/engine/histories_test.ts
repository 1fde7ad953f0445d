import assert from "node:assert/strict";
import fc from "fast-check";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { Story } from "./story.ts";
import { anyStream, run, SMALL } from "./streams.ts";

const HOPS: Partial<TaskOptions> = { sequence: { capacity: 8, window: 6, hop: 3 }, learnHistories: true };

/** Clicks on `count` items from `time` on, a millisecond apart. */
function click(story: Story, time: number, count: number): void {
  for (let n = 0; n < count; n++) story.click(time + n, `i${time + n}`);
}

Deno.test("TaskState.apply() gives a history without rows each hop of behaviours that no list has shown", () => {
  const story = new Story(HOPS);
  click(story, 1000, 8);
  assert.deepEqual(story.samples.map(({ time, history }) => [time, history.items]), [
    [1002, ["i1000", "i1001", "i1002"]],
    [1005, ["i1000", "i1001", "i1002", "i1003", "i1004", "i1005"]],
  ]);
  for (const sample of story.samples) {
    const { purpose, rows, version, user, closedTime, time } = sample;
    assert.deepEqual([purpose, rows.length, version, user], ["learn", 0, 0, "u"]);
    assert.equal(closedTime, time);
  }
  const { histories, samples, rows, impressions } = story.task.counters;
  assert.deepEqual({ histories, samples, rows, impressions }, {
    histories: 2,
    samples: 0,
    rows: 0,
    impressions: 0,
  });
});

Deno.test("TaskState.apply() gives no history of behaviours that a shown list has, or will have", () => {
  const story = new Story(HOPS);
  click(story, 1000, 2);
  story.show(1002, ["a"], { request: "r" });
  click(story, 1003, 2);
  assert.equal(story.task.counters.histories, 0, "a hop, but no list has shown two of them only");
  story.click(1005, "b");
  assert.equal(story.task.counters.histories, 1);
  // An answer that nobody saw is no sample, so it shows nothing.
  const logged = new Story({ ...HOPS, impressions: "logged" });
  click(logged, 1000, 2);
  logged.ask(1002, "r", { candidates: ["a"] });
  logged.click(1003, "b");
  assert.equal(logged.task.counters.histories, 1);
});

Deno.test("TaskState.apply() begins again after the user was forgotten, and gives no histories unless asked", () => {
  const story = new Story(HOPS);
  click(story, 1000, 2);
  story.forget(1002);
  click(story, 1003, 2);
  assert.equal(story.task.counters.histories, 0);
  story.click(1005, "a");
  assert.equal(story.samples.length, 1);
  const silent = new Story({ ...HOPS, learnHistories: false });
  click(silent, 1000, 30);
  assert.equal(silent.samples.length, 0);
});

Deno.test("TaskState.apply() answers, joins and counts the same whether histories are learnt or not", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const [without, withHistories] = [false, true].map((learnHistories) => {
      const { task, out } = run(steps, { ...SMALL, learnHistories });
      task.flush(out);
      const { histories, ...counters } = task.counters;
      const forgotten = out.forgotten.map(({ user }) => user);
      const samples = out.samples.filter(({ rows }) => rows.length > 0);
      return { recommendations: out.recommendations, samples, forgotten, counters, histories };
    });
    assert.equal(without?.histories, 0);
    assert.deepEqual({ ...withHistories, histories: 0 }, without);
  }));
});
