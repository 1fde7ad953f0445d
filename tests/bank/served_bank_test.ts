import assert from "node:assert/strict";
import { BANK_TABLES, BANK_WIDTH } from "../../src/bank/bank_tables.ts";
import { EmaBank } from "../../src/bank/ema_bank.ts";
import { ServedBank } from "../../src/bank/served_bank.ts";
import { EmbeddingTable } from "../../src/embeddings/table.ts";
import { mulberry32 } from "../../src/draws/random.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import { Learner } from "../../src/learner/learner.ts";
import { createKernels } from "../../src/nn/kernels/choose.ts";
import { createModel } from "../../src/nn/models/registry.ts";
import { nextSample, type Sample } from "../../src/samples/sample.ts";
import { decodeSample, encodeSample } from "../../src/samples/sample_codec.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { decodeVersion, encodeVersion } from "../../src/serving/version.ts";

const WIDTH = 4;
const newModel = () => createModel("base", modelSizes(DEFAULT_SCHEMA, WIDTH), {}, mulberry32(1));
const newLearner = () =>
  new Learner(newModel(), { schema: DEFAULT_SCHEMA, embeddingWidth: WIDTH, learnsNext: true });

/** Samples of users who go round in circles of five items. */
function circles(count: number, seed: number, wide = 8): Sample[] {
  const random = mulberry32(seed);
  return Array.from({ length: count }, (_, n) => {
    const circle = Math.floor(random() * wide), place = Math.floor(random() * 5);
    const items = [0, 1, 2].map((step) => `${circle}.${(place + step) % 5}`);
    return nextSample(`u${n}`, `${circle}.${(place + 3) % 5}`, 10_000 + n, {
      items,
      categories: items.map(() => []),
      actions: items.map(() => ""),
      times: Float64Array.from(items, (_, t) => 9000 + n + t),
      strengths: Float32Array.from(items, () => 1),
    });
  });
}

/** Number of items in the served bank. */
function sizeOf({ bank }: ServingModel): number {
  return bank?.size ?? 0;
}

/** The items with the largest scores, best first. */
function best(bank: ServedBank, items: readonly string[], limit: number): string[] {
  bank.ask({ items, strengths: items.map(() => 1), gapMs: 1000 });
  const nearest = bank.nearest(limit);
  const found = Array.from({ length: nearest.size }, (_, k) => ({
    item: bank.itemOf(nearest.placeAt(k)),
    score: nearest.scoreAt(k),
  }));
  for (const { item, score } of found) assert.ok(Math.abs(bank.score(bank.rowOf(item)) - score) < 1e-4, item);
  return found.sort((a, b) => b.score - a.score).map(({ item }) => item);
}

Deno.test("a bank is served by the versions of its learner, and predicts what comes next", () => {
  const learner = newLearner();
  const serving = new ServingModel(newModel(), DEFAULT_SCHEMA, WIDTH);
  assert.equal(serving.apply(decodeVersion(encodeVersion(learner.version("full", 1, 0)))), true);
  const samples = circles(1920, 1);
  for (let at = 0; at < samples.length; at += 64) {
    const { nexts, rows } = learner.learn(samples.slice(at, at + 64));
    assert.deepEqual({ nexts, rows }, { nexts: 64, rows: 0 });
    serving.apply(decodeVersion(encodeVersion(learner.version("delta", serving.version + 1))));
  }
  assert.ok(serving.bank !== undefined);
  assert.equal(serving.bank.size, 40);
  // Newest first.
  assert.equal(best(serving.bank, ["3.2", "3.1", "3.0"], 5)[0], "3.3");
  assert.equal(best(serving.bank, ["6.0", "6.4", "6.3"], 5)[0], "6.1");
});

Deno.test("a bank built from deltas answers like one from a full version", () => {
  const learner = newLearner();
  const [steady, late] = [0, 1].map(() => new ServingModel(newModel(), DEFAULT_SCHEMA, WIDTH));
  assert.ok(steady && late);
  const samples = circles(1280, 2, 1200);
  for (let at = 0; at < samples.length; at += 64) {
    learner.learn(samples.slice(at, at + 64));
    steady.apply(learner.version(at === 0 ? "full" : "delta", at / 64 + 1));
  }
  late.apply(learner.version("full", 21, 20));
  assert.ok(steady.bank && late.bank);
  assert.equal(steady.bank.size, late.bank.size);
  assert.ok(late.bank.size > 500);
  for (const { history } of samples.slice(0, 20)) {
    const items = history.items.toReversed();
    assert.deepEqual(best(steady.bank, items, 10), best(late.bank, items, 10));
  }
});

