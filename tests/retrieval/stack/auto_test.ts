/**
 * Lists in the order `auto`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { ByteWriter } from "../../../src/codec/byte_writer.ts";
import { TaskState } from "../../../src/engine/task_state.ts";
import type { TaskOptions } from "../../../src/engine/task_options.ts";
import type { Event } from "../../../src/events/event.ts";
import { PRIOR } from "../../../src/serving/prior_serving.ts";
import type { Serving } from "../../../src/features/serving.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { type Part, type ScoresByPart, Stack } from "../../../src/retrieval/stack/stack.ts";
import type { PairList } from "../../../src/nn/models/pair_head/pair_list.ts";
import { FakeServing } from "../../engine/fake_serving.ts";
import { Durable, inventory, outputs } from "../../engine/streams.ts";

const START = 1_700_000_000_000;
const ITEMS = Array.from({ length: 40 }, (_, n) => `i${n}`);
const OPTIONS: TaskOptions = {
  schema: { userFields: [], itemFields: [], contextFields: [], crosses: [], transitions: null },
  outcomeWindowMs: 1000,
  allowedLatenessMs: 0,
  // Answers do not change what is learnt.
  impressions: "logged",
  retrieval: { maxCandidates: 30, newShare: 0.1, revisits: true, head: true },
};

/** Users who ask and click, and lists that were shown to them. */
function* visits(count: number): Generator<Event> {
  for (let n = 0; n < count; n++) {
    const [user, time] = [`u${n * n % 13}`, START + 10_000 * n];
    yield { type: "request", user, time, request: `r${n}`, count: 5 };
    const items = [0, 1, 2, 3].map((k) => ITEMS[(7 * n + 11 * k) % 40]!);
    yield { type: "impression", user, time: time + 1, request: `s${n}`, items };
    const item = ITEMS[(n * n + (n >> 3)) % 40]!;
    yield { type: "interaction", user, time: time + 2, item, action: "click" };
  }
}

function fresh(options: TaskOptions, serving: Serving): TaskState {
  const task = new TaskState(options, serving);
  for (const [n, item] of ITEMS.entries()) task.applyItem({ item, time: START - 1, category: `c${n % 4}` });
  return task;
}

/** A serving with a head that orders in a way of its own. */
function headed(): Serving {
  const head: Pick<Serving, "order"> = {
    order: () => ({ K, candidates, scores }) =>
      Float32Array.from(
        { length: K },
        (_, i) => scores[i]! / 2 + Math.sin(9 * candidates[i * candidates.length / K]!),
      ),
  };
  return Object.assign(new FakeServing(), head, { version: 1 });
}

/** A stack that has learnt that these parts know what is taken, and no others. */
function stackOf(parts: readonly Part[]): Stack {
  const stack = new Stack();
  const random = mulberry32(0);
  for (let n = 0; n < 1500; n++) {
    const scores = (part: Part) =>
      Float64Array.from({ length: 10 }, (_, i) => random() + (parts.includes(part) && i === 9 ? 0.5 : 0));
    const by = { blend: scores("blend"), head: scores("head"), bank: null };
    const [model, share] = n % 2 === 0 ? [null, 0] : [scores("model"), 1];
    stack.learn({ ...by, model }, 9, n, share);
  }
  return stack;
}

/** A task that has learnt, with a stack in which these parts order, or one that has learnt nothing. */
function taught(options: TaskOptions, parts: readonly Part[], serving: Serving = headed()): TaskState {
  const task = fresh(options, serving);
  let offset = 0;
  for (const event of visits(60)) task.apply(event, offset++, outputs());
  Object.assign(task.retrieval.ordering, { stack: parts.length > 0 ? stackOf(parts) : new Stack() });
  return task;
}

function ask(task: TaskState, count = 10) {
  const out = outputs();
  task.apply(
    { type: "request", user: "u3", time: START + 1e6, request: `x${count}`, count },
    9990 + count,
    out,
  );
  return out.recommendations[0]!;
}

const idsOf = (task: TaskState, count?: number) => ask(task, count).items.map(({ item }) => item);

