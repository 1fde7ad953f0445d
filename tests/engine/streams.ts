import fc from "fast-check";
import type { Event, InteractionEvent, ItemRecord } from "../../src/events/event.ts";
import { decodeItem, encodeItem, encodeItemState } from "../../src/items/item_codec.ts";
import { decodeTask, encodeTask } from "../../src/engine/task_codec.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import type { TaskOutputs } from "../../src/engine/task_outputs.ts";
import type { Serving } from "../../src/features/serving.ts";
import { FakeServing } from "./fake_serving.ts";

/** When the streams of the tests begin. */
export const START = 1_700_000_000_000;

/** What may happen to a task. */
export type Step =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "item"; readonly record: ItemRecord }
  | { readonly kind: "remove"; readonly item: string; readonly time: number }
  | { readonly kind: "publish" };

/** Options so small that a short stream crosses windows, deadlines and limits. */
export const SMALL: TaskOptions = {
  schema: {
    userFields: ["age"],
    itemFields: ["brand", "taste[2]"],
    contextFields: ["hour", "surface", "page"],
    crosses: ["brand"],
    transitions: { ends: ["view", "rating"] },
    pooled: { bytes: 4096 },
  },
  sequence: { capacity: 12, window: 6, hop: 2 },
  outcomeWindowMs: 1000,
  allowedLatenessMs: 300,
  dedupIds: 3,
  frequency: { most: 3, withinMs: 2000, remembered: 5 },
  policy: { name: "epsilon", epsilon: 0.3 },
  retrieval: { maxCandidates: 5, listSizes: { popular: 4, category: 2, fresh: 3 } },
  maxStaleVersions: 1,
};

const users = fc.constantFrom("u0", "u1", "u2");
const items = fc.constantFrom("i0", "i1", "i2", "i3", "i4", "i5", "i6");
const categories = fc.uniqueArray(fc.constantFrom("c0", "c1", "c2"), { maxLength: 3 });
const requests = fc.constantFrom("r0", "r1", "r2", "r3");
const lists = fc.uniqueArray(items, { minLength: 1, maxLength: 4 });
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });

/** An object without the fields that are `undefined`, as JSON would give it. */
function defined<T extends object>(fields: T): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}

const base = { id: seldom(fc.constantFrom("e0", "e1", "e2", "e3", "e4", "e5")), user: users };
const interaction = fc.record({
  ...base,
  type: fc.constant("interaction"),
  item: items,
  action: fc.constantFrom("click", "click", "view", "dislike", "rating", "rating", "hover"),
  value: optional(fc.integer({ min: 1, max: 5 })),
  request: optional(requests),
});
const request = fc.record({
  ...base,
  type: fc.constant("request"),
  request: requests,
  count: fc.integer({ min: 1, max: 4 }),
  candidates: optional(lists),
  exclude: optional(fc.uniqueArray(items, { maxLength: 2 })),
  filter: seldom(fc.record({ categories })),
  boosts: seldom(fc.array(fc.record({ by: fc.constantFrom(0.5, 3), categories }), { maxLength: 2 })),
  frequency: seldom(fc.record({ most: fc.constantFrom(1, 2), withinMs: fc.constantFrom(500, 5000) })),
  context: optional(fc.record({ page: fc.constantFrom("home", "cart") })),
  surface: optional(fc.constantFrom("web", "app")),
});
const impression = fc.record({
  ...base,
  type: fc.constant("impression"),
  request: optional(requests),
  items: lists,
});
const profile = fc.record({
  ...base,
  type: fc.constant("profile"),
  attributes: fc.record({ age: fc.constantFrom("18", "25") }),
});
const merge = fc.record({
  ...base,
  type: fc.constant("merge"),
  from: fc.constantFrom("anonymous"),
  behaviours: fc.array(
    fc.record({
      item: items,
      action: fc.constantFrom("click", "view", "hover"),
      time: fc.integer({ min: START, max: START + 3000 }),
      strength: fc.constantFrom(1, -1, 0.5),
    }),
    { maxLength: 4 },
  ),
});
const alias = fc.record({ ...base, type: fc.constant("alias"), of: users });
const forget = fc.record({ ...base, type: fc.constant("forget") });
const record = fc.record({
  item: items,
  categories: optional(categories),
  attributes: optional(fc.record({
    brand: fc.constantFrom("b0", "b1"),
    taste: fc.constantFrom([0, 1], [1, 0.1]),
  }, { requiredKeys: ["brand"], noNullPrototype: true })),
  hidden: seldom(fc.boolean()),
  expires: seldom(fc.integer({ min: START, max: START + 3000 })),
});

const body = fc.oneof(
  { weight: 15, arbitrary: interaction.map((event) => ({ kind: "event", event } as const)) },
  { weight: 8, arbitrary: request.map((event) => ({ kind: "event", event } as const)) },
  { weight: 6, arbitrary: impression.map((event) => ({ kind: "event", event } as const)) },
  { weight: 1, arbitrary: profile.map((event) => ({ kind: "event", event } as const)) },
  { weight: 1, arbitrary: merge.map((event) => ({ kind: "event", event } as const)) },
  { weight: 1, arbitrary: alias.map((event) => ({ kind: "event", event } as const)) },
  { weight: 1, arbitrary: forget.map((event) => ({ kind: "event", event } as const)) },
  { weight: 4, arbitrary: record.map((record) => ({ kind: "item", record } as const)) },
  { weight: 1, arbitrary: items.map((item) => ({ kind: "remove", item } as const)) },
  { weight: 1, arbitrary: fc.constant({ kind: "publish" } as const) },
);

