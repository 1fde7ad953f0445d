import assert from "node:assert/strict";
import fc from "fast-check";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import { DeadlineQueue } from "../../src/users/deadline_queue.ts";
import { FakeServing } from "./fake_serving.ts";
import { anyStream, asWritten, Durable, inventory, outputs, run, SMALL, START, take } from "./streams.ts";
import { Story } from "./story.ts";

const COUNT = 3;
const collecting = (): TaskOutputs & { readonly lists: Recommendation[] } => ({ ...outputs(), lists: [] });
const withLists = (everyMs: number): TaskOptions => ({
  ...SMALL,
  policy: { name: "greedy" },
  userLists: { count: COUNT, surface: "app", everyMs },
});
const itemsOf = (list: Pick<Recommendation, "items">) => list.items.map(({ item }) => item);

/** The list that a user would get now on request. */
function asked(task: TaskState, user: string): readonly string[] {
  const state = task.users.get(user) ?? assert.fail();
  const ask = {
    type: "request",
    request: user,
    user,
    time: task.maxTime,
    count: COUNT,
    surface: "app",
  } as const;
  return itemsOf(task.lists.preview(state, ask).recommendation);
}

Deno.test("TaskState gives a changed list, at most once per everyMs, and as a request would get it", () => {
  fc.assert(fc.property(anyStream, fc.constantFrom(0, 200, 1500), (steps, everyMs) => {
    const serving = new FakeServing();
    const task = new TaskState(withLists(everyMs), serving);
    const held = new Map<string, readonly string[]>();
    const madeAt = new Map<string, number>();
    steps.forEach((step, offset) => {
      const out = collecting();
      const before = new Map([...task.users.values()].map(({ id, listed }) => [id, listed]));
      take(task, serving, step, offset, out);
      for (const { user } of out.forgotten) {
        held.delete(user);
        madeAt.delete(user);
      }
      assert.ok(out.lists.length <= 2);
      for (const list of out.lists) {
        const last = madeAt.get(list.user);
        assert.ok(last === undefined || list.time - last >= everyMs, `${list.time - (last ?? 0)} ms`);
        assert.notDeepEqual(itemsOf(list), held.get(list.user));
        assert.equal(list.request, `list:${offset}`);
        assert.deepEqual(itemsOf(list), asked(task, list.user));
        held.set(list.user, itemsOf(list));
        madeAt.set(list.user, list.time);
      }
      for (const { id, listed } of task.users.values()) {
        const isMade = listed !== null && listed.due === null && listed !== before.get(id);
        if (isMade) assert.deepEqual(held.get(id), asked(task, id), "given, or as it was");
      }
    });
  }));
});

Deno.test("TaskState gives the same lists and state when it is restored at any commit", () => {
  const options = withLists(400);
  fc.assert(fc.property(anyStream, fc.infiniteStream(fc.integer({ min: 1, max: 9 })), (steps, gaps) => {
    const whole = collecting();
    const once = new FakeServing();
    const never = new TaskState(options, once);
    steps.forEach((step, offset) => take(never, once, step, offset, whole));
    const serving = new FakeServing();
    const durable = new Durable();
    const lists: Recommendation[] = [];
    let [task, out, left] = [new TaskState(options, serving), collecting(), gaps.next().value];
    steps.forEach((step, offset) => {
      take(task, serving, step, offset, out);
      if (--left > 0 && offset < steps.length - 1) return;
      durable.commit(task, out);
      lists.push(...out.lists);
      [task, out, left] = [durable.restore(options, serving), collecting(), gaps.next().value];
    });
    assert.deepEqual(lists, whole.lists);
    assert.deepEqual(inventory(task), inventory(never));
  }));
});

Deno.test("a task that follows another one gives no lists, and misses none when it takes the lead", () => {
  fc.assert(fc.property(anyStream, fc.nat(60), fc.constantFrom(0, 200, 1500), (steps, switchAt, everyMs) => {
    const serving = new FakeServing();
    const [old, now] = [0, 1].map(() => new TaskState(withLists(everyMs), serving)) as [TaskState, TaskState];
    now.userLists!.isFollowing = true;
    const held = new Map<string, readonly string[]>();
    steps.forEach((step, offset) => {
      if (offset === switchAt) now.userLists!.isFollowing = false;
      const before = new Map([...now.users.values()].map(({ id, listed }) => [id, listed]));
      const [theirs, ours] = [collecting(), collecting()];
      if (step.kind === "publish") serving.version++;
      else {
        if (offset < switchAt) take(old, serving, step, offset, theirs);
        take(now, serving, step, offset, ours);
      }
      for (const { user } of ours.forgotten) held.delete(user);
      if (offset < switchAt) assert.deepEqual(ours.lists, []);
      for (const list of [...theirs.lists, ...ours.lists]) held.set(list.user, itemsOf(list));
      if (offset < switchAt) {
        for (const { id, listed } of old.users.values()) {
          if (listed?.due) assert.ok(now.users.get(id)?.listed?.due, `${id} waits there`);
        }
        return;
      }
      for (const { id, listed } of now.users.values()) {
        const isMade = listed !== null && listed.due === null && listed !== before.get(id);
        if (isMade) assert.deepEqual(held.get(id), asked(now, id));
      }
    });
  }));
});