Deno.test("TaskState.apply() orders by the blend, and by the model as far as it is proven, while no stack is learnt", () => {
  const { head: _, ...retrieval } = OPTIONS.retrieval!;
  const options = { ...OPTIONS, retrieval };
  const withModel = (version: number) => Object.assign(new FakeServing(), { version });
  const answer = ask(taught(options, [], withModel(0)));
  assert.equal(answer.orderedBy, "blend");
  const blend = taught({ ...options, ranking: "blend" }, [], withModel(0));
  assert.deepEqual(answer.items.map(({ item }) => item), idsOf(blend));
  const shared = (share: number) => ask(taught(options, [], Object.assign(withModel(1), { share })));
  assert.equal(shared(0.5).orderedBy, "stack");
  // A proven model orders as it would alone.
  assert.equal(shared(1).orderedBy, "model");
  const model = taught({ ...options, ranking: "model" }, [], withModel(1));
  assert.deepEqual(shared(1).items.map(({ item }) => item), idsOf(model));
  // The learner's proof gives it no share.
  assert.equal(shared(0).orderedBy, "blend");
});

Deno.test("TaskState.apply() orders by the parts that the stack has learnt to follow", () => {
  const blend = idsOf(taught({ ...OPTIONS, ranking: "blend" }, []));
  for (const parts of [["head"], ["blend", "model"]] as const) {
    const answer = ask(taught(OPTIONS, parts));
    assert.equal(answer.orderedBy, "stack");
    assert.notDeepEqual(answer.items.map(({ item }) => item), blend, String(parts));
  }
});

/** A stack to which the model adds nothing beside the head, of which it is a noisy copy. */
function withoutModel(): Stack {
  const stack = new Stack();
  const random = mulberry32(0);
  for (let n = 0; n < 3000; n++) {
    const noise = () => Array.from({ length: 10 }, random);
    const head = noise().map((score, i) => score + (i === 9 ? 0.5 : 0));
    const model = noise().map((score, i) => score + head[i]! / 2);
    stack.learn({ blend: noise(), head, bank: null, model }, 9, n, 1);
  }
  return stack;
}

Deno.test("TaskState.apply() asks the model again when the head that was better is gone", () => {
  const { head: _, ...retrieval } = OPTIONS.retrieval!;
  const served = Object.assign(new FakeServing(), { version: 1 });
  const ordering = (options: TaskOptions, serving: Serving) => {
    const task = taught(options, [], serving);
    Object.assign(task.retrieval.ordering, { stack: withoutModel() });
    task.retrieval.ordering.noteStackRequest();
    return [task.retrieval.orders.parts, task.retrieval.orders.needsModel, ask(task).orderedBy];
  };
  assert.deepEqual(ordering(OPTIONS, headed()), [["head"], false, "stack"]);
  for (const [options, serving] of [[OPTIONS, served], [{ ...OPTIONS, retrieval }, headed()]] as const) {
    const [parts, needsModel] = ordering(options, serving);
    assert.deepEqual([(parts as Part[]).includes("model"), needsModel], [true, true]);
  }
});

Deno.test("TaskState.apply() scores no list with a head that has no say", () => {
  let scored = 0;
  const order = headed().order!({ pairs: [], behaviours: [], candidates: [] })!;
  const serving = Object.assign(headed(), {
    order: () => (list: PairList) => {
      scored++;
      return order(list);
    },
  });
  for (const parts of [[], ["head"]] as const) {
    const task = taught(OPTIONS, parts, serving);
    scored = 0;
    ask(task);
    assert.equal(scored, parts.length);
  }
});

Deno.test("TaskState.apply() follows a pinned order exactly, whatever the stack has learnt", () => {
  for (const ranking of ["model", "blend", "both"] as const) {
    const want = ask(taught({ ...OPTIONS, ranking }, []));
    for (const parts of [["model"], ["blend", "model"], ["head"]] as const) {
      assert.deepEqual(ask(taught({ ...OPTIONS, ranking }, parts)), want, `${ranking}, ${parts}`);
    }
  }
});

Deno.test("TaskState.apply() gives scores that are falling shares when the stack orders without outcomes", () => {
  const task = fresh(OPTIONS, headed());
  Object.assign(task.retrieval.ordering, { stack: stackOf(["blend", "head"]) });
  let offset = 0;
  for (const event of visits(60)) if (event.type !== "impression") task.apply(event, offset++, outputs());
  const [short, long] = [ask(task, 3), ask(task, 30)];
  assert.deepEqual([short.orderedBy, short.scoreKind], ["stack", "share"]);
  const shares = long.items.map(({ score }) => score);
  assert.ok(shares.every((share, at) => share > 0 && (at === 0 || share <= shares[at - 1]!)), String(shares));
  assert.ok(shares.reduce((sum, share) => sum + share) <= 1 + 1e-9);
  short.items.forEach(({ item, score }) => {
    const same = long.items.find((other) => other.item === item);
    assert.ok(same !== undefined && Math.abs(same.score - score) < 1e-12, item);
  });
});

