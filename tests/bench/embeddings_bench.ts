/**
 * Look-ups, uses and training steps of an embedding table of 100 000 ids, beside a Map and one array per
 * row. Keys are made anew for each run, as they are when they come out of decoded events: a Map is much
 * faster on the very same string objects, whose hash it finds inside of them.
 *
 * `deno bench -A tests/bench/embeddings_bench.ts`; each iteration is 100 000 operations, so 10 ms is
 * 10 million a second.
 *
 * @module
 */

import { ServingTable } from "../../src/embeddings/serving_table.ts";
import { EmbeddingTable } from "../../src/embeddings/table.ts";

const IDS = 100_000;
const WIDTH = 16;

// Used in another order than they came in, so that neighbours in time are not neighbours in memory.
const order = Uint32Array.from({ length: IDS }, (_, i) => (i * 48_271) % IDS);
const decoder = new TextDecoder();
const encoded = Array.from(order, (n) => new TextEncoder().encode(`item-${n}`));
const out = new Float32Array(WIDTH);
const gradient = new Float32Array(WIDTH).fill(0.01);

/** Keys as a decoder makes them: new strings, without a hash. */
function freshKeys(): string[] {
  return encoded.map((bytes) => decoder.decode(bytes));
}

interface NaiveRow {
  readonly values: Float32Array;
  accumulator: number;
  lastUse: number;
}

function newRow(): NaiveRow {
  return { values: new Float32Array(WIDTH).fill(0.01), accumulator: 0, lastUse: 0 };
}

const table = new EmbeddingTable({ name: "item", width: WIDTH, seed: 1 });
const naive = new Map<string, NaiveRow>();
for (let i = 0; i < IDS; i++) {
  table.use(`item-${i}`, 0);
  naive.set(`item-${i}`, newRow());
}
const served = new ServingTable("item", WIDTH);
served.applyDelta(table.encodeServing());

Deno.bench({
  name: "Map and arrays",
  group: "look up and copy 100k rows",
  baseline: true,
  fn(bench) {
    const keys = freshKeys();
    bench.start();
    for (const key of keys) {
      const row = naive.get(key);
      if (row !== undefined) out.set(row.values, 0);
    }
    bench.end();
  },
});

Deno.bench({
  name: "ServingTable",
  group: "look up and copy 100k rows",
  fn(bench) {
    const keys = freshKeys();
    bench.start();
    for (const key of keys) served.copyRow(served.lookup(key), out, 0);
    bench.end();
  },
});

Deno.bench({
  name: "Map and arrays",
  group: "use 100k known ids",
  baseline: true,
  fn(bench) {
    const keys = freshKeys();
    bench.start();
    let time = 0;
    for (const key of keys) {
      const row = naive.get(key);
      if (row !== undefined) row.lastUse = Math.max(row.lastUse, time++);
    }
    bench.end();
  },
});

Deno.bench({
  name: "EmbeddingTable",
  group: "use 100k known ids",
  fn(bench) {
    const keys = freshKeys();
    bench.start();
    let time = 0;
    for (const key of keys) table.use(key, time++);
    bench.end();
  },
});

Deno.bench({
  name: "Map and arrays",
  group: "use 100k new ids",
  baseline: true,
  fn(bench) {
    const keys = freshKeys();
    const fresh = new Map<string, NaiveRow>();
    bench.start();
    for (const key of keys) if (!fresh.has(key)) fresh.set(key, newRow());
    bench.end();
  },
});

Deno.bench({
  name: "EmbeddingTable",
  group: "use 100k new ids",
  fn(bench) {
    const keys = freshKeys();
    const fresh = new EmbeddingTable({ name: "item", width: WIDTH, seed: 1 });
    bench.start();
    for (const key of keys) fresh.use(key, 0);
    bench.end();
  },
});

const rows = Uint32Array.from(freshKeys(), (key) => table.lookup(key));

Deno.bench({
  name: "Map and arrays",
  group: "train 100k rows in batches of 1000",
  baseline: true,
  fn() {
    const sums = new Map<NaiveRow, Float32Array>();
    const all = [...naive.values()];
    all.forEach((row, i) => {
      const sum = sums.get(row);
      if (sum === undefined) sums.set(row, gradient.slice());
      else for (let k = 0; k < WIDTH; k++) sum[k]! += gradient[k]!;
      if (i % 1000 !== 999) return;
      for (const [touched, g] of sums) {
        let squares = 0;
        for (let k = 0; k < WIDTH; k++) squares += g[k]! * g[k]!;
        touched.accumulator += squares / WIDTH;
        const rate = 0.05 / Math.sqrt(touched.accumulator + 1e-8);
        for (let k = 0; k < WIDTH; k++) touched.values[k]! -= rate * g[k]!;
      }
      sums.clear();
    });
  },
});

Deno.bench({
  name: "EmbeddingTable",
  group: "train 100k rows in batches of 1000",
  fn() {
    for (let i = 0; i < rows.length; i++) {
      table.accumulate(rows[i]!, gradient, 0);
      if (i % 1000 === 999) table.step();
    }
  },
});

Deno.bench({
  name: "EmbeddingTable.encodeDelta() of 1000 changed rows",
  group: "publish",
  fn(bench) {
    table.clearChanged();
    for (let i = 0; i < 1000; i++) table.accumulate(rows[i]!, gradient, 0);
    table.step();
    bench.start();
    table.encodeDelta();
    bench.end();
  },
});

Deno.bench({
  name: "EmbeddingTable.encode() of 100k rows",
  group: "publish",
  fn() {
    table.encode();
  },
});
