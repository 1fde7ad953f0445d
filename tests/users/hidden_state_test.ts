import assert from "node:assert/strict";
import fc from "fast-check";
import type { InteractionEvent } from "../../src/events/event.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { UserState } from "../../src/users/user_state.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { clicksWithin, outputs, SMALL } from "../engine/streams.ts";

const LATENESS = SMALL.allowedLatenessMs ?? 0;

function applied(events: readonly InteractionEvent[], options: TaskOptions = SMALL): TaskState {
  const task = new TaskState(options, new FakeServing());
  const out = outputs();
  events.forEach((event, offset) => assert.equal(task.apply(event, offset, out), null));
  return task;
}

function known(task: TaskState, id: string): UserState {
  const user = task.users.get(id);
  assert.ok(user !== undefined);
  return user;
}

function sequence(task: TaskState, user: UserState): unknown[] {
  const { sequences, catalogue } = task;
  return Array.from({ length: sequences.length(user.row) }, (_, i) => [
    catalogue.at(sequences.item(user.row, i)).id,
    sequences.time(user.row, i),
    sequences.strength(user.row, i),
  ]);
}

/** The state that a forward pass over the whole window gives. */
function folded(task: TaskState, user: UserState, serving: FakeServing): Float32Array {
  const { sequences, catalogue } = task;
  const state = serving.initState();
  for (let i = sequences.windowStart(user.row); i < sequences.length(user.row); i++) {
    const item = catalogue.at(sequences.item(user.row, i));
    serving.step(state, item.id, item.categories, sequences.strength(user.row, i));
  }
  return state;
}

Deno.test("carryHidden() equals the fold over the window when behaviours arrive in any order", () => {
  fc.assert(fc.property(clicksWithin(LATENESS), ({ arriving }) => {
    const serving = new FakeServing();
    const task = new TaskState(SMALL, serving);
    arriving.forEach((event, offset) => {
      task.apply(event, offset, outputs());
      const user = known(task, event.user);
      assert.deepEqual(user.hidden, folded(task, user, serving));
    });
  }));
});

Deno.test("TaskState ends with the same sequences and states when clicks are late but within the lateness", () => {
  fc.assert(fc.property(clicksWithin(LATENESS), ({ ordered, arriving }) => {
    const [want, got] = [applied(ordered), applied(arriving)];
    assert.equal(got.users.size, want.users.size);
    for (const [id, user] of want.users) {
      const other = known(got, id);
      assert.deepEqual(sequence(got, other), sequence(want, user));
      assert.deepEqual(other.hidden, user.hidden);
      assert.equal(other.hiddenStart, user.hiddenStart);
      assert.equal(got.sequences.total(other.row), want.sequences.total(user.row));
    }
  }));
});

Deno.test("TaskState gives a user the same sequence and state, whatever other users do", () => {
  fc.assert(fc.property(clicksWithin(LATENESS), ({ arriving }) => {
    const together = applied(arriving);
    for (const [id, user] of together.users) {
      const alone = applied(arriving.filter((event) => event.user === id));
      assert.deepEqual(sequence(alone, known(alone, id)), sequence(together, user));
      assert.deepEqual(known(alone, id).hidden, user.hidden);
    }
  }));
});

Deno.test("carryHidden() takes T / P steps per behaviour on average when behaviours arrive in order", () => {
  const options = { ...SMALL, sequence: { capacity: 50, window: 50, hop: 10 } };
  let steps = 0;
  const serving = new (class extends FakeServing {
    override step(...args: Parameters<FakeServing["step"]>): void {
      steps++;
      super.step(...args);
    }
  })();
  const task = new TaskState(options, serving);
  for (let n = 0; n < 1050; n++) {
    if (n === 50) steps = 0;
    task.apply(
      { type: "interaction", user: "u", item: "i", action: "click", time: 1_700_000_000_000 + n },
      n,
      outputs(),
    );
  }
  assert.equal(steps / 1000, 0.9 + 41 / 10);
});

Deno.test("carryHidden() refolds when the version has moved on by more than maxStaleVersions", () => {
  const serving = new FakeServing();
  const task = new TaskState({ ...SMALL, maxStaleVersions: 1 }, serving);
  const click = (n: number) =>
    task.apply({ type: "interaction", user: "u", item: `i${n}`, action: "click", time: n }, n, outputs());
  click(0);
  click(1);
  const user = known(task, "u");
  serving.version = 1;
  click(2);
  assert.equal(user.hiddenVersion, 0);
  serving.version = 2;
  click(3);
  assert.equal(user.hiddenVersion, 2);
  assert.deepEqual(user.hidden, folded(task, user, serving));
});

Deno.test("carryHidden() refolds a restored state of another size or of a future version", () => {
  const serving = new FakeServing();
  const task = new TaskState(SMALL, serving);
  const click = (n: number) =>
    task.apply({ type: "interaction", user: "u", item: `i${n}`, action: "click", time: n }, n, outputs());
  click(0);
  const user = known(task, "u");
  user.hidden = Float32Array.of(1, 2);
  click(1);
  assert.deepEqual(user.hidden, folded(task, user, serving));
  user.hiddenVersion = 7;
  user.hidden = Float32Array.of(1, 2, 3);
  click(2);
  assert.deepEqual(user.hidden, folded(task, user, serving));
});
