import assert from "node:assert/strict";
import { Blend } from "../../src/retrieval/blend.ts";
import { contextOf } from "../../src/retrieval/signals/context.ts";
import { ItemLists } from "../../src/retrieval/items/item_lists.ts";
import { RetrievalState } from "../../src/retrieval/retrieval_state.ts";
import { Catalogue } from "../../src/users/catalogue.ts";
import { mulberry32 } from "../../src/draws/random.ts";

const SCHEMA = { userFields: [], itemFields: [], contextFields: [], crosses: [] };
const options = (catalogue: Catalogue) => ({
  lists: new ItemLists(catalogue),
  neighbours: {},
  sessions: { sessions: 40 },
  vectors: { dimensions: 4, items: 500, exact: 100 },
  state: {},
  trendHalfLifeMs: 1e7,
  transitionHalfLifeMs: 1e7,
});

function state(): { readonly catalogue: Catalogue; readonly state: RetrievalState } {
  const catalogue = new Catalogue(SCHEMA);
  return { catalogue, state: new RetrievalState(catalogue, new Blend([0, 0]), options(catalogue)) };
}

Deno.test("RetrievalState.restore() from journals and snapshots in several records gives the same bytes", () => {
  const whole = state();
  let crashing = state();
  const records = new Map<string, Uint8Array>();
  const random = mulberry32(3);
  const recent = new Map<string, [number, number][]>();
  let snapshots = 0;
  let chunks = 0;
  for (let n = 1; n <= 4000; n++) {
    const user = `u${Math.floor(random() * 60)}`;
    const id = `i${Math.floor(random() * 2000)}`;
    const time = n * 20_000;
    const before = recent.get(user) ?? [];
    for (const each of [whole, crashing]) {
      const item = each.catalogue.intern(id, time).index;
      const context = contextOf(
        before.map(([number, at]) => ({ item: each.catalogue.intern(`i${number}`, time).index, time: at })),
      );
      const step = n % 3 === 0 ? ["x", `y${n % 5}`] as const : null;
      each.state.learn({ user, item, time, liked: n % 7 > 0, context, step });
    }
    recent.set(user, [[Number(id.slice(1)), time] as [number, number], ...before].slice(0, 30));
    if (n % 1500 === 0) { for (const each of [whole, crashing]) each.state.forget(user); }
    if (n % 500 > 0) continue;
    const { records: changes } = crashing.state.changes();
    for (const { key, value } of changes) records.set(key, value);
    const parts = changes.filter(({ key, value }) => key.includes("snapshot") && value.length > 0).length;
    snapshots += parts > 0 ? 1 : 0;
    chunks = Math.max(chunks, parts);
    // A fresh process, in which items have other indices.
    crashing = state();
    for (const known of [...whole.catalogue.items()].reverse()) crashing.catalogue.intern(known.id, 0);
    crashing.state.restore(records);
    assert.equal(crashing.state.signals, n);
  }
  assert.deepEqual(crashing.state.encode(), whole.state.encode());
  assert.ok(snapshots >= 2 && chunks >= 2, `${snapshots} snapshots of up to ${chunks} records`);
});

Deno.test("RetrievalState.restore() gives what was learnt from others too, with popularity, from journals and snapshots", () => {
  const other = state();
  other.state.share();
  const whole = state();
  let crashing = state();
  const records = new Map<string, Uint8Array>();
  const random = mulberry32(4);
  let snapshots = 0;
  let told = 0;
  for (let n = 1; n <= 6000; n++) {
    const [id, time] = [`i${Math.floor(random() * 900)}`, n * 20_000];
    const user = `u${n % 90}`;
    const before = Array.from(
      { length: 25 },
      (_, k) => ({ id: `i${(7 * n + k) % 900}`, time: time - k * 5000 }),
    );
    const teach = ({ catalogue, state }: typeof whole) => {
      const indexOf = (id: string) => catalogue.intern(id, time).index;
      const context = contextOf(before.map(({ id, time }) => ({ item: indexOf(id), time })));
      state.learn({ user, item: indexOf(id), time, liked: true, context, step: null });
    };
    if (n % 3 === 0) { for (const each of [whole, crashing]) teach(each); }
    else {
      teach(other);
      other.state.raised(other.catalogue.intern(id, time).index, time);
      told += 2;
    }
    // A snapshot follows three rounds later.
    if (n % 1500 === 0) {
      other.state.forget("u7");
      told++;
    }
    if (n % 200 > 0) continue;
    const { signals } = other.state.changes();
    // What others did comes between two commits.
    const changes = crashing.state.changes().records;
    whole.state.changes();
    for (const { key, value } of changes) records.set(key, value);
    for (const { state, catalogue } of [whole, crashing]) {
      const journal = { partition: 1, journal: signals!, next: n };
      const learnt = state.learnOthers(journal, (id, time) => catalogue.intern(id, time).index);
      assert.equal(learnt, told);
    }
    told = 0;
    if (n % 600 === 0) crashing.state.dropNames();
    const own = crashing.state.changes().records;
    for (const { key, value } of own) records.set(key, value);
    snapshots += [...changes, ...own].some(({ key, value }) => key.includes("snapshot") && value.length > 0)
      ? 1
      : 0;
    crashing = state();
    for (const known of [...whole.catalogue.items()].reverse()) crashing.catalogue.intern(known.id, 0);
    crashing.state.restore(records);
    assert.deepEqual([...crashing.state.others], [[1, n]]);
  }
  assert.deepEqual(crashing.state.encode(), whole.state.encode());
  for (const { id, popularity } of whole.catalogue.items()) {
    assert.equal(crashing.catalogue.get(id)?.popularity, popularity, id);
    assert.equal(other.catalogue.get(id)?.popularity, -Infinity, "nobody raised its own");
  }
  assert.ok(snapshots >= 2, `${snapshots} snapshots`);
});

Deno.test("RetrievalState.ask() is durable, with weights as they were", () => {
  const { state: asked } = state();
  assert.equal(asked.asked, false);
  assert.deepEqual(asked.changes().records, []);
  asked.ask();
  const records = new Map(asked.changes().records.map(({ key, value }) => [key, value]));
  asked.ask();
  assert.deepEqual(asked.changes().records, []);
  const { state: restored } = state();
  restored.restore(records);
  assert.equal(restored.asked, true);
  assert.deepEqual(restored.blend.weights, asked.blend.weights);
});
