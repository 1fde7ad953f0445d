import assert from "node:assert/strict";
import type { Event } from "../../src/events/event.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { TaskState } from "../../src/engine/task_state.ts";
import { FakeServing } from "../engine/fake_serving.ts";
import { Durable, inventory, outputs, SMALL } from "../engine/streams.ts";

const ITEMS = 300;

/** Views of items of 7 categories by 40 users, and every ninth event a request. */
function* visits(count: number): Generator<Event> {
  const random = mulberry32(5);
  const pick = (n: number) => Math.floor(n * random() ** 2);
  for (let n = 0; n < count; n++) {
    const user = `u${pick(40)}`, time = 1_700_000_000_000 + n * 7000;
    if (n % 9 === 8) yield { type: "request", user, time, request: `r${n}`, count: 20 };
    else yield { type: "interaction", user, time, item: `i${pick(ITEMS)}`, action: "view" };
  }
}

const serving = new FakeServing();

function fresh(): TaskState {
  const task = new TaskState(SMALL, serving);
  for (let n = 0; n < ITEMS; n++) {
    task.applyItem({ item: `i${n}`, time: 1_600_000_000_000, category: `c${n % 7}` });
  }
  return task;
}

Deno.test("Retrieval proposes and learns the same, bit for bit, when restored with other indices of items", () => {
  const whole = fresh();
  let restored = fresh();
  const durable = new Durable();
  let offset = 0;
  let answers = 0;
  for (const event of visits(3000)) {
    const [want, got] = [outputs(), outputs()];
    whole.apply(event, offset, want);
    restored.apply(event, offset++, got);
    answers += want.recommendations.length;
    assert.deepEqual(got.recommendations, want.recommendations);
    if (offset % 700 > 0) continue;
    durable.commit(restored, got);
    restored = durable.restore(SMALL, serving);
  }
  assert.ok(answers > 300);
  assert.ok(whole.retrieval.ordering.hasRequests);
  assert.deepEqual(inventory(restored), inventory(whole));
});

Deno.test("Retrieval learns an order from behaviours before the first request, and keeps it when restored", () => {
  const whole = fresh();
  let restored = fresh();
  const durable = new Durable();
  const start = [...whole.retrieval.ordering.blend.weights];
  let offset = 0;
  for (const event of visits(6000)) {
    if (event.type === "request" && offset < 4000) continue;
    if (event.type === "request" && !whole.retrieval.ordering.hasRequests) {
      assert.ok(whole.retrieval.ordering.blend.steps >= 10);
      assert.notDeepEqual([...whole.retrieval.ordering.blend.weights], start);
    }
    const [want, got] = [outputs(), outputs()];
    whole.apply(event, offset, want);
    restored.apply(event, offset++, got);
    assert.deepEqual(got.recommendations, want.recommendations);
    if (offset % 700 > 0) continue;
    durable.commit(restored, got);
    restored = durable.restore(SMALL, serving);
    assert.equal(restored.retrieval.ordering.hasRequests, whole.retrieval.ordering.hasRequests);
  }
  assert.ok(whole.retrieval.ordering.hasRequests);
  assert.deepEqual(inventory(restored), inventory(whole));
});

Deno.test("Retrieval learns from a fair share of behaviours, however they alternate with others", () => {
  for (const wantedAt of [0, 1]) {
    const task = new TaskState({ ...SMALL, retrieval: { ...SMALL.retrieval, revisits: true } }, serving);
    const random = mulberry32(7);
    for (let n = 0; n < 6400; n++) {
      const user = `u${Math.floor(40 * random())}`, time = 1_700_000_000_000 + n * 7000;
      const item = `i${Math.floor(30 * random())}`;
      const action = n % 2 === wantedAt ? "view" : "dislike";
      task.apply({ type: "interaction", user, time, item, action }, n, outputs());
    }
    // One in 64 of 3,200.
    const { taken } = task.retrieval.sourceCounts;
    assert.ok(taken >= 25 && taken <= 75, `${taken}`);
  }
});

