import assert from "node:assert/strict";
import { DEFAULT_SCHEMA, numericNames } from "../../src/features/schema.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { PRIOR } from "../../src/serving/prior_serving.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";

const NAMES = numericNames(DEFAULT_SCHEMA);

/** The sample of a user who clicked on nothing in `lists` lists before. */
function sampleAfter(lists: number, userIds: boolean): Sample {
  const task = new TaskState({
    schema: { ...DEFAULT_SCHEMA, userIds },
    impressions: "logged",
    maxJumpMs: Infinity, // no user is active all the time
  }, PRIOR);
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  const show = (user: string, n: number, time: number) =>
    task.apply({ type: "impression", user, request: `${user}${n}`, items: ["i"], time }, n, out);
  for (let n = 0; n < 9; n++) show("others", n, 1000 * n);
  for (let n = 0; n < lists; n++) show("u", n, 10_000 + n);
  show("u", 20, 10_000_000);
  task.flush(out);
  return out.samples.find(({ time }) => time === 10_000_000)!;
}

Deno.test("ListScorer.score() uses the user's own statistics only where the schema has ids of users", () => {
  const names = ["userRate", "userCount"];
  const [rate, count] = names.map((name) => NAMES.indexOf(name));
  const own = sampleAfter(5, true).rows.at(0).numerics, none = sampleAfter(5, false).rows.at(0).numerics;
  assert.ok(Math.abs(own[count!]! - Math.log1p(5)) < 1e-6 && own[rate!]! < none[rate!]!);
  assert.equal(none[count!], 0, "like a new user");
});

Deno.test("ListScorer.score() keeps the newest purchase of each category that has left the window", () => {
  const sampled = (ends: readonly string[]) => {
    const task = new TaskState({
      schema: { ...DEFAULT_SCHEMA, transitions: { ends } },
      sequence: { capacity: 8, window: 2, hop: 1 },
      impressions: "logged",
    }, PRIOR);
    const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
    for (const [item, category] of [["a", "x"], ["b", "x"], ["c", "y"], ["d", "z"], ["e", "z"]] as const) {
      task.applyItem({ item, time: 0, categories: [category] });
    }
    const lived = [
      "a purchase",
      "b purchase",
      "c purchase",
      "d click",
      "d purchase",
      "e purchase",
      "e click",
    ];
    lived.forEach((did, n) => {
      const [item, action] = did.split(" ") as [string, string];
      task.apply({ type: "interaction", user: "u", item, action, time: 1000 + n }, n, out);
    });
    task.apply({ type: "impression", user: "u", items: ["a"], time: 2000 }, 100, out);
    task.flush(out);
    return out.samples[0]!.history;
  };
  const history = sampled(["purchase"]);
  assert.deepEqual(history.items, ["e", "e"]);
  assert.deepEqual(history.earlier, {
    items: ["b", "c"],
    categories: [["x"], ["y"]],
    actions: ["purchase", "purchase"],
    times: Float64Array.of(1001, 1002),
  });
  assert.equal(sampled([]).earlier, undefined);
});

Deno.test("windowOf() is shared by open lists until something in it changes", () => {
  const task = new TaskState({ schema: DEFAULT_SCHEMA, impressions: "logged" }, PRIOR);
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  let n = 0;
  const time = () => 1000 + n;
  const click = (item: string, at = time()) =>
    task.apply({ type: "interaction", user: "u", item, action: "click", time: at }, n++, out);
  const shown = () => {
    const request = `r${n}`;
    task.apply({ type: "impression", user: "u", request, items: ["z"], time: time() }, n++, out);
    return task.users.get("u")!.pending.get(request)!.history;
  };
  click("a");
  click("b");
  const first = shown();
  assert.equal(shown(), first);
  task.applyItem({ item: "a", time: 0, categories: ["x"] });
  const recategorised = shown();
  assert.deepEqual([recategorised.categories, first.categories], [[["x"], []], [[], []]]);
  assert.equal(shown(), recategorised);
  click("c");
  assert.deepEqual(shown().items, ["a", "b", "c"]);
  click("d", 1003); // late: between the existing ones
  assert.deepEqual(shown().items, ["a", "b", "d", "c"]);
});

Deno.test("ListScorer.score() knows the length of the list that is shown, not of the candidates", () => {
  const task = new TaskState({ schema: { ...DEFAULT_SCHEMA, contextFields: ["listLength"] } }, PRIOR);
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  const items = ["a", "b", "c", "d", "e"];
  for (const item of items) task.applyItem({ item, time: 0 });
  for (const [n, count] of [2, 5, 9].entries()) {
    const request = { request: `r${n}`, count, candidates: items, time: 1000 + n };
    task.apply({ type: "request", user: "u", ...request }, n, out);
  }
  task.flush(out);
  assert.deepEqual(out.samples.map(({ contextFields }) => contextFields), [["2"], ["4"], ["4"]]);
});
