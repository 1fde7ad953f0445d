import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { ByteWriter } from "../../src/codec/byte_writer.ts";
import { Blend } from "../../src/retrieval/blend.ts";
import { contextOf } from "../../src/retrieval/signals/context.ts";
import { CHUNK_BYTES } from "../../src/retrieval/signals/changelog.ts";
import type { RetrievalRecord } from "../../src/retrieval/signals/records.ts";
import { ItemLists } from "../../src/retrieval/items/item_lists.ts";
import { OrderingState } from "../../src/retrieval/ordering_state.ts";
import { RetrievalState } from "../../src/retrieval/retrieval_state.ts";
import { SignalFolds } from "../../src/retrieval/signal_folds.ts";
import { settle } from "../../src/options/option.ts";
import { SOURCE_OPTIONS, sourceParts } from "../../src/retrieval/sources/parts.ts";
import { createSources, SOURCES } from "../../src/retrieval/sources/registry.ts";
import type { Source, SourceKind } from "../../src/retrieval/sources/source.ts";
import { Catalogue } from "../../src/items/catalogue.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { ByteReader } from "../../src/codec/byte_reader.ts";
import { atOnce, type Portions } from "../../src/values/portions.ts";
import { oneIn } from "../breadth.ts";

const SCHEMA = { userFields: [], itemFields: [], contextFields: [], crosses: [] };

interface Kept {
  readonly catalogue: Catalogue;
  readonly state: RetrievalState;
  readonly sources: readonly Source[];
}

function state(kinds: readonly SourceKind[] = SOURCES): Kept {
  const catalogue = new Catalogue(SCHEMA);
  const lists = new ItemLists(catalogue);
  const options = settle(SOURCE_OPTIONS, { sessions: { sessions: 40 }, trendHalfLifeMs: 1e7 });
  const parts = sourceParts(catalogue, lists, options);
  const sources = createSources(parts, kinds);
  const folds = new SignalFolds({ catalogue, lists, folds: sources });
  const ordering = new OrderingState(new Blend(sources), parts.returns);
  return { catalogue, sources, state: new RetrievalState({ catalogue, folds, ordering }) };
}

Deno.test("RetrievalState.restore() gives the same bytes from journals and from snapshots in several records", () => {
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
      each.state.learn({ user, item, time, liked: n % 7 > 0, wanted: true, context, step });
    }
    recent.set(user, [[Number(id.slice(1)), time] as [number, number], ...before].slice(0, 30));
    if (n % 1500 === 0) { for (const each of [whole, crashing]) each.state.forget(user); }
    if (n % 3000 === 0) crashing.state.dropNames(); // the first name stays until then
    if (n % 500 > 0) continue;
    const { records: changes } = crashing.state.changes();
    for (const { key, value } of changes) records.set(key, value);
    const parts = changes.filter(({ key, value }) => /snapshot|piece/.test(key) && value.length > 0).length;
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

Deno.test("RetrievalState.restore() also restores what was learnt from others, with popularity", () => {
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
      state.learn({ user, item: indexOf(id), time, liked: true, wanted: true, context, step: null });
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
    // What others did is learnt between two commits.
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
    assert.equal(other.catalogue.get(id)?.popularity, -Infinity, "its own was not raised");
  }
  assert.ok(snapshots >= 2, `${snapshots} snapshots`);
});

/** Has a user view one of 3,000 items after 30 others. */
function view({ catalogue, state }: Kept, n: number, user: string): void {
  const indexOf = (k: number) => catalogue.intern(`i${k % 3000}`, 0).index;
  const context = contextOf(
    Array.from({ length: 30 }, (_, x) => ({ item: indexOf(7 * n + 91 * x), time: n - x })),
  );
  state.learn({ user, item: indexOf(7 * n + 1), time: n, liked: true, wanted: true, context, step: null });
}

const decoder = new TextDecoder("latin1");

