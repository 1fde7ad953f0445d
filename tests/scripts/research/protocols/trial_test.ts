import assert from "node:assert/strict";
import { batches, judgedFrom, Trial } from "../../../../scripts/research/protocols/trial.ts";
import { Rows } from "../../../../src/samples/rows.ts";
import type { FeatureSchema } from "../../../../src/features/schema.ts";
import type { Sample } from "../../../../src/samples/sample.ts";

const SCHEMA: FeatureSchema = {
  userFields: [],
  itemFields: [],
  contextFields: [],
  crosses: [],
  numerics: ["x"],
};

/** Users click item i0 and never i1; two rows per sample. */
function samples(count: number): Sample[] {
  const rows = ([1, 0] as const).map((label, i) => ({
    item: `i${i}`,
    categories: ["c"],
    fields: [],
    numerics: Float32Array.of(i),
    offset: 0,
    position: -1,
    label,
    propensity: 1,
    prediction: NaN,
    oracle: NaN,
  }));
  return Array.from({ length: count }, (_, n) => ({
    request: `r${n}`,
    user: `u${n % 3}`,
    time: n,
    closedTime: n,
    version: 0,
    newUser: true,
    history: {
      items: ["i2"],
      categories: [["c"]],
      actions: ["click"],
      times: Float64Array.of(0),
      strengths: Float32Array.of(1),
    },
    userFields: [],
    contextFields: [],
    rows: Rows.of(rows),
  }));
}

const trial = () => new Trial({ schema: SCHEMA, model: "din", config: { batchRows: 8 }, seed: 3 });

Deno.test("batches() ends a batch once it has enough rows", () => {
  const sizes = [...batches(samples(10), 5)].map((batch) => batch.length);
  assert.deepEqual(sizes, [3, 3, 3, 1]);
});

Deno.test("Trial.progress() predicts a batch before it learns it", () => {
  const all = samples(12);
  const flipped = all.map((sample, at) =>
    at < 8 ? sample : {
      ...sample,
      rows: Rows.of(sample.rows.map((row) => ({ ...row, label: row.label === 1 ? 0 : 1 } as const))),
    }
  );
  // Samples 8 to 11 are the third batch: their labels cannot change any prediction.
  assert.deepEqual(trial().progress(flipped).predictions, trial().progress(all).predictions);
});

Deno.test("Trial.predict() changes nothing, and follows what was learnt", () => {
  const tried = trial();
  tried.learn(samples(200));
  const { predictions, labels, users } = tried.predict(samples(4));
  assert.deepEqual([...labels], [1, 0, 1, 0, 1, 0, 1, 0]);
  assert.deepEqual([...users], [0, 0, 1, 1, 2, 2, 0, 0]);
  predictions.forEach((prediction, row) =>
    assert.ok(labels[row] === 1 ? prediction > 0.6 : prediction < 0.4)
  );
  assert.deepEqual(tried.predict(samples(4)).predictions, predictions);
});

Deno.test("Trial with the same seed gives the same bits", () => {
  assert.deepEqual(trial().progress(samples(40)), trial().progress(samples(40)));
});

Deno.test("judgedFrom() cuts between samples", () => {
  const all = samples(5);
  const judged = trial().predict(all);
  assert.deepEqual(judgedFrom(judged, all, 4).predictions, judged.predictions.slice(8));
});
