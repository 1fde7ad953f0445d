import assert from "node:assert/strict";
import {
  meanReciprocalRank,
  rowFigures,
  taskFigures,
} from "../../../../scripts/research/protocols/figures.ts";

const judged = (labels: readonly number[], predictions: readonly number[]) => ({
  users: new Uint32Array(labels.length),
  labels: Uint8Array.from(labels),
  predictions: Float64Array.from(predictions),
});

Deno.test("meanReciprocalRank() counts a tie as half a place", () => {
  assert.equal(meanReciprocalRank([0.9, 0.1, 0.2, 0.1, 0.9, 0.1], 3), (1 + 1 / 2.5) / 2);
  assert.equal(meanReciprocalRank(new Float64Array(10).fill(0.2), 5), 1 / 3);
  assert.equal(meanReciprocalRank([], 5), null);
});

Deno.test("taskFigures() of a constant are those of chance, and NE is 1 when the constant is the rate", () => {
  const figures = taskFigures(judged([1, 0, 0, 0, 0], [0.2, 0.2, 0.2, 0.2, 0.2]), 5);
  assert.equal(figures["auc"], 0.5);
  assert.equal(figures["gauc"], 0.5);
  assert.equal(figures["mrr"], 1 / 3);
  assert.ok(Math.abs((figures["ne"] ?? 0) - 1) < 1e-12);
});

Deno.test("rowFigures() of a perfect order are 1", () => {
  const figures = rowFigures(judged([1, 0, 1], [0.8, 0.3, 0.6]));
  assert.equal(figures["auc"], 1);
  assert.equal(figures["prAuc"], 1);
  assert.equal(figures["accuracy"], 1);
});