for (const hasSnapshot of [true, false]) {
  const old = hasSnapshot ? "snapshot and journals" : "journals";
  Deno.test(`Retrieval resumes from ${old} of a slow stream that were counted by event time`, () => {
    const durable = new Durable();
    const daily = (task: TaskState, from: number, to: number) => {
      for (let day = from; day < to; day++) {
        const [user, time] = [`u${day % 5}`, 1_700_000_000_000 + day * 86_400_000];
        task.apply({ type: "interaction", user, time, item: `i${day}`, action: "view" }, day, outputs());
        if (day % 10 === 0 && day <= 200) durable.commit(task, outputs());
      }
    };
    const before = fresh();
    before.retrieval.lists.pace.catchUp(true);
    daily(before, 0, 201);
    // Snapshots had no pace then.
    const snapshot = durable.retrieval.get("retrieval:snapshot:0")!;
    if (!hasSnapshot) durable.retrieval.delete("retrieval:snapshot:0");
    else {
      const text = snapshot.toHex(), name = new TextEncoder().encode("pace").toHex();
      assert.equal(text.split(name).length, 2);
      durable.retrieval.set("retrieval:snapshot:0", Uint8Array.fromHex(text.replace(name, "41414141")));
    }
    let restored = durable.restore(SMALL, serving);
    daily(restored, 201, 206);
    const popularity = (item: string) => restored.catalogue.get(item)!.popularity;
    for (let day = 101; day < 206; day++) {
      assert.ok(popularity(`i${day}`) >= popularity(`i${day - 1}`), `day ${day}`);
    }
    // It catches up once: from then on, a restore changes nothing.
    durable.commit(restored, outputs());
    const whole = restored;
    for (let day = 206; day < 230; day += 6) {
      restored = durable.restore(SMALL, serving);
      daily(whole, day, day + 6);
      daily(restored, day, day + 6);
      assert.deepEqual(inventory(restored), inventory(whole));
      durable.commit(restored, outputs());
    }
  });
}

Deno.test("Retrieval with learning off proposes what is popular, new or of the category, and writes no journals", () => {
  const task = new TaskState(
    {
      ...SMALL,
      schema: { ...SMALL.schema, pooled: false },
      retrieval: { ...SMALL.retrieval, learn: false },
    },
    new FakeServing(),
  );
  const out = outputs();
  let offset = 0;
  for (const event of visits(500)) task.apply(event, offset++, out);
  assert.equal(task.retrieval.state.signals, 0);
  assert.ok(task.retrieval.state.changes().records.every(({ key }) => !key.includes("journal")));
  const sources = new Set(out.recommendations.flatMap(({ items }) => items.map(({ source }) => source)));
  assert.ok(
    sources.size > 0 && [...sources].every((source) => ["popular", "category", "new"].includes(source)),
  );
});

Deno.test("SourceCounts counts whose items are on the lists, and which sources had proposed what was taken", () => {
  const options = { ...SMALL, retrieval: { ...SMALL.retrieval, revisits: false } };
  const task = new TaskState(options, new FakeServing());
  const out = outputs();
  let offset = 0;
  for (const event of visits(2000)) task.apply(event, offset++, out);
  const { listed, proposed, taken } = task.retrieval.sourceCounts;
  const want = new Map<string, number>();
  for (const { items } of out.recommendations) {
    for (const { source } of items) want.set(source, (want.get(source) ?? 0) + 1);
  }
  assert.deepEqual(new Map([...listed].sort()), new Map([...want].sort()));
  assert.ok(taken > 100);
  assert.ok([...proposed.values()].every((count) => count <= taken));
  assert.ok(proposed.get("co-visited")! > proposed.get("popular")! && proposed.get("popular")! > 0);
  // Items have no category here, and revisits are off.
  assert.deepEqual(["category", "re-visit"].map((source) => proposed.get(source)), [0, 0]);
});
