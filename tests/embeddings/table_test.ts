import assert from "node:assert/strict";
import fc from "fast-check";
import { ServingTable } from "../../src/embeddings/serving_table.ts";
import { decodeDelta } from "../../src/embeddings/delta.ts";
import { EmbeddingTable, type EmbeddingTableOptions } from "../../src/embeddings/table.ts";
import { rowOf, tableContract } from "../contracts/table_contract.ts";
import { assertClose, goldenTest } from "../golden_vectors.ts";
import { breadth } from "../breadth.ts";

tableContract("EmbeddingTable", (keys) => {
  const table = make({ width: 3 });
  for (const key of keys) table.use(key, 0);
  return table;
});

function make(options: Partial<EmbeddingTableOptions> = {}): EmbeddingTable {
  return new EmbeddingTable({ name: "item", width: 2, seed: 1, ...options });
}

/** One step that moves `key` alone. */
function train(table: EmbeddingTable, key: string, time: number, gradient: readonly number[]): void {
  table.accumulate(table.use(key, time), Float32Array.from(gradient), 0);
  table.step();
}

/** A generator of integers below 2^32 (xorshift), for streams too long for fast-check. */
function integers(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

// deno-lint-ignore no-explicit-any -- the golden cases of one file have different layouts
goldenTest<any>(
  "EmbeddingTable.step() equals the golden steps of row-wise Adagrad",
  "optim.json",
  (cases) => {
    const golden = cases.adagrad;
    const { lr, epsilon } = golden.config;
    const table = make({ width: 3, initScale: 0, learningRate: lr, epsilon });
    for (const [step, ids] of golden.inputs.ids.entries()) {
      ids.forEach((id: number, i: number) => {
        table.accumulate(table.use(`${id}`, 0), Float32Array.from(golden.inputs.gradients[step][i]), 0);
      });
      table.step();
      golden.outputs.adagrad.steps[step].table.forEach((want: number[], id: number) => {
        const row = table.lookup(`${id}`);
        // Ours starts at zero: compare the distance from the golden start, zero for a row that was not used.
        const moved = want.map((w, k) => w - golden.params.table[id][k]);
        const gone = row === 1 ? [0, 0, 0] : rowOf(table, row);
        assertClose(gone, moved, 1e-5, `row ${id} after step ${step + 1}`);
      });
    }
  },
  { claims: (path) => path.startsWith("cases.adagrad.") && !path.endsWith(".G") },
);

Deno.test("EmbeddingTable() initialises a row the same way in any order of ids, and when an id returns", () => {
  const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
  const forward = make(), backward = make();
  for (const key of keys) forward.use(key, 0);
  for (const key of keys.toReversed()) backward.use(key, 9);
  for (const key of keys) {
    assert.deepEqual(rowOf(forward, forward.lookup(key)), rowOf(backward, backward.lookup(key)));
  }
  assert.deepEqual(forward.encodeServing(), backward.encodeServing());
  const start = (options: Partial<EmbeddingTableOptions>) => {
    const table = make(options);
    return rowOf(table, table.use("k1", 0));
  };
  assert.notDeepEqual(start({}), start({ seed: 2 }));
  assert.notDeepEqual(start({}), start({ name: "user" }));

  const returning = make({ expireAfterMs: 1000 });
  train(returning, "k1", 0, [1, 1]);
  train(returning, "k2", 5000, [1, 1]);
  assert.equal(returning.lookup("k1"), 1);
  assert.deepEqual(rowOf(returning, returning.use("k1", 5000)), start({}));
});

Deno.test("EmbeddingTable() initialises rows from a normal distribution of the given scale", () => {
  const table = make({ width: 4, initScale: 0.5 });
  const values: number[] = [];
  for (let i = 0; i < 5000; i++) values.push(...rowOf(table, table.use(`i${i}`, 0)));
  const mean = (f: (x: number, i: number) => number) =>
    values.reduce((sum, x, i) => sum + f(x / 0.5, i), 0) / values.length;
  // Four standard errors over n = 20000.
  assert.ok(Math.abs(mean((x) => x)) < 4 * Math.sqrt(1 / 20000));
  assert.ok(Math.abs(mean((x) => x * x) - 1) < 4 * Math.sqrt(2 / 20000));
  assert.ok(Math.abs(mean((x) => x ** 4) - 3) < 4 * Math.sqrt(96 / 20000));
  // Neighbours within and across rows are not correlated.
  for (const lag of [1, 2, 4]) {
    assert.ok(Math.abs(mean((x, i) => x * (values[i + lag] ?? 0) / 0.5)) < 4 * Math.sqrt(1 / 20000));
  }
});

Deno.test("EmbeddingTable.use() gives an id its row at the use that admitAfter names", () => {
  const table = make({ admitAfter: 3 });
  assert.deepEqual([1, 2, 3, 4].map(() => table.use("a", 0) > 1), [false, false, true, true]);
  assert.equal(table.lookup("b"), 1);
  assert.equal(table.size, 1);
});

Deno.test("EmbeddingTable.accumulate() never changes row 0 and trains row 1", () => {
  const table = make();
  const before = rowOf(table, 1);
  table.accumulate(0, Float32Array.of(1, 1), 0);
  table.accumulate(1, Float32Array.of(9, 1, 1), 1);
  table.step();
  assert.deepEqual(rowOf(table, 0), [0, 0]);
  assert.notDeepEqual(rowOf(table, 1), before);
});

Deno.test("EmbeddingTable.accumulate() scales gradients", () => {
  const [half, whole] = [make(), make()];
  half.accumulate(half.use("a", 0), Float32Array.of(2, -4), 0, 0.5);
  half.step();
  whole.accumulate(whole.use("a", 0), Float32Array.of(1, -2), 0);
  whole.step();
  assert.deepEqual(half.encode(), whole.encode());
});

Deno.test("EmbeddingTable.remove() forgets the key in the table and in what serves it", () => {
  const table = make(), served = new ServingTable("item", 2);
  for (const key of ["a", "b"]) train(table, key, 0, [1, 1]);
  served.applyDelta(table.encodeDelta());
  table.clearChanged();
  table.remove("a");
  table.remove("never seen");
  served.applyDelta(table.encodeDelta());
  for (const each of [table, served]) {
    assert.deepEqual([each.lookup("a"), each.lookup("b") > 1, each.size], [1, true, 1]);
  }
  table.accumulate(table.lookup("b"), Float32Array.of(1, 1), 0);
  assert.throws(() => table.remove("b"), /gradients to apply/);
});

Deno.test("EmbeddingTable.step() skips and counts a row when its gradient is not finite", () => {
  const table = make();
  const [a, b] = [table.use("a", 0), table.use("b", 0)];
  const [startA, startB] = [rowOf(table, a), rowOf(table, b)];
  table.accumulate(a, Float32Array.of(NaN, 0), 0);
  table.accumulate(b, Float32Array.of(1, 0), 0);
  table.step();
  assert.equal(table.skipped, 1);
  assert.deepEqual(rowOf(table, a), startA);
  assert.notDeepEqual(rowOf(table, b), startB);
});

Deno.test("EmbeddingTable.discard() drops the gradients of a batch", () => {
  const table = make();
  const before = rowOf(table, table.use("a", 0));
  table.accumulate(table.lookup("a"), Float32Array.of(3, 4), 0);
  table.discard();
  table.step();
  assert.deepEqual(rowOf(table, table.lookup("a")), before);
});

Deno.test("EmbeddingTable.step() tells whether a weight of a touched row exceeds the bound or is not finite", () => {
  const table = new EmbeddingTable({ name: "item", width: 2, seed: 1, initScale: 0, learningRate: 1 });
  const push = (key: string, gradient: number) =>
    table.accumulate(table.use(key, 0), Float32Array.of(0, gradient), 0);
  push("a", 1); // the first step of Adagrad is η · sign, times √2 for one weight of two
  assert.equal(table.step(1.5), true);
  push("a", 1);
  push("b", 1);
  assert.equal(table.step(1.5), false);
  push("b", -1);
  assert.equal(table.step(1.5), true, "the row beyond it was not touched");
  table.learningRate = NaN;
  push("b", 1);
  assert.equal(table.step(), false);
});

Deno.test("EmbeddingTable.step() spreads the l2 decay of a touched row over its uses", () => {
  const plain = make({ initScale: 1 }), decayed = make({ initScale: 1, l2: 0.5 });
  for (const table of [plain, decayed]) for (let i = 0; i < 4; i++) table.use("a", 0);
  const start = rowOf(plain, plain.lookup("a"));
  plain.accumulate(plain.lookup("a"), Float32Array.from(start, (w) => 0.3 + 0.5 / 4 * w), 0);
  decayed.accumulate(decayed.lookup("a"), Float32Array.of(0.3, 0.3), 0);
  plain.step();
  decayed.step();
  assertClose(rowOf(decayed, decayed.lookup("a")), rowOf(plain, plain.lookup("a")), 1e-6, "row");
});

Deno.test("EmbeddingTable.sweep() removes ids that were not seen for expireAfterMs of event time", () => {
  const table = make({ expireAfterMs: 1600 });
  table.use("old", 0);
  table.use("late", 900);
  table.use("late", 100); // An older time does not shorten its life.
  table.use("new", 1600);
  table.sweep();
  assert.deepEqual(["old", "late", "new"].map((key) => table.lookup(key) > 1), [false, true, true]);
});

Deno.test("EmbeddingTable.sweep() and encode() throw while gradients are pending", () => {
  const table = make();
  table.accumulate(table.use("a", 0), Float32Array.of(1, 1), 0);
  assert.throws(() => table.sweep(), /gradients to apply/);
  assert.throws(() => table.encode(), /gradients to apply/);
});

Deno.test("EmbeddingTable() refuses options that are out of range", () => {
  const bad: Partial<EmbeddingTableOptions>[] = [
    { width: 0 },
    { width: 1.5 },
    { admitAfter: 0 },
    { admitAfter: 256 },
    { maxBytes: 1000 },
    { expireAfterMs: 0 },
    { expireAfterMs: NaN },
  ];
  for (const options of bad) assert.throws(() => make(options), RangeError, JSON.stringify(options));
});

Deno.test("EmbeddingTable() stays within its budget and keeps hot ids when many times as many ids come once each", () => {
  const maxBytes = 4_000_000;
  const table = make({ width: 8, maxBytes });
  const next = integers(1);
  const gradient = new Float32Array(8).fill(0.01);
  let most = 0;
  for (let i = 0; i < breadth(500_000, 1_400_000); i++) {
    // One id in four is one of a hundred hot ones; the others are never seen again.
    const hot = next() % 4 === 0;
    const row = table.use(hot ? `hot-${next() % 100}` : `cold-${i}`, i);
    if (i % 16 === 0) table.accumulate(row, gradient, 0);
    if (i % 256 === 0) {
      table.step();
      most = Math.max(most, table.bytes);
    }
  }
  assert.ok(most <= maxBytes, `${most} bytes`);
  assert.ok(most > maxBytes / 2, `${most} bytes: the budget is there to be used`);
  assert.ok(table.size > 20_000, `${table.size} rows`);
  assert.ok(table.refused < 1000, `${table.refused} refused`);
  for (let i = 0; i < 100; i++) assert.ok(table.lookup(`hot-${i}`) > 1, `hot-${i}`);
});

Deno.test("EmbeddingTable() stays within its budget and keeps the head of a Zipf stream over a million ids", () => {
  const maxBytes = 4_000_000;
  const table = make({ width: 8, maxBytes });
  const next = integers(2);
  const gradient = new Float32Array(8).fill(0.01);
  const ids = 1_000_000;
  let most = 0;
  for (let i = 0; i < 1_000_000; i++) {
    // The id is exp of a uniform number, so id k comes with a probability of ln(1 + 1/k) / ln(ids): Zipf's law.
    const id = Math.floor(ids ** ((next() + 0.5) / 2 ** 32));
    const row = table.use(`i${id}`, i);
    if (i % 16 === 0) table.accumulate(row, gradient, 0);
    if (i % 256 === 0) {
      table.step();
      most = Math.max(most, table.bytes);
    }
  }
  assert.ok(most <= maxBytes, `${most} bytes`);
  assert.ok(most > maxBytes / 2, `${most} bytes: the budget is there to be used`);
  assert.ok(table.refused < 1000, `${table.refused} refused`);
  for (let id = 1; id <= 200; id++) assert.ok(table.lookup(`i${id}`) > 1, `i${id}`);
});

/** What may happen to a table; keys are few, so that they collide, leave and return. */
const action = fc.oneof(
  fc.record({ do: fc.constant("train" as const), key: fc.nat(30), g: fc.integer({ min: -4, max: 4 }) }),
  fc.record({ do: fc.constant("use" as const), key: fc.nat(3000), g: fc.constant(0) }),
  fc.record({ do: fc.constant("wait" as const), key: fc.nat(500), g: fc.constant(0) }),
  fc.record({ do: fc.constant("flood" as const), key: fc.nat(5), g: fc.constant(0) }),
  fc.record({ do: fc.constant("publish" as const), key: fc.constant(0), g: fc.constant(0) }),
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

// Width 1 and this budget hold about a thousand rows: floods evict, waits expire.
const TIGHT = { width: 1, maxBytes: 60_000, expireAfterMs: 2000, l2: 0.01 };

/** Plays actions; `published` sees each delta. */
function play(
  table: EmbeddingTable,
  clock: { time: number },
  actions: readonly Action[],
  published: Uint8Array[],
) {
  for (const { do: what, key, g } of actions) {
    clock.time += 1;
    if (what === "train") train(table, `k${key}`, clock.time, [g]);
    else if (what === "use") table.use(`s${key}`, clock.time);
    else if (what === "wait") clock.time += key;
    else if (what === "flood") {
      for (let i = 0; i < 300; i++) table.use(`f${key}-${i}`, clock.time);
      table.sweep();
    } else {
      published.push(table.encodeDelta());
      table.clearChanged();
    }
  }
}

const actions = fc.array(action, { maxLength: 60 });

Deno.test("ServingTable() equals the trained table when it applies all deltas in order", () => {
  fc.assert(fc.property(actions, (list) => {
    const table = make(TIGHT), deltas: Uint8Array[] = [];
    play(table, { time: 0 }, list, deltas);
    deltas.push(table.encodeDelta());
    const direct = new ServingTable("item", 1), replayed = new ServingTable("item", 1);
    direct.applyDelta(table.encodeServing());
    for (const delta of deltas) replayed.applyDelta(delta);
    assert.equal(replayed.size, table.size);
    assert.equal(direct.size, table.size);
    for (const key of keysOf(list)) {
      const want = rowOf(table, table.lookup(key));
      assert.deepEqual(rowOf(replayed, replayed.lookup(key)), want, key);
      assert.deepEqual(rowOf(direct, direct.lookup(key)), want, key);
      assert.equal(replayed.lookup(key) > 1, table.lookup(key) > 1, key);
    }
  }));
});

for (const admitAfter of [1, 2]) {
  Deno.test(`EmbeddingTable.decode() goes on bit for bit with admitAfter ${admitAfter}`, () => {
    fc.assert(
      fc.property(actions, actions, (before, after) => {
        const options = { ...TIGHT, admitAfter, maxBytes: TIGHT.maxBytes + (admitAfter > 1 ? 300_000 : 0) };
        const table = make(options), copy = make(options), clock = { time: 0 };
        play(table, clock, before, []);
        const state = table.encode();
        copy.decode(state);
        assert.deepEqual(copy.encode(), state);
        const [deltas, copyDeltas]: [Uint8Array[], Uint8Array[]] = [[], []];
        play(copy, { ...clock }, after, copyDeltas);
        play(table, clock, after, deltas);
        assert.deepEqual(copyDeltas, deltas);
        assert.deepEqual(copy.encode(), table.encode());
      }),
      { numRuns: admitAfter > 1 ? 20 : 100 },
    );
  });
}

Deno.test("EmbeddingTable() equals a Map and plain arrays when nothing is evicted", () => {
  const steps = fc.array(fc.array(fc.tuple(fc.string({ maxLength: 2 }), fc.integer({ min: -9, max: 9 }))), {
    maxLength: 40,
  });
  fc.assert(fc.property(steps, (batches) => {
    const table = make({ width: 1, initScale: 0, initialAccumulator: 0.5 });
    const model = new Map<string, { w: number; sum: number }>();
    for (const batch of batches) {
      const sums = new Map<string, number>();
      for (const [key, g] of batch) {
        table.accumulate(table.use(key, 0), Float32Array.of(g), 0);
        sums.set(key, (sums.get(key) ?? 0) + g);
      }
      table.step();
      for (const [key, g] of sums) {
        const row = model.get(key) ?? { w: 0, sum: 0.5 };
        if (g !== 0) {
          row.sum = Math.fround(row.sum + g * g);
          row.w = Math.fround(row.w - 0.05 / Math.sqrt(row.sum + 1e-8) * g);
        }
        model.set(key, row);
      }
    }
    assert.equal(table.size, model.size);
    for (const [key, { w }] of model) assert.deepEqual(rowOf(table, table.lookup(key)), [w], key);
  }));
});

Deno.test("EmbeddingTable.decode() changes nothing when the state is truncated or of another table", () => {
  const table = make(), other = make();
  for (let i = 0; i < 20; i++) table.use(`k${i}`, i);
  const state = table.encode(), empty = other.encode();
  for (let length = 0; length < state.length; length += 997) {
    assert.throws(() => other.decode(state.subarray(0, length)), SyntaxError);
  }
  assert.throws(() => make({ seed: 2 }).decode(state), SyntaxError);
  assert.throws(() => make({ width: 3 }).decode(state), SyntaxError);
  assert.throws(() => make({ admitAfter: 2 }).decode(state), SyntaxError);
  assert.deepEqual(other.encode(), empty);
});

Deno.test("EmbeddingTable.encodeDelta() has the rows that changed since the last publication", () => {
  const table = make();
  const published = () => {
    const bytes = table.encodeDelta();
    table.clearChanged();
    const { length, places } = decodeDelta(bytes).keys;
    const key = (n: number) => new TextDecoder().decode(bytes.subarray(places[2 * n], places[2 * n + 1]));
    return Array.from({ length }, (_, n) => key(n));
  };
  for (const key of ["a", "b"]) table.use(key, 0);
  assert.deepEqual(published(), ["a", "b"]);
  assert.deepEqual(published(), []);
  train(table, "b", 0, [0, 0]);
  assert.deepEqual(published(), [], "a zero gradient changes nothing");
  train(table, "b", 0, [1, 0]);
  assert.deepEqual(published(), ["b"]);
});

/** All keys that the actions may have touched. */
function keysOf(list: readonly Action[]): Set<string> {
  return new Set(list.flatMap(({ do: what, key }) => {
    if (what === "flood") return Array.from({ length: 300 }, (_, i) => `f${key}-${i}`);
    return [`${what === "use" ? "s" : "k"}${key}`];
  }));
}

Deno.test("EmbeddingTable.step() with exponent 1 accumulates each use of a row separately", () => {
  const rule = { learningRate: 1, initialAccumulator: 4, exponent: 1 };
  const table = new EmbeddingTable({ name: "first", width: 1, seed: 0, initScale: 0, ...rule });
  const row = table.use("a", 0);
  table.accumulate(row, Float32Array.of(1), 0);
  table.accumulate(row, Float32Array.of(1), 0, -0.5);
  table.step();
  const out = new Float32Array(1);
  table.copyRow(table.lookup("a"), out, 0);
  assert.ok(Math.abs((out[0] ?? NaN) - -0.5 / (4 + 1 + 0.25)) < 1e-6);
});
