import assert from "node:assert/strict";
import type { Event } from "../../src/events/event.ts";
import { POOLED_NAMES } from "../../src/features/pooled/pair_statistics.ts";
import { numericNames } from "../../src/features/schema.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "./fake_serving.ts";
import { outputs, SMALL, START } from "./streams.ts";

const OPTIONS = {
  ...SMALL,
  schema: { ...SMALL.schema, pooled: true },
  retrieval: { learn: false },
};
const SECOND = 1000;

/** Behaviours, user by user; each user takes all items in order. */
function pairsOf(users: number, items: readonly string[] = ["a", "b"]): Event[] {
  return Array.from({ length: users }, (_, n) => `u${n}`).flatMap((user, n) =>
    items.map((item, k): Event => ({
      type: "interaction",
      user,
      item,
      action: "click",
      time: START + 10 * SECOND * (2 * n + k),
    }))
  );
}

/** The samples of a stream. */
function samplesOf(events: readonly Event[], options = OPTIONS) {
  const task = new TaskState(options, new FakeServing());
  const out = outputs();
  events.forEach((event, offset) => task.apply(event, offset, out));
  task.flush(out);
  return out.samples;
}

const LATER = START + 10_000 * SECOND;
const shown = (user: string, items: readonly string[], time = LATER): Event => ({
  type: "impression",
  user,
  time,
  request: `to ${user}`,
  items,
});
const did = (user: string, item: string, time: number): Event => ({
  type: "interaction",
  user,
  time,
  item,
  action: "click",
});

/** A pooled feature by item of the list that a user was shown. */
function feature(samples: ReturnType<typeof samplesOf>, user: string, name: string) {
  const at = numericNames(OPTIONS.schema).indexOf(`pooled:${name}`);
  const { rows } = samples.find(({ request }) => request === `to ${user}`)!;
  return Object.fromEntries(rows.map(({ item, numerics }) => [item, numerics[at]!]));
}

Deno.test("TaskState samples have pooled pairs of items that go together, even if retrieval learns nothing", () => {
  const events = [...pairsOf(5), did("bob", "a", LATER - SECOND), shown("bob", ["b", "c"])];
  const samples = samplesOf(events);
  assert.ok(feature(samples, "bob", "together")["b"]! > 1);
  assert.equal(feature(samples, "bob", "together")["c"], 0);
  assert.ok(Math.abs(feature(samples, "bob", "after")["b"]! - Math.log(6)) < 1e-6);
  assert.equal(
    samplesOf(events, { ...OPTIONS, schema: { ...OPTIONS.schema, pooled: false } })[0]!.rows.width +
      POOLED_NAMES.length,
    samples[0]!.rows.width,
  );
});

Deno.test("TaskState samples have pooled pairs as of the list, without its outcomes or anything later", () => {
  const past = [...pairsOf(5), did("bob", "a", LATER - SECOND), shown("bob", ["b", "c"])];
  const future = [
    did("bob", "b", LATER + 1),
    ...["x", "y", "z"].flatMap((user) => [did(user, "a", LATER + 2), did(user, "c", LATER + 3)]),
  ];
  const [before] = samplesOf(past), [after] = samplesOf([...past, ...future]);
  assert.deepEqual(after!.rows.map(({ label }) => label), [1, 0]);
  assert.deepEqual(before!.rows.numerics, after!.rows.numerics);
});

Deno.test("TaskState samples have no pooled pairs with behaviours newer than the list", () => {
  const past = [...pairsOf(5), did("bob", "c", LATER - 2 * SECOND), did("bob", "a", LATER + 200)];
  const late = samplesOf([...past, shown("bob", ["b"])]);
  assert.equal(feature(late, "bob", "together")["b"], 0);
  const known = samplesOf([...past, shown("bob", ["b"], LATER + 200)]);
  assert.ok(feature(known, "bob", "together")["b"]! > 0);
});
