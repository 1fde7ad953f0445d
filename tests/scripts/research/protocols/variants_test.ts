import assert from "node:assert/strict";
import { VARIANTS } from "../../../../scripts/research/protocols/variants.ts";
import { Rows } from "../../../../src/samples/rows.ts";
import type { Sample } from "../../../../src/samples/sample.ts";

const T = 12;
const SAMPLE: Sample = {
  request: "r1",
  user: "ann",
  time: 2000,
  closedTime: 2000,
  version: 1,
  newUser: false,
  history: {
    items: Array.from({ length: T }, (_, t) => `i${t}`),
    categories: Array.from({ length: T }, (_, t) => [`c${t}`]),
    actions: Array.from({ length: T }, (_, t) => `a${t}`),
    times: Float64Array.from({ length: T }, (_, t) => 100 * t),
    strengths: Float32Array.from({ length: T }, (_, t) => t),
  },
  userFields: [],
  contextFields: [],
  rows: Rows.of([{ item: "x", label: 1 }]),
};
const changed = (name: string, sample = SAMPLE) =>
  VARIANTS.find((variant) => variant.name === name)!.samples!([sample])[0]!;

Deno.test("VARIANTS shuffle all columns of a history alike, each sample in its own order, at the same times", () => {
  const { history, rows } = changed("DIEN, shuffled history");
  const order = history.items.map((item) => Number(item.slice(1)));
  assert.deepEqual(order.toSorted((a, b) => a - b), Array.from({ length: T }, (_, t) => t));
  assert.notDeepEqual(order, order.toSorted((a, b) => a - b));
  assert.deepEqual(history.categories, order.map((t) => [`c${t}`]));
  assert.deepEqual(history.actions, order.map((t) => `a${t}`));
  assert.deepEqual([...history.strengths], order);
  assert.deepEqual(history.times, SAMPLE.history.times);
  assert.equal(rows, SAMPLE.rows);
  assert.deepEqual(changed("DIEN, shuffled history").history.items, history.items);
  assert.notDeepEqual(
    changed("MIMN, shuffled history", { ...SAMPLE, request: "r2" }).history.items,
    history.items,
  );
});

Deno.test("VARIANTS without history keep the rest of a sample", () => {
  const { history, ...rest } = changed("Base, without history");
  const { history: _, ...kept } = SAMPLE;
  assert.equal(history.items.length + history.times.length, 0);
  assert.deepEqual(rest, kept);
});

Deno.test("VARIANTS have distinct names", () => {
  assert.equal(new Set(VARIANTS.map(({ name }) => name)).size, VARIANTS.length);
});