Deno.test("TaskState.apply() learns no stack while the blend alone orders lists", () => {
  const task = fresh({ ...OPTIONS, ranking: "blend" }, headed());
  let offset = 0;
  for (const event of visits(60)) task.apply(event, offset++, outputs());
  assert.equal(task.retrieval.ordering.stack.steps, 0);
  assert.ok(task.retrieval.state.changes().records.every(({ key }) => !key.endsWith("stack")));
});

Deno.test("TaskState.apply() learns no stack before a request whose list it is to order", () => {
  const task = fresh(OPTIONS, headed());
  let offset = 0;
  const go = (events: Iterable<Event>, hasRequests: boolean) => {
    for (const event of events) {
      if (hasRequests || event.type !== "request") task.apply(event, offset++, outputs());
    }
    return task.retrieval.ordering.stack.steps;
  };
  assert.equal(go(visits(60), false), 0);
  assert.ok(task.retrieval.state.changes().records.every(({ key }) => !key.endsWith("stack")));
  assert.ok(go(visits(120), true) > 20);
});

Deno.test("TaskState.apply() teaches the stack just as much when requests were answered before", () => {
  const steps = (given: boolean) => {
    const task = fresh(OPTIONS, headed());
    if (given) task.follow(() => ({ items: [] }));
    let offset = 0;
    for (const event of visits(60)) task.apply(event, offset++, outputs());
    return task.retrieval.ordering.stack.steps;
  };
  assert.ok(steps(false) > 20);
  assert.equal(steps(true), steps(false));
});

Deno.test("TaskState.apply() judges the model by clicks after no list or others' lists, not after its own", () => {
  const judged: boolean[] = [];
  const task = taught({ ...OPTIONS, impressions: "served" }, [], Object.assign(headed(), { share: 1 }));
  const stack = Object.assign(new Stack(), {
    learn: ({ model }: ScoresByPart) => judged.push(model !== null),
  });
  Object.assign(task.retrieval.ordering, { stack });
  let [offset, time] = [9000, START + 1e6];
  const apply = (event: Event) => {
    const out = outputs();
    task.apply(event, offset++, out);
    return out.recommendations[0]?.items.map(({ item }) => item) ?? [];
  };
  const click = (item: string) =>
    apply({ type: "interaction", user: "u3", time: ++time, item, action: "click" });
  const recommended = apply({ type: "request", user: "u3", time: ++time, request: "r", count: 5 });
  const { retrieval, users } = task;
  const user = users.get("u3")!;
  const context = retrieval.past.context(user, time);
  // Nothing is learnt from what no source proposes.
  const others = retrieval.candidates({ user, context, time, allowed: () => true }, { most: 12 }).candidates
    .map(({ item }) => item.id).filter((item) => !recommended.includes(item)).slice(0, 4);
  click(others[0]!);
  apply({ type: "impression", user: "u3", time: ++time, request: "theirs", items: others.slice(1, 3) });
  click(others[1]!);
  click(recommended[0]!);
  assert.deepEqual(judged, [true, true, false]);
});

Deno.test("TaskModels.logits() assumes a list of the usual length, however many candidates there are", () => {
  const task = fresh({ ...OPTIONS, schema: { ...OPTIONS.schema, contextFields: ["listLength"] } }, headed());
  task.apply({ type: "interaction", user: "u", time: START, item: "i0", action: "click" }, 0, outputs());
  const items = [...task.catalogue.items()];
  const logits = (many: number) => task.models.logits(task.users.get("u")!, items.slice(0, many), START + 1);
  assert.deepEqual(logits(40).slice(0, 10), logits(10));
});

Deno.test("TaskState.apply() answers the same in the order `auto`, bit for bit, when restored", () => {
  const stackOf = (task: TaskState) => {
    const to = new ByteWriter();
    task.retrieval.ordering.stack.encode(to);
    return to.toBytes();
  };
  for (const serving of [headed(), { ...PRIOR, order: headed().order! }]) {
    const whole = fresh(OPTIONS, serving);
    let restored = fresh(OPTIONS, serving);
    const durable = new Durable();
    let offset = 0;
    for (const event of visits(200)) {
      const [want, got] = [outputs(), outputs()];
      whole.apply(event, offset, want);
      restored.apply(event, offset++, got);
      assert.deepEqual(got.recommendations, want.recommendations);
      if (offset % 90 > 0) continue;
      durable.commit(restored, got);
      restored = durable.restore(OPTIONS, serving);
    }
    assert.deepEqual(stackOf(restored), stackOf(whole));
    assert.deepEqual(inventory(restored), inventory(whole));
    assert.ok(whole.retrieval.ordering.stack.steps > 100, String(whole.retrieval.ordering.stack.steps));
  }
});