/** Streams in which anything may happen: late, too late or repeated events, lists without a request. */
export const anyStream: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.tuple(
    body,
    fc.integer({ min: 0, max: 200 }),
    fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 500 })),
  ),
  { maxLength: 60 },
).map((parts) => {
  let clock = START;
  return parts.map(([step, wait, delay]): Step => {
    clock += wait;
    const time = clock - delay;
    if (step.kind === "event") return { kind: "event", event: defined({ ...step.event, time }) as Event };
    if (step.kind === "item") {
      return { kind: "item", record: defined({ ...step.record, time }) as ItemRecord };
    }
    return step.kind === "remove" ? { ...step, time } : step;
  });
});

/** Clicks in order of their times, which all differ, and the same clicks in order of arrival. */
export function clicksWithin(latenessMs: number): fc.Arbitrary<{
  readonly ordered: readonly InteractionEvent[];
  readonly arriving: readonly InteractionEvent[];
}> {
  return fc.array(
    fc.record({ user: users, item: items, wait: fc.integer({ min: 1, max: 80 }), delay: fc.nat(latenessMs) }),
    { maxLength: 60 },
  ).map((clicks) => {
    let time = START;
    const ordered = clicks.map(({ user, item, wait, delay }) => ({
      event: { type: "interaction", user, item, action: "click", time: time += wait } as const,
      delay,
    }));
    // Sorted by arrival time: what comes before an event is at most its delay newer.
    const arriving = ordered.toSorted((a, b) => a.event.time + a.delay - b.event.time - b.delay);
    return { ordered: ordered.map(({ event }) => event), arriving: arriving.map(({ event }) => event) };
  });
}

/** Outputs without anything in them. */
export function outputs(): TaskOutputs {
  return { recommendations: [], samples: [], forgotten: [], merges: [] };
}

/** Outputs as the log has them: without item numbers, which belong to a process, and absent fields. */
export function asWritten({ samples, ...others }: TaskOutputs): TaskOutputs {
  return { ...structuredClone(others), samples: samples.map((sample) => decodeSample(encodeSample(sample))) };
}

/** Does one step; its number is the offset of its event. */
export function take(
  task: TaskState,
  serving: FakeServing,
  step: Step,
  offset: number,
  out: TaskOutputs,
): void {
  if (step.kind === "event") task.apply(step.event, offset, out);
  else if (step.kind === "item") task.applyItem(step.record);
  else if (step.kind === "remove") task.removeItem(step.item, step.time);
  else serving.version++;
}

/** A task after a whole stream. */
export function run(steps: readonly Step[], options: TaskOptions = SMALL, serving = new FakeServing()): Run {
  const task = new TaskState(options, serving);
  const out = outputs();
  steps.forEach((step, offset) => take(task, serving, step, offset, out));
  return { task, serving, out };
}

/** What {@linkcode run} made. */
export interface Run {
  readonly task: TaskState;
  readonly serving: FakeServing;
  readonly out: TaskOutputs;
}

/** Everything durable of a task: records by key, as its topics hold them after commits. */
export class Durable {
  readonly users = new Map<string, Uint8Array>();
  readonly items = new Map<string, Uint8Array>();
  readonly numbers = new Map<string, Uint8Array>();
  readonly retrieval = new Map<string, Uint8Array>();
  #task: Uint8Array | undefined;
  readonly #erased = new Map<string, Uint8Array>();

  /** Writes what changed since the last commit, as `streams/task/task.ts` does. */
  commit(task: TaskState, out: TaskOutputs): void {
    for (const { user } of out.forgotten) this.users.delete(user);
    for (const user of task.dirtyUsers) {
      this.users.set(user.id, task.memory.record(user));
    }
    for (const item of task.dirtyItems) this.items.set(item.id, encodeItem(item));
    for (const { key, value } of task.numbers.changes()) this.numbers.set(key, value);
    for (const { key, value } of task.retrieval.state.changes().records) this.retrieval.set(key, value);
    this.#task = encodeTask(task, 0);
    for (const { key, value } of task.erased.changes()) this.#erased.set(key, value);
    task.dirtyUsers.clear();
    task.dirtyItems.clear();
  }

  /** A fresh task that continues from the last commit. */
  restore(options: TaskOptions, serving: Serving): TaskState {
    const task = new TaskState(options, serving);
    if (this.#task !== undefined) decodeTask(this.#task, task);
    for (const [key, value] of this.#erased) task.erased.restore(key, value);
    // In reverse: a compacted topic keeps no order, so indices of items are not durable.
    for (const [id, bytes] of [...this.items].reverse()) decodeItem(id, bytes, task.catalogue);
    for (const [key, bytes] of [...this.numbers].reverse()) task.numbers.restore(key, bytes);
    task.numbers.endRestore();
    for (const item of task.catalogue.items()) task.retrieval.lists.add(item);
    task.retrieval.state.restore(this.retrieval);
    for (const [id, bytes] of this.users) task.restoreUser(id, bytes);
    return task;
  }
}

/** All of a task's state as text, for comparing two tasks that were not committed at the same moments. */
export function inventory(task: TaskState): Record<string, string> {
  const hex = (bytes: Uint8Array) => bytes.toHex();
  const byId = <T extends { readonly id: string }>(of: Iterable<T>) =>
    [...of].sort((a, b) => a.id < b.id ? -1 : 1);
  return Object.fromEntries([
    ["task", hex(encodeTask(task, 0))],
    ["retrieval", hex(task.retrieval.state.encode())],
    ["blend", task.retrieval.ordering.blend.weights.join()],
    ...byId(task.catalogue.items()).map((item) => [`item ${item.id}`, hex(encodeItemState(item))]),
    ...byId(task.users.values()).map((user) => [
      `user ${user.id}`,
      hex(task.memory.record(user)),
    ]),
  ]);
}
