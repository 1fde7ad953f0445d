import assert from "node:assert/strict";
import fc from "fast-check";
import type { Event } from "../../src/events/event.ts";
import { startExperiment } from "../../src/assignment/changes.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import type { Serving } from "../../src/features/serving.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { RecurrentState } from "../../src/users/user_state.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { clicksWithin, outputs, SMALL, START } from "../engine/streams.ts";

const OPTIONS: TaskOptions = {
  ...SMALL,
  impressions: "served",
  sequence: { capacity: 30, window: 20, hop: 5, recent: 10 },
};

/** Another model, whose states differ from the deployment's own one. */
class OtherServing extends FakeServing {
  override readonly model: "fake" = "other" as "fake";
  override version = 5;

  override step(state: Float32Array, ...rest: [string, readonly string[], number]): void {
    super.step(state, ...rest);
    state[0]! *= 0.5;
  }
}

const own = () => new FakeServing(3, true);
const other = () => new OtherServing(4, true);
const both = () => new TaskState(OPTIONS, own(), [other()]);

function play(task: TaskState, events: readonly Event[]): TaskState {
  events.forEach((event, offset) => task.apply(event, offset, outputs()));
  return task;
}

const stateOf = ({ hidden, anchor, hiddenStart, hiddenVersion }: RecurrentState) => ({
  hidden: [...hidden],
  anchor: anchor === null ? null : [...anchor.floats()],
  hiddenStart,
  hiddenVersion,
});

Deno.test("carryVariants() gives a variant's model the states it would have alone, and does not affect the own", () => {
  fc.assert(fc.property(clicksWithin(SMALL.allowedLatenessMs ?? 0), ({ arriving }) => {
    const together = play(both(), arriving);
    const [alone, asOwn] = [own(), other()].map((serving) => play(new TaskState(OPTIONS, serving), arriving));
    for (const [id, user] of together.users) {
      assert.deepEqual(stateOf(user), stateOf(alone!.users.get(id)!));
      const expected = asOwn!.users.get(id)!;
      if (together.sequences.length(user.row) === 0) continue;
      assert.deepEqual(stateOf(user.variants.get("other")!), stateOf(expected));
    }
  }));
});

Deno.test("TaskState has the same variant states when it is restored at any event", () => {
  fc.assert(fc.property(clicksWithin(SMALL.allowedLatenessMs ?? 0), fc.nat(), ({ arriving }, at) => {
    const cut = at % (arriving.length + 1);
    const whole = play(both(), arriving);
    const first = play(both(), arriving.slice(0, cut));
    const second = both();
    second.clock.update("u", first.maxTime);
    Object.assign(second.counters, first.counters);
    for (const user of first.users.values()) second.restoreUser(user.id, first.memory.record(user));
    arriving.slice(cut).forEach((event, n) => second.apply(event, cut + n, outputs()));
    for (const [id, user] of whole.users) {
      const known = second.users.get(id)!.variants;
      assert.deepEqual(
        [...known].map(([model, state]) => [model, stateOf(state)]),
        [...user.variants].map(([model, state]) => [model, stateOf(state)]),
      );
    }
  }));
});

/** Samples of lists along a life that is longer than the stored behaviours. */
function pages(serving: Serving, variants: readonly Serving[], model?: string): readonly Sample[] {
  const task = new TaskState(OPTIONS, serving, variants);
  if (model !== undefined) {
    const variants = [{ name: "A", model }, { name: "B", model }];
    task.applyExperiments([
      startExperiment({ name: "e", variants }, { records: new Map(), models: ["other"] }),
    ]);
  }
  const out = outputs();
  let offset = 0;
  for (let n = 0; n < 80; n++) {
    const time = START + 1000 * n;
    task.apply(
      { type: "interaction", user: "u", item: `i${n * n % 17}`, action: "click", time },
      offset++,
      out,
    );
    if (n % 20 !== 19) continue;
    const candidates = ["i1", "i4", "i9"];
    task.apply({ type: "request", user: "u", request: `r${n}`, count: 3, candidates, time }, offset++, out);
  }
  task.flush(out);
  return out.samples.filter(({ rows }) => rows.length > 0);
}

