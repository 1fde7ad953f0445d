import assert from "node:assert/strict";
import fc from "fast-check";
import type { InteractionEvent } from "../../src/events/event.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { SampleState } from "../../src/samples/sample.ts";
import type { StoredState } from "../../src/users/states/stored_state.ts";
import type { UserState } from "../../src/users/user_state.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { clicksWithin, outputs, SMALL, START } from "../engine/streams.ts";

/** K = 4 recent behaviours, P = 2. */
const OPTIONS: TaskOptions = { ...SMALL, sequence: { capacity: 10, window: 8, hop: 2, recent: 4 } };

function only(task: TaskState): UserState {
  const [user] = task.users.values();
  assert.ok(user !== undefined);
  return user;
}

/** A click on `item` in the n-th second. */
function click(n: number, item: string): InteractionEvent {
  return { type: "interaction", user: "u", item, action: "click", time: START + 1000 * n };
}

/** The state after items of strength 1, without categories. */
function folded(items: readonly string[], serving: FakeServing): Float32Array {
  const state = serving.initState();
  for (const item of items) serving.step(state, item, [], 1);
  return state;
}

/** The state after more items of strength 1. */
function fromThere(items: readonly string[], serving: FakeServing, stored: StoredState): Float32Array {
  const state = stored.floats();
  for (const item of items) serving.step(state, item, [], 1);
  return state;
}

/** The open list of an impression at this time, as it is scored and learnt from. */
function shown(task: TaskState, offset: number, time: number) {
  const out = outputs();
  const rejected = task.apply(
    { type: "impression", user: "u", request: `r${offset}`, items: ["a"], time },
    offset,
    out,
  );
  assert.equal(rejected, null);
  const pending = only(task).pending.get(`r${offset}`);
  assert.ok(pending !== undefined);
  return pending;
}

Deno.test("carryHidden() of a lifelong model holds the whole life: an anchor and the recent behaviours", () => {
  const serving = new FakeServing(3, true);
  const task = new TaskState(OPTIONS, serving);
  const life: string[] = [];
  for (let n = 0; n < 200; n++) {
    life.push(`i${(n * n) % 17}`);
    task.apply(click(n, life.at(-1) ?? ""), 2 * n, outputs());
    const user = only(task);
    assert.deepEqual(task.models.recurrentState(user), folded(life, serving), `after ${life.length}`);
    const { history, state } = shown(task, 2 * n + 1, START + 1000 * n);
    const recent = history.items.slice(state?.from ?? 0);
    assert.ok(life.length < 6 ? state === undefined : recent.length >= 4 && recent.length < 6);
    const start = life.slice(0, life.length - recent.length);
    assert.deepEqual(state?.stored.floats() ?? serving.initState(), folded(start, serving));
  }
});

Deno.test("carryHidden() of a lifelong model holds only the window with lifelong: false", () => {
  const serving = new FakeServing(3, true);
  const task = new TaskState({ ...OPTIONS, lifelong: false }, serving);
  const life: string[] = [];
  for (let n = 0; n < 40; n++) {
    life.push(`i${(n * n) % 17}`);
    task.apply(click(n, life.at(-1) ?? ""), 2 * n, outputs());
    const { history } = shown(task, 2 * n + 1, START + 1000 * n);
    assert.deepEqual(history.items, life.slice(-history.items.length));
    assert.deepEqual(
      task.models.recurrentState(only(task)),
      folded(history.items, serving),
      `after ${life.length}`,
    );
  }
});

Deno.test("carryHidden() of a lifelong model takes one step per behaviour, however long the life", () => {
  let steps = 0;
  const serving = new (class extends FakeServing {
    override step(...args: Parameters<FakeServing["step"]>): void {
      steps++;
      super.step(...args);
    }
  })(3, true);
  const task = new TaskState(OPTIONS, serving);
  for (let n = 0; n < 1010; n++) {
    if (n === 10) steps = 0;
    task.apply(click(n, "i"), n, outputs());
  }
  assert.equal(steps, 1000);
});

Deno.test("carryHidden() of a lifelong model equals the fold in order of time when clicks are late but recent", () => {
  const options = { ...OPTIONS, sequence: { capacity: 100, window: 90, hop: 10, recent: 60 } };
  const lateness = SMALL.allowedLatenessMs ?? 0;
  fc.assert(fc.property(clicksWithin(lateness), ({ ordered, arriving }) => {
    const [want, got] = [ordered, arriving].map((events) => {
      const task = new TaskState(options, new FakeServing(3, true));
      events.forEach((event, offset) => assert.equal(task.apply(event, offset, outputs()), null));
      return task;
    });
    assert.ok(want !== undefined && got !== undefined);
    for (const [id, user] of want.users) {
      const other = got.users.get(id);
      assert.ok(other !== undefined);
      assert.deepEqual(got.models.recurrentState(other), want.models.recurrentState(user));
    }
  }));
});

