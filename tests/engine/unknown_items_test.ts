/** Made-up items: each takes some KB for good, so their number is limited. */

import assert from "node:assert/strict";
import { outputs, SMALL } from "./streams.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { decodeTask, encodeTask } from "../../src/engine/task_codec.ts";
import { FakeServing } from "./fake_serving.ts";

const TIME = 1_700_000_000_000;

function makeTask(maxUnlistedItems: number, options: Partial<TaskOptions> = {}) {
  const task = new TaskState({ ...SMALL, ...options, maxUnlistedItems }, new FakeServing());
  let offset = 0;
  const apply = (fields: Record<string, unknown>) => {
    const out = outputs();
    const event = { user: "u1", time: TIME + offset, ...fields } as Parameters<TaskState["apply"]>[0];
    const refusal = task.apply(event, offset++, out);
    return { code: refusal?.code, out };
  };
  return { task, apply };
}

Deno.test("TaskState.apply() limits the unlisted items that one user names, until the catalogue lists some", () => {
  const { task, apply } = makeTask(20);
  for (let n = 0; n < 10; n++) task.applyItem({ item: `listed${n}`, time: TIME });
  const click = (item: string) => apply({ type: "interaction", item, action: "click" }).code;
  for (let n = 0; n < 50; n++) assert.equal(click(`made-up${n}`), n < 10 ? undefined : "unknown-item");
  assert.equal(task.catalogue.size, 20);
  assert.deepEqual([click("listed1"), click("made-up1")], [undefined, undefined]);
  const items = ["listed1", "made-up1", "new1", "new2"];
  assert.equal(apply({ type: "impression", request: "r1", items }).code, "unknown-item");
  const { out } = apply({ type: "request", request: "r2", count: 4, candidates: items });
  assert.deepEqual(out.recommendations[0]?.items.map(({ item }) => item).toSorted(), ["listed1", "made-up1"]);
  const behaviours = [{ item: "new4", action: "click", time: TIME, strength: 1 }];
  apply({ type: "merge", from: "s1", behaviours, attributes: {} });
  assert.equal(task.catalogue.size, 20);
  // An item that is listed then makes room.
  task.applyItem({ item: "made-up1", time: TIME });
  assert.deepEqual([click("new1"), click("new2")], [undefined, "unknown-item"]);
});

Deno.test("TaskState.apply() takes another item once two users have named it, and new ones a week later", () => {
  const { task, apply } = makeTask(20);
  const click = (item: string, user: string, days = 0) =>
    apply({ type: "interaction", item, action: "click", user, time: TIME + 1000 + 86_400_000 * days }).code;
  for (let n = 0; n < 50; n++) click(`made-up${n}`, "robot");
  assert.deepEqual([click("new", "ann"), click("new", "bob")], ["unknown-item", undefined]);
  const shown = (user: string) =>
    apply({ type: "impression", request: user, items: ["new", "next"], user }).code;
  assert.deepEqual([shown("ann"), shown("bob")], ["unknown-item", undefined]);
  assert.equal(task.catalogue.size, 12);
  for (let n = 0; n < 10; n++) click("new", `u${n % 2}`, 7);
  assert.equal(click("newer", "ann", 7), undefined);
});

Deno.test("TaskState.removeItem() does not note an unknown item when there is no room", () => {
  const { task } = makeTask(0);
  task.removeItem("new", TIME);
  assert.equal(task.catalogue.size, 0);
});

Deno.test("TaskState.apply() takes as many unlisted candidates as there is room for", () => {
  const { task, apply } = makeTask(6);
  const candidates = Array.from({ length: 10 }, (_, n) => `new${n}`);
  const { out } = apply({ type: "request", request: "r1", count: 10, candidates });
  assert.equal(out.recommendations[0]?.items.length, 3);
  assert.equal(task.catalogue.size, 3);
});

const ROOMY: Partial<TaskOptions> = { retrieval: {}, policy: undefined, frequency: undefined };

Deno.test("a complete catalogue keeps unlisted items out of lists until it lists them", () => {
  const { task, apply } = makeTask(Infinity, ROOMY);
  for (let n = 0; n < 10; n++) task.applyItem({ item: `listed${n}`, time: TIME });
  const view = (item: string, user: string) => apply({ type: "interaction", item, action: "click", user });
  const found = (fields: Record<string, unknown> = {}) => {
    const { out } = apply({
      type: "request",
      request: `r${task.counters.requests}`,
      user: "guest",
      count: 20,
      ...fields,
    });
    return new Set(out.recommendations[0]?.items.map(({ item }) => item));
  };
  for (let n = 0; n < 998; n++) view(`listed${n % 10}`, `u${n % 20}`);
  view("made-up", "robot");
  view("listed0", "u0");
  assert.ok(found().has("made-up"), "999 behaviours are too few to tell");
  view("listed1", "u1");
  assert.ok(!found().has("made-up"));
  assert.ok(!found({ list: "trending" }).has("made-up"));
  assert.ok(!found({ item: "listed3" }).has("made-up"));
  assert.ok(
    found({ candidates: ["made-up", "listed2"] }).has("made-up"),
    "items that the request names are ranked",
  );
  const restored = makeTask(Infinity, ROOMY).task;
  decodeTask(encodeTask(task, 0), restored);
  assert.deepEqual([task.catalogue.isComplete, restored.catalogue.isComplete], [true, true]);

  task.applyItem({ item: "made-up", time: TIME });
  assert.ok(found().has("made-up"));

  for (let n = 0; n < 10; n++) view(`unlisted${n}`, `u${n}`);
  assert.ok(found().has("unlisted3"), "one behaviour in a hundred is with an unlisted item");
});

Deno.test("a catalogue that misses many items withholds none", () => {
  const { task, apply } = makeTask(Infinity, ROOMY);
  task.applyItem({ item: "listed", time: TIME });
  for (let n = 0; n < 3000; n++) {
    apply({
      type: "interaction",
      item: n % 2 === 0 ? "listed" : `made-up${n % 7}`,
      action: "click",
      user: `u${n % 30}`,
    });
  }
  const { out } = apply({ type: "request", request: "r", user: "guest", count: 20 });
  assert.ok((out.recommendations[0]?.items.length ?? 0) > 5);
});