Deno.test("a variant's model scores from its own lifelong state, which is in the sample", () => {
  const asOwn = pages(other(), []);
  const asVariant = pages(own(), [other()], "other");
  assert.equal(asOwn.length, 4);
  const facts = ({ rows, state, version }: Sample) => ({ rows, state, version });
  assert.deepEqual(asVariant.map(facts), asOwn.map(facts));
  assert.ok(
    asVariant.at(-1)!.state!.values.length === 4 && asVariant.every(({ model }) => model === "other"),
  );
  const windowed = pages(own(), [new OtherServing(4, false)], "other");
  assert.notDeepEqual(
    windowed.at(-1)!.rows,
    asOwn.at(-1)!.rows,
    "a whole life scores differently from the window",
  );
});

Deno.test("a sample has the states of lifelong models that did not score it, as if they had", () => {
  const [asOwn, asOther] = [pages(own(), []), pages(other(), [])];
  const byOther = pages(own(), [other()], "other");
  const byOwn = pages(own(), [other()]);
  for (const [n, { state, otherStates }] of byOther.entries()) {
    assert.deepEqual(state, asOther[n]!.state);
    assert.deepEqual(otherStates, [{ model: "fake", ...asOwn[n]!.state }]);
    assert.deepEqual(byOwn[n]!.otherStates, [{ model: "other", ...asOther[n]!.state }]);
    const { otherStates: none } = asOwn[n]!;
    assert.equal(none, undefined);
  }
  assert.equal(byOther.length, 4);
  for (const sample of [...byOther, ...byOwn]) {
    const bytes = encodeSample(sample);
    const { state, otherStates } = decodeSample(bytes);
    assert.deepEqual({ state, otherStates }, { state: sample.state, otherStates: sample.otherStates });
    assert.deepEqual(encodeSample(decodeSample(bytes)), bytes);
  }
});

Deno.test("an open list keeps the states of other models in its record", () => {
  const task = both();
  let offset = 0;
  for (; offset < 40; offset++) {
    const time = START + 1000 * offset;
    task.apply(
      { type: "interaction", user: "u", item: `i${offset % 7}`, action: "click", time },
      offset,
      outputs(),
    );
  }
  const ask = { type: "request", user: "u", request: "r", count: 2, candidates: ["i1", "i2"] } as const;
  task.apply({ ...ask, time: START + 40_000 }, offset, outputs());
  const [user] = task.users.values();
  const record = task.memory.record(user!);
  const restored = both();
  restored.restoreUser("u", record);
  assert.deepEqual(restored.memory.record(restored.users.get("u")!), record);
  const samples = [task, restored].map((one) => {
    const out = outputs();
    one.flush(out);
    return out.samples.map(({ state, otherStates }) => ({ state, otherStates }));
  });
  assert.ok(samples[0]![0]!.otherStates!.length === 1);
  assert.deepEqual(samples[1], samples[0]);
});

Deno.test("the state of a removed model is dropped at the user's next behaviour", () => {
  const click = (n: number): Event => ({
    type: "interaction",
    user: "u",
    item: `i${n}`,
    action: "click",
    time: START + 1000 * n,
  });
  const before = play(both(), [click(0), click(1)]);
  const [user] = before.users.values();
  const record = before.memory.record(user!);
  const after = new TaskState(OPTIONS, own());
  after.restoreUser("u", record);
  assert.deepEqual(after.memory.record(after.users.get("u")!), record, "until then it is kept");
  after.apply(click(2), 2, outputs());
  assert.equal(after.users.get("u")!.variants.size, 0);
});

Deno.test("a pinned version has states from its experiment's start to its end, whenever it is loaded", () => {
  const pinned = other();
  Object.assign(pinned, { model: "other@5" });
  const click = (n: number): Event => ({
    type: "interaction",
    user: "u",
    item: `i${n}`,
    action: "click",
    time: START + 1000 * n,
  });
  const task = new TaskState(OPTIONS, own());
  task.models.setPinned([pinned]);
  const states = () => [...task.users.get("u")!.variants.keys()];
  task.apply(click(0), 0, outputs());
  assert.deepEqual(states(), [], "its experiment has not started");
  const variants = [{ name: "a" }, { name: "b", model: "other", version: 5 }] as const;
  const running = startExperiment({ name: "pin", variants }, {
    records: new Map(),
    models: ["fake", "other"],
  });
  task.applyExperiments([running]);
  task.apply(click(1), 1, outputs());
  assert.deepEqual(states(), ["other@5"]);
  task.applyExperiments([{ ...running, status: "stopped", revision: running.revision + 1 }]);
  task.apply(click(2), 2, outputs());
  assert.deepEqual(states(), [], "it has ended");
});
