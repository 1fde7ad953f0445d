import assert from "node:assert/strict";
import { Rows } from "../../src/samples/rows.ts";
import { ScoredRows } from "../../src/scorer/scored_rows.ts";

const head = {
  request: "r",
  stage: "unconfirmed" as const,
  time: 0,
  deadline: 1,
  sequence: 0,
  version: 1,
  newUser: true,
  userFields: [],
  contextFields: [],
  history: {
    items: [],
    categories: [],
    actions: [],
    times: new Float64Array(0),
    strengths: new Float32Array(0),
  },
};

/** A list whose features tell which item they belong to. */
function scored(rows: Rows, logits: readonly number[], isNewest = () => true): ScoredRows {
  rows.clear(logits.length);
  for (const row of logits.keys()) {
    rows.numerics.fill(row, row * rows.width, (row + 1) * rows.width);
    rows.add({ index: row, id: `i${row}`, categories: [], fields: [] }, 10 + row, 0);
  }
  return new ScoredRows({ head }, rows, Float32Array.from(logits), isNewest);
}

Deno.test("ScoredRows.awaitingPlaces() copies all rows, which expire once the next list is scored", () => {
  const scratch = new Rows(0, 2);
  let isNewest = true;
  const list = scored(scratch, [0.5, 1, 2], () => isNewest);
  assert.deepEqual(list.rows.map(({ position }) => position), [-1, -1, -1]);
  const all = list.awaitingPlaces();
  scored(scratch, [7]);
  isNewest = false;
  assert.deepEqual([0, 1, 2].map((row) => all.logit(row)), [0.5, 1, 2]);
  const { item, numerics, offset, position, propensity } = all.at(1);
  assert.deepEqual([item, [...numerics], offset, position, propensity], ["i1", [1, 1], 11, 0, 1]);
  assert.ok(all.isOpen(1));
  assert.throws(() => list.rows, /scored another one since/);
  assert.throws(() => list.awaitingPlaces(), /scored another one since/);
});

Deno.test("ScoredRows.logits fall back to the prior where the model's are not finite", () => {
  assert.deepEqual([...scored(new Rows(0, 1), [NaN, 0.5, Infinity]).logits], [10, 0.5, 12]);
});
