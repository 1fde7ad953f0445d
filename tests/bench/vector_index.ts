/**
 * Nearest item vectors by the index and by looking at all: recall of the best 200, processor time of a search and of a
 * behaviour and the longest piece of upkeep.
 *
 * `deno run -A --v8-flags=--no-wasm-bounds-checks tests/bench/vector_index.ts [items, 100000] [behaviours an item, 10]`
 *
 * _Learnt_ are vectors of people who wander among subjects of 200 items, of which ever more are there: two copies learn
 * from the same behaviours, and differ in the search alone. _Drawn_ are a mixture of normal distributions of 100 each,
 * of sizes that differ, which no people would make: the worst that the index was tried on.
 *
 * @module
 */

import process from "node:process";
import { createKernels } from "../../src/nn/kernels/choose.ts";
import { ContextBuffer } from "../../src/retrieval/signals/context.ts";
import { ItemScores } from "../../src/retrieval/items/item_scores.ts";
import { ItemVectors } from "./item_vectors.ts";
import { Nearest } from "../../src/vectors/nearest.ts";
import type { Signal } from "../../src/retrieval/signals/signal.ts";
import { VectorIndex } from "../../src/vectors/vector_index.ts";
import { mulberry32 } from "../../src/draws/random.ts";

const D = 32;
const BEST = 200;
const QUERIES = 100;
/** The search is by the index from here on, for 100,000 items too. */
const EXACT = 20_000;
/** The longest behaviours are collections of garbage, with and without an index. */
const SLOWEST = 50;
const MINUTE = 60_000;
const items = Number(Deno.args[0] ?? 100_000);
const behaviours = items * Number(Deno.args[1] ?? 10);

/** People who stay at a subject, go on to one beside it, or come back for another. */
function* people(): Generator<Signal> {
  const random = mulberry32(1);
  const subjects = Math.floor(items / 200);
  const users = Array.from({ length: 2000 }, () => ({
    subject: Math.floor(random() * subjects),
    before: [] as { readonly item: number; readonly time: number }[],
  }));
  for (let n = 0; n < behaviours; n++) {
    const number = Math.floor(random() * users.length);
    const user = users[number]!;
    const way = random();
    if (way < 0.05) {
      user.subject = Math.floor(subjects * random() ** 1.5);
      user.before = [];
    } else if (way < 0.25) user.subject = (user.subject + 1 + Math.floor(random() * 3)) % subjects;
    const there = Math.max(1, Math.floor(200 * Math.min(1, 0.05 + 1.2 * n / behaviours)));
    const item = random() < 0.02
      ? Math.floor(random() * items)
      : user.subject * 200 + Math.floor(there * random() ** 2);
    const context = new ContextBuffer(user.before.length);
    for (const each of user.before) context.push(each.item, each.time, true);
    const time = n * MINUTE / 100;
    yield { user: String(number), item, time, liked: true, wanted: true, context, step: null };
    user.before = [{ item, time }, ...user.before].slice(0, 20);
  }
}

/** Processor time so far, microseconds. */
function micros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

function learnt(): void {
  const byIndex = new ItemVectors({ dimensions: D, items, exact: EXACT });
  const byAll = new ItemVectors({ dimensions: D, items, exact: items });
  const took = { byIndex: 0, byAll: 0 };
  const longest = { byIndex: new Nearest(SLOWEST), byAll: new Nearest(SLOWEST) };
  let last: Signal[] = [];
  const learn = (vectors: ItemVectors, signals: readonly Signal[], slow: Nearest) => {
    const begun = micros();
    let before = performance.now();
    for (const signal of signals) {
      vectors.learn(signal);
      const now = performance.now();
      if (now - before > slow.border) slow.add(0, now - before);
      before = now;
    }
    return micros() - begun;
  };
  const flush = (signals: Signal[]) => {
    took.byAll += learn(byAll, signals, longest.byAll);
    took.byIndex += learn(byIndex, signals, longest.byIndex);
    last = signals;
  };
  let batch: Signal[] = [];
  for (const signal of people()) {
    if (batch.push(signal) < 10_000) continue;
    flush(batch);
    batch = [];
  }
  const asked = last.filter(({ context }) => context.size > 3).slice(0, QUERIES);
  const found = (vectors: ItemVectors) => {
    const scores = new ItemScores();
    scores.touch(items - 1);
    const begun = micros();
    const lists = asked.map(({ context, time }) => {
      scores.clear();
      vectors.score(context, time, scores);
      return new Set(scores.items());
    });
    return { lists, took: (micros() - begun) / asked.length };
  };
  found(byIndex);
  const [some, all] = [found(byIndex), found(byAll)];
  const recall = all.lists.map((best, n) =>
    [...best].filter((item) => some.lists[n]!.has(item)).length / best.size
  );
  const mean = recall.reduce((sum, share) => sum + share) / recall.length;
  print(`learnt, ${byIndex.size} of ${items} items after ${behaviours} behaviours`);
  print(
    `  recall@${BEST} ${mean.toFixed(4)}, of the worst of ${asked.length} searches ${
      Math.min(...recall).toFixed(3)
    }`,
  );
  print(`  a search ${some.took.toFixed(0)} µs of the processor, of all ${all.took.toFixed(0)} µs`);
  const each = (sum: number) => (sum / behaviours).toFixed(2);
  print(`  a behaviour ${each(took.byIndex)} µs, without index ${each(took.byAll)} µs`);
  const slow = (of: Nearest) => {
    of.cut();
    return Math.min(...Array.from({ length: of.size }, (_, k) => of.scoreAt(k))).toFixed(2);
  };
  print(`  the ${SLOWEST}th longest ${slow(longest.byIndex)} ms, without index ${slow(longest.byAll)} ms`);
}

function drawn(): void {
  const random = mulberry32(3);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const centres = Float32Array.from({ length: D * Math.floor(items / 100) }, normal);
  const near = (centre: number) =>
    Float32Array.from({ length: D }, (_, k) => centres[centre * D + k]! + 0.6 * normal());
  const aCentre = () => Math.floor(random() * centres.length / D);
  const make = (exact: number) =>
    new VectorIndex({ dimensions: D, capacity: items, exact }, createKernels("simd"));
  const [byIndex, byAll] = [make(EXACT), make(items)];
  for (let place = 0; place < items; place++) {
    const size = Math.exp(0.3 * normal());
    const vector = near(aCentre()).map((x) => size * x);
    for (const index of [byIndex, byAll]) {
      index.add(place);
      index.values.set(vector, index.offset(place));
      index.changed(place);
      index.tend();
    }
  }
  const queries = Array.from({ length: QUERIES }, () => near(aCentre()));
  let looked = 0;
  const found = (index: VectorIndex) => {
    const begun = micros();
    const lists = queries.map((query) => {
      const nearest = index.nearest(query, BEST);
      looked = index.looked;
      return new Set(Array.from({ length: nearest.size }, (_, k) => nearest.placeAt(k)));
    });
    return { lists, took: (micros() - begun) / QUERIES };
  };
  const [all, some] = [found(byAll), found(byIndex)];
  const hits = all.lists.reduce(
    (sum, best, n) => sum + [...best].filter((p) => some.lists[n]!.has(p)).length,
    0,
  );
  print(`drawn, ${items} vectors in ${byIndex.lists} lists`);
  print(`  recall@${BEST} ${(hits / BEST / QUERIES).toFixed(4)}, the last search looked at ${looked}`);
  print(`  a search ${some.took.toFixed(0)} µs of the processor, of all ${all.took.toFixed(0)} µs`);
}

learnt();
drawn();