Deno.test("a task that follows another one holds one deadline per user, however rarely lists are given", () => {
  const story = new Story({ userLists: { count: 2, everyMs: 2000 } });
  const lists: Recommendation[] = [];
  story.task.userLists!.isFollowing = true;
  const held = new Set<DeadlineQueue>();
  const { push } = DeadlineQueue.prototype;
  DeadlineQueue.prototype.push = function (entry) {
    if (!("request" in entry)) held.add(this);
    push.call(this, entry);
  };
  try {
    let offset = 0;
    const act = (time: number, user: string) => {
      const event = { type: "interaction", user, time: START + time, action: "click", item: "a" } as const;
      story.task.apply(event, offset++, { ...story.out, lists });
    };
    for (let time = 0; time < 1000; time++) act(time, `u${time % 4}`);
    assert.deepEqual([...held].map(({ size }) => size), [4]);
    story.task.userLists!.isFollowing = false;
    act(2998, "x"); // u3 was last here at 999
    assert.deepEqual(lists.map(({ user }) => user), ["u0", "u1"]);
    act(2998, "x");
    assert.deepEqual(lists.map(({ user }) => user), ["u0", "u1", "u2", "x"]);
    act(2999, "y");
    assert.deepEqual(lists.map(({ user }) => user), ["u0", "u1", "u2", "x", "u3", "y"]);
  } finally {
    DeadlineQueue.prototype.push = push;
  }
});

Deno.test("TaskState without userLists has the same other outputs, and users stop waiting for lists", () => {
  fc.assert(fc.property(anyStream, (steps) => {
    const options: TaskOptions = { ...SMALL, userLists: null };
    assert.deepEqual(asWritten(run(steps, options).out), asWritten(run(steps).out));
    const waiting = run(steps, withLists(1e9)).task;
    const durable = new Durable();
    durable.commit(waiting, outputs());
    const task = durable.restore(SMALL, new FakeServing());
    assert.ok([...task.users.values()].every(({ listed }) => listed === null || listed.due === null));
  }));
});

Deno.test("TaskState gives the last list of a visit once everyMs is over, two per event when many users wait", () => {
  const story = new Story({ userLists: { count: 2, everyMs: 1000 } });
  const lists: Recommendation[] = [];
  const out = { ...story.out, lists };
  let offset = 0;
  const act = (time: number, user: string, item: string) =>
    story.task.apply(
      { type: "interaction", user, time: START + time, action: "click", item },
      offset++,
      out,
    );
  for (const item of ["a", "b", "c", "d", "e"]) story.item(item, { category: item < "c" ? "x" : "y" }, START);
  const given = () => lists.splice(0).map(({ user, time }) => `${user}@${time - START}`);
  for (const user of ["u", "v", "w", "x"]) act(0, user, "a");
  assert.deepEqual(given(), ["u@0", "v@0", "w@0", "x@0"]);
  for (const user of ["u", "v", "w", "x"]) act(500, user, "c");
  assert.deepEqual(given(), []);
  act(1000, "y", "e"); // and nobody else comes
  const first = given();
  act(1001, "z", "e");
  act(1002, "z", "e");
  assert.deepEqual(first.slice(0, 2), ["u@1000", "v@1000"]);
  assert.ok(given().length > 0, "the others follow with the next events");
});

Deno.test("TaskState forgets the list that it has given when it forgets the user", () => {
  const story = new Story({ userLists: { count: 2, everyMs: 0 } });
  const lists: Recommendation[] = [];
  const out = { ...story.out, lists };
  for (const item of ["a", "b", "c"]) story.item(item, {}, START);
  const click = { type: "interaction", user: "u", action: "click", item: "a" } as const;
  story.task.apply({ ...click, time: START + 1 }, 0, out);
  story.task.apply({ ...click, time: START + 2 }, 1, out);
  assert.equal(lists.length, 1, "the same list is not given twice");
  story.task.apply({ type: "forget", user: "u", time: START + 3 }, 2, out);
  story.task.apply({ ...click, time: START + 4 }, 3, out);
  assert.deepEqual(lists.map(itemsOf), [itemsOf(lists[0]!), itemsOf(lists[0]!)]);
  assert.deepEqual(lists.map(({ request }) => request), ["list:0", "list:3"]);
});