Deno.test("RetrievalState.changing() writes a snapshot in pieces, and a restore between any two loses nothing", () => {
  const whole = state();
  let crashing = state();
  const records = new Map<string, Uint8Array>();
  let n = 0, commits = 0;
  const commit = (pieces: number) => {
    const { records: changes } = atOnce(crashing.state.changing(pieces));
    for (const { key, value } of changes) {
      if (value.length > 0) records.set(key, value);
      else assert.ok(records.delete(key), `${key} is deleted once`);
    }
    if (pieces === Infinity) return;
    const [heads, others] = [/:snapshot:/, /:piece:/].map((kind) =>
      changes.filter(({ key, value }) => {
        return kind.test(key) && value.length > 0;
      })
    ) as [RetrievalRecord[], RetrievalRecord[]];
    assert.ok(heads.length <= 1 && others.length <= pieces, "a piece, and the head");
    for (const { value } of [...heads, ...others]) assert.ok(value.length < 1.01 * CHUNK_BYTES);
    commits++;
  };
  const both = (act: (kept: Kept) => void) => [whole, crashing].forEach(act);
  const learn = (user: string) => {
    n++;
    both((kept) => view(kept, n, user));
  };
  const restored = () => {
    const fresh = state();
    for (const known of [...whole.catalogue.items()].reverse()) fresh.catalogue.intern(known.id, 0);
    fresh.state.restore(records);
    const [got, want] = [fresh, whole].map(({ state }) =>
      createHash("sha256").update(state.encode()).digest("hex")
    );
    assert.equal(got, want, `after ${commits} commits`);
    return fresh;
  };
  const names = () => [...records.values()].map((value) => decoder.decode(value)).join();
  learn("first");
  commit(Infinity);
  while (n < 2500) learn(`u${n % 60}`);
  learn("erased-before");
  commit(0);
  for (const crashesAt of oneIn(2, [Infinity, 1, 3, 5])) {
    learn("erased-after");
    both(({ state }) => state.forget("erased-before", 71));
    const begun = commits;
    while (crashing.state.namedFrom < Infinity) {
      crashing.state.dropNames();
      commit(1);
      restored();
      if (commits === begun + crashesAt) crashing = restored();
      if (commits === begun + 2) both(({ state }) => state.forget("erased-after", 72));
      learn(`u${n % 60}`);
    }
    assert.ok(commits - begun > 6, `${commits - begun} commits`);
    assert.ok(!names().includes("erased-"), "no erased user is named any more");
  }
  commit(1);
  crashing = restored();
  const left = [...records.keys()].filter((key) => /journal|piece/.test(key));
  assert.ok(left.length < 20, left.join());
});

Deno.test("RetrievalState.changing() writes a snapshot at once when journals have grown to four times its size", () => {
  const records = new Map<string, Uint8Array>();
  const sizes = () => {
    const sizeOf = (kind: RegExp) =>
      [...records].reduce((sum, [key, { length }]) => sum + (kind.test(key) ? length : 0), 0);
    return { journals: sizeOf(/:journal:/), heads: sizeOf(/:snapshot:/), pieces: sizeOf(/:piece:/) };
  };
  const commit = ({ state }: Kept, pieces: number) => {
    for (const { key, value } of atOnce(state.changing(pieces)).records) records.set(key, value);
  };
  const first = state();
  for (let n = 1; n <= 2500; n++) view(first, n, `u${n % 60}`);
  commit(first, Infinity);
  const { heads, pieces } = sizes();
  const snapshot = heads + pieces;
  assert.ok(pieces > CHUNK_BYTES);
  const large = "l".repeat(snapshot / 3);
  let largest = 0;
  for (let restarts = 0; restarts < 16; restarts++) {
    const one = state();
    one.state.restore(records);
    view(one, one.state.signals, large);
    commit(one, 1);
    largest = Math.max(largest, sizes().journals / snapshot);
  }
  assert.ok(largest > 3 && largest < 4.1, `${largest} times the snapshot`);
});

Deno.test("OrderingState.noteRequest() is durable, and leaves the weights as they were", () => {
  const { state: asked } = state();
  assert.equal(asked.ordering.hasRequests, false);
  assert.deepEqual(asked.changes().records, []);
  asked.ordering.noteRequest();
  const records = new Map(asked.changes().records.map(({ key, value }) => [key, value]));
  asked.ordering.noteRequest();
  assert.deepEqual(asked.changes().records, []);
  const { state: restored } = state();
  restored.restore(records);
  assert.equal(restored.ordering.hasRequests, true);
  assert.deepEqual(restored.ordering.blend.weights, asked.ordering.blend.weights);
});

Deno.test("RetrievalState.cleared waits for a snapshot after erasures were missed or nothing is shared any more", () => {
  for (const isShared of [true, false]) {
    const { state: one } = state();
    if (isShared) one.share();
    one.passOthers(1, 3);
    one.changes();
    one.forgetAll();
    one.passOthers(1, 7);
    atOnce(one.changing(0));
    assert.deepEqual(one.cleared, new Map([[1, 3]]));
    atOnce(one.changing(1));
    assert.deepEqual(one.cleared, isShared ? new Map([[1, 7]]) : null);
  }
});