Deno.test("carryHidden() of a lifelong model folds a click older than the recent ones into the anchor", () => {
  const serving = new FakeServing(3, true);
  const task = new TaskState({ ...OPTIONS, allowedLatenessMs: 1e9 }, serving);
  for (let n = 0; n < 20; n++) task.apply(click(n, `i${n}`), n, outputs());
  const { hiddenStart, anchor } = only(task);
  task.apply(click(3.5, "late"), 20, outputs());
  const user = only(task);
  assert.equal(user.hiddenStart, hiddenStart + 1);
  assert.ok(anchor !== null);
  const want = anchor.floats();
  serving.step(want, "late", [], 1);
  assert.deepEqual(user.anchor?.floats(), want, "it counts as the last before the recent ones");
  for (let n = hiddenStart; n < 20; n++) serving.step(want, `i${n}`, [], 1);
  assert.deepEqual(task.models.recurrentState(user), want);
});

Deno.test("ListScorer.score() of a lifelong model knows nothing from after the list", () => {
  const serving = new FakeServing(3, true);
  const scored: (Float32Array | undefined)[] = [];
  const score = serving.score.bind(serving);
  serving.score = (instance) => {
    const { state, history } = instance;
    const at = state?.values.slice() ?? serving.initState();
    for (const item of history.items.slice(state?.from ?? 0)) serving.step(at, item, [], 1);
    scored.push(at);
    return score(instance);
  };
  const task = new TaskState({ ...OPTIONS, allowedLatenessMs: 1e9 }, serving);
  const life = Array.from({ length: 20 }, (_, n) => `i${n}`);
  life.forEach((item, n) => task.apply(click(n, item), n, outputs()));
  shown(task, 20, START + 17_500);
  assert.deepEqual(scored.at(-1), folded(life.slice(0, 18), serving));
  shown(task, 21, START + 19_500);
  assert.deepEqual(scored.at(-1), folded(life, serving));
});

Deno.test("a lifelong model folds recent behaviours by the current version, for scoring and learning alike", () => {
  const serving = new FakeServing(3, true);
  const task = new TaskState(OPTIONS, serving);
  for (let n = 0; n < 200; n++) {
    serving.version++;
    task.apply(click(n, `i${n % 5}`), 2 * n, outputs());
    serving.version++;
    const user = only(task);
    const { state } = shown(task, 2 * n + 1, START + 1000 * n);
    const want = state?.stored.floats() ?? serving.initState();
    for (let i = user.hiddenStart; i <= n; i++) serving.step(want, `i${i % 5}`, [], 1);
    assert.deepEqual(task.models.recurrentState(user), want);
    assert.ok(
      serving.version - user.hiddenVersion <= 5 || user.anchor === null,
      "the anchor moves on as well",
    );
  }
});

Deno.test("a window's state never becomes the anchor of a life, however lifelong is switched on and off", () => {
  const serving = new FakeServing(3, true);
  const life: string[] = [];
  let offset = 0;
  let record: Uint8Array | undefined;
  /** Continues from the last record, with more clicks. */
  const goOn = (lifelong: boolean, clicks: number, look: (task: TaskState) => void) => {
    const task = new TaskState({ ...OPTIONS, lifelong }, serving);
    if (record !== undefined) task.restoreUser("u", record);
    look(task);
    for (let n = 0; n < clicks; n++) {
      life.push(`i${(life.length * 7) % 11}`);
      task.apply(click(life.length, life.at(-1) ?? ""), offset++, outputs());
      look(task);
    }
    record = task.memory.record(only(task));
  };
  let scored: SampleState | undefined;
  const score = serving.score.bind(serving);
  serving.score = (instance) => {
    scored = instance.state;
    return score(instance);
  };
  const isSound = (task: TaskState) => {
    if (task.users.size === 0) return;
    const { state } = shown(task, offset++, START + 1000 * life.length);
    // Learning must use what is served.
    assert.equal(state?.from, scored?.from);
    assert.deepEqual(state?.stored.floats(), scored?.values);
    if (state === undefined) return;
    // It is the life before the recent behaviours, or what was left of it when lifelong was switched on.
    const { hiddenStart } = only(task);
    assert.ok(life.some((_, from) => {
      const want = folded(life.slice(from, hiddenStart), serving);
      return from < hiddenStart && want.every((x, i) => x === scored?.values[i]);
    }));
    assert.deepEqual(
      task.models.recurrentState(only(task)),
      fromThere(life.slice(hiddenStart), serving, state.stored),
    );
  };
  goOn(false, 25, () => {});
  goOn(true, 25, isSound);
  goOn(false, 1, () => {});
  assert.equal(new TaskState(OPTIONS, serving).memory.view("u", record!, ({ anchor }) => anchor), null);
  goOn(false, 5, () => {});
  goOn(true, 25, isSound);
});

Deno.test("a lifelong model that comes late folds what the sequence still holds", () => {
  const life = Array.from({ length: 25 }, (_, n) => `i${(n * 7) % 11}`);
  const others = new TaskState(OPTIONS, new FakeServing(0));
  others.apply({ type: "interaction", user: "other", item: "x", action: "click", time: START }, 0, outputs());
  life.forEach((item, n) => others.apply(click(n, item), n + 1, outputs()));
  const serving = new FakeServing(3, true);
  const task = new TaskState(OPTIONS, serving);
  task.restoreUser("u", others.memory.record(others.users.get("u")!));
  assert.equal(task.models.recurrentState(only(task)), null, "it has no state until the next behaviour");
  assert.equal(shown(task, 100, START + 30_000).state, undefined);
  task.apply(click(40, "i5"), 101, outputs());
  assert.deepEqual(task.models.recurrentState(only(task)), folded([...life, "i5"].slice(-10), serving));
});