Deno.test("a learner with a bank goes on bit for bit after decode()", () => {
  const samples = circles(256, 3);
  const [one, two] = [newLearner(), newLearner()];
  one.learn(samples.slice(0, 128));
  two.decode(one.encode());
  for (const learner of [one, two]) learner.learn(samples.slice(128));
  assert.deepEqual(two.encode(), one.encode());
});

Deno.test("decodeSample() restores what came next", () => {
  const [sample] = circles(1, 4);
  assert.ok(sample);
  const decoded = decodeSample(encodeSample(sample));
  assert.deepEqual({ ...decoded, ...sample }, decoded);
});

Deno.test("a version without a bank removes the bank, and a later full version brings it back", () => {
  const learner = newLearner();
  const serving = new ServingModel(newModel(), DEFAULT_SCHEMA, WIDTH);
  learner.learn(circles(64, 5));
  serving.apply(learner.version("full", 1, 0));
  assert.ok(sizeOf(serving) > 0);
  const without = new Learner(newModel(), { schema: DEFAULT_SCHEMA, embeddingWidth: WIDTH });
  without.learn(circles(64, 5)); // does not learn what came next
  serving.apply(without.version("full", 2, 1));
  assert.equal(sizeOf(serving), 0);
  serving.apply(learner.version("full", 3, 2));
  assert.ok(sizeOf(serving) > 0);
});

Deno.test("Learner.decode() drops a bank that is not wanted, and starts a missing one afresh", () => {
  const [one, two] = [newLearner(), newLearner()];
  const without = new Learner(newModel(), { schema: DEFAULT_SCHEMA, embeddingWidth: WIDTH });
  one.learn(circles(64, 6));
  without.decode(one.encode());
  assert.equal(without.version("full", 1, 0).parts, undefined);
  two.learn(circles(64, 7));
  two.decode(without.encode());
  assert.deepEqual(two.version("full", 1, 0).parts, newLearner().version("full", 1, 0).parts);
});

Deno.test("ServedBank.nearest() finds the largest scores as items come and go", () => {
  const table = new EmbeddingTable({ name: BANK_TABLES.out, width: BANK_WIDTH + 1, seed: 1, initScale: 1 });
  const bank = new ServedBank("plain");
  const publish = () => {
    const staged = bank.stage(BANK_TABLES.out, table.encodeDelta());
    table.clearChanged();
    staged.find(Infinity);
    staged.commit();
  };
  const present = new Set<string>();
  const random = mulberry32(9);
  for (let round = 0; round < 30; round++) {
    for (let n = 0; n < 40; n++) {
      const item = `i${Math.floor(random() * 300)}`;
      if (present.delete(item)) table.remove(item);
      else {
        present.add(item);
        table.use(item, round);
      }
    }
    publish();
    assert.equal(bank.size, present.size);
    bank.ask({ items: [], strengths: [], gapMs: 0 });
    const scoreOf = (item: string) => bank.score(bank.rowOf(item));
    const sorted = [...present].sort((a, b) => scoreOf(b) - scoreOf(a));
    for (const limit of [10, 1000]) {
      const nearest = bank.nearest(limit);
      const found = Array.from({ length: nearest.size }, (_, k) => bank.itemOf(nearest.placeAt(k)));
      assert.deepEqual(new Set(found), new Set(sorted.slice(0, limit)));
    }
  }
});

Deno.test("ServedBank.set() refuses weights of the wrong length", () => {
  const bank = new ServedBank("plain");
  const { length } = new EmaBank(BANK_WIDTH, () => 0, createKernels("plain")).parameters.values;
  bank.set(new Float32Array(length));
  for (const wrong of [0, length - 1, length + 1]) {
    assert.throws(() => bank.set(new Float32Array(wrong)), RangeError);
  }
});