Deno.test("RetrievalState.cleared waits after a crash for a snapshot that names nobody whom others have erased", () => {
  const records = new Map<string, Uint8Array>();
  const commit = ({ state }: Kept, pieces: number) => {
    for (const { key, value } of atOnce(state.changing(pieces)).records) records.set(key, value);
  };
  const other = state();
  other.state.share();
  const learnOthers = ({ catalogue, state }: Kept, next: number) => {
    const { signals } = other.state.changes();
    state.learnOthers({ partition: 1, journal: signals!, next }, (id) => catalogue.intern(id, 0).index);
  };
  const opened = () => {
    const kept = state();
    kept.state.share();
    kept.state.restore(records);
    return kept;
  };
  let one = opened();
  while (one.state.signals < 2500) view(one, one.state.signals, `u${one.state.signals % 60}`);
  commit(one, Infinity);
  view(other, 1, "erased");
  learnOthers(one, 5);
  commit(one, 0);
  assert.deepEqual(one.state.cleared, new Map([[1, 5]]));
  one.state.forget("u1");
  one.state.dropNames();
  for (let n = 0; n < 3; n++) commit(one, 1); // and no head
  other.state.forget("erased");
  learnOthers(one, 9);
  commit(one, 0);
  assert.deepEqual(one.state.cleared, new Map([[1, 5]]));
  one = opened();
  const isNamed = () => [...records.values()].some((value) => decoder.decode(value).includes("erased"));
  for (let n = 0; one.state.isSnapshotUnderWay || one.state.mayNameErased; n++) {
    assert.ok(isNamed());
    assert.equal(one.state.cleared?.get(1), undefined, `after ${n} commits`);
    if (n > 0) one.state.dropNames();
    commit(one, 1);
  }
  assert.ok(!isNamed());
  assert.deepEqual(one.state.cleared, new Map([[1, 9]]));
});

Deno.test("RetrievalState.changes() writes each change once", () => {
  const { state: one } = state();
  one.share();
  const changes: Readonly<Record<string, () => void>> = {
    "the first request": () => one.ordering.noteRequest(),
    "the first list of the stack": () => one.ordering.noteStackRequest(),
    "a return": () => one.ordering.learnReturn(true, 3),
    "a position in the journals of another": () => one.passOthers(1, 7),
    "an erasure": () => one.forget("ann"),
    "a snapshot without names": () => one.forgetAll(),
  };
  for (const [what, change] of Object.entries(changes)) {
    change();
    assert.notEqual(one.changes().records.length, 0, what);
    assert.deepEqual(one.changes(), { records: [], signals: null, dropsNames: false }, what);
  }
});

/** A source that counts the behaviours with each item. */
const COUNTED: SourceKind = {
  name: "counted",
  proposals: 5,
  weight: 0.1,
  create: () => {
    const counts = new Map<number, number>();
    return {
      propose: (limit, may) => [...counts.keys()].filter(may).slice(0, limit),
      score: (items, into) => {
        items.forEach((item, c) => into[c] = counts.get(item) ?? 0);
        return Math.max(0, ...into.subarray(0, items.length));
      },
      learn: ({ item }) => void counts.set(item, (counts.get(item) ?? 0) + 1),
      encode: (to, { rank }) => {
        to.uint(counts.size);
        for (const [item, count] of [...counts].sort(([a], [b]) => rank[a]! - rank[b]!)) {
          to.uint(rank[item]!).uint(count);
        }
      },
      decode: (from, itemAt) => {
        for (let n = from.count(); n > 0; n--) counts.set(itemAt(from.uint()), from.uint());
      },
    };
  },
};

Deno.test("RetrievalState.restore() matches what sources have learnt by name, whichever have come and gone", () => {
  const teach = ({ catalogue, state }: Kept, from: number, to: number) => {
    for (let n = from; n < to; n++) {
      const time = n * 20_000;
      const indexOf = (k: number) => catalogue.intern(`i${(7 * k) % 50}`, time).index;
      const context = contextOf([1, 2, 3].map((k) => ({ item: indexOf(n - k), time: time - k })));
      const step = [`x${n % 3}`, `y${n % 5}`] as const;
      state.learn({ user: `u${n % 9}`, item: indexOf(n), time, liked: true, wanted: true, context, step });
    }
  };
  const without = SOURCES.filter(({ name }) => name !== "linear");
  const changed = [COUNTED, ...without].reverse();
  const before = state(SOURCES);
  teach(before, 10, 400);
  before.state.ordering.noteRequest();
  before.state.forget("nobody"); // a snapshot comes with the next commit
  const records = new Map(before.state.changes().records.map(({ key, value }) => [key, value]));
  const after = state(changed);
  for (const { id } of [...before.catalogue.items()].reverse()) after.catalogue.intern(id, 0);
  after.state.restore(records);
  assert.equal(after.state.signals, before.state.signals);
  for (const each of [before, after]) teach(each, 400, 600);
  const ids = [...before.catalogue.items()].map(({ id }) => id).sort();
  const bytesOf = ({ catalogue, sources }: Kept, name: string) => {
    const order = ids.map((id) => catalogue.get(id)!.index), rank = new Uint32Array(order.length);
    order.forEach((item, place) => rank[item] = place);
    const to = new ByteWriter();
    const source = sources.find((source) => source.name === name);
    for (const _portion of source?.encode?.(to, { order, rank }) ?? []);
    return to.toBytes();
  };
  const kept = without.map(({ name }) => name).filter((name) => bytesOf(before, name).length > 0);
  for (const name of ["co-visited", "follows", "sessions", "next-category"]) {
    assert.ok(kept.includes(name), name);
  }
  for (const name of kept) assert.deepEqual(bytesOf(after, name), bytesOf(before, name), name);
  assert.ok(bytesOf(after, "counted").length > 100, "it has what it saw from then on");
  const own = new Map(
    after.state.ordering.blend.names.map((name, f) => [name, after.state.ordering.blend.weights[f]]),
  );
  for (const [f, name] of before.state.ordering.blend.names.entries()) {
    assert.equal(own.get(name), name === "linear" ? undefined : before.state.ordering.blend.weights[f], name);
  }
  assert.equal(own.get("counted"), 0.1);
  // And back: a source that is gone does no harm.
  after.state.forget("nobody");
  for (const { key, value } of after.state.changes().records) records.set(key, value);
  const again = state(SOURCES);
  again.state.restore(records);
  for (const { id } of before.catalogue.items()) again.catalogue.intern(id, 0);
  for (const name of kept) assert.deepEqual(bytesOf(again, name), bytesOf(before, name), name);
});

Deno.test("RetrievalState.restore() throws for another format, and names the record", () => {
  const { state: asked } = state();
  asked.ordering.noteRequest();
  asked.forget("nobody");
  for (const { key, value } of asked.changes().records) {
    if (value.length === 0) continue;
    const old = Uint8Array.from(value, (byte, at) => at === 0 ? 4 : byte);
    assert.throws(() => state().state.restore(new Map([[key, old]])), {
      key,
      message: "Cannot decode the retrieval state: format is 4, this release reads 1 to 2",
    });
  }
});

Deno.test("RetrievalState.changing() and restoring() have portions that do not grow with the number of items", () => {
  const written = counted(ByteWriter.prototype), read = counted(ByteReader.prototype);
  const longest = [1000, 4000].map((items) => {
    const { state: learnt, catalogue } = state();
    for (let n = 0; n < items; n++) {
      const index = (at: number) => catalogue.intern(`i${at % items}`, 0).index;
      const context = contextOf([1, 2].map((k) => ({ item: index(n + items - k), time: n - k })));
      const step = ["x", "y"] as const;
      learnt.learn({ user: `u${n % 9}`, item: index(n), time: n, liked: true, wanted: true, context, step });
    }
    learnt.forget("nobody"); // a snapshot comes with the next commit
    const writing = written(learnt.changing());
    assert.ok(writing.calls > 10 * items, `only ${writing.calls} numbers`);
    const records = new Map(writing.result.records.map(({ key, value }) => [key, value]));
    const reading = read(state().state.restoring(records));
    assert.ok(reading.calls > 10 * items, `only ${reading.calls} numbers`);
    return [writing.longest, reading.longest];
  });
  assert.deepEqual(longest[1], longest[0]);
});

/** Counts the integers that are read or written, in all and in the longest portion. */
function counted(of: { uint(value?: number): unknown }) {
  return <Result>(portions: Portions<Result>) => {
    const { uint } = of;
    let calls = 0, since = 0, longest = 0;
    of.uint = function (value) {
      calls++;
      longest = Math.max(longest, ++since);
      return uint.call(this, value);
    };
    try {
      for (;;) {
        const { done, value: result } = portions.next();
        if (done === true) return { result, calls, longest };
        since = 0;
      }
    } finally {
      of.uint = uint;
    }
  };
}
