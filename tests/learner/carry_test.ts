/** Learnt weights survive the adding and removing of inputs, which are matched by name. */

import assert from "node:assert/strict";
import { mulberry32 } from "../../src/draws/random.ts";
import { modelSizes } from "../../src/features/rows/assembler.ts";
import type { FeatureSchema } from "../../src/features/schema.ts";
import { carriedPlaces } from "../../src/learner/carried_inputs.ts";
import { Learner } from "../../src/learner/learner.ts";
import { auc } from "../../src/metrics/ranking.ts";
import { createModel, MODEL_NAMES, type ModelName } from "../../src/nn/models/registry.ts";
import { Rows } from "../../src/samples/rows.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { ServingModel } from "../../src/serving/serving_model.ts";
import { batches, makeSamples, SCHEMA, WIDTH } from "./batches.ts";

/** With inputs before, between and after those of {@linkcode SCHEMA}. */
const WIDER: FeatureSchema = {
  ...SCHEMA,
  userFields: ["country", "age"],
  itemFields: ["brand", "band", "shape[3]"],
  contextFields: ["surface", "hour"],
  crosses: ["brand"],
};

function learnerOf(name: ModelName, schema: FeatureSchema): Learner {
  const model = createModel(name, modelSizes(schema, WIDTH), {} as never, mulberry32(0));
  return new Learner(model, { schema, embeddingWidth: WIDTH });
}

/** Samples under the wider schema. @param fill what the added fields hold, and the added numeric */
function widened(samples: readonly Sample[], fill: string | null = null, numeric = 0): Sample[] {
  return samples.map((sample) => ({
    ...sample,
    userFields: [fill, ...sample.userFields],
    contextFields: [fill, ...sample.contextFields],
    rows: Rows.of(sample.rows.map((row) => ({
      ...row,
      fields: [fill, ...row.fields, null],
      numerics: Float32Array.from([...row.numerics, numeric]),
    }))),
  }));
}

function predictions(learner: Learner, schema: FeatureSchema, samples: readonly Sample[]): number[] {
  const { name } = learner.model;
  const model = createModel(name as ModelName, modelSizes(schema, WIDTH), {} as never, mulberry32(0));
  const serving = new ServingModel(model, schema, WIDTH);
  assert.ok(serving.apply(learner.version("full", 1, 0)));
  return samples.flatMap((sample) => [...serving.score(sample)]);
}

function close(one: readonly number[], other: readonly number[]): void {
  assert.equal(one.length, other.length);
  for (const [i, value] of one.entries()) {
    assert.ok(Math.abs(value - other[i]!) < 1e-5, `${value}, ${other[i]}`);
  }
}

for (const name of MODEL_NAMES) {
  Deno.test(`Learner.carry() of ${name}: adding inputs without values or removing them changes no prediction`, () => {
    const before = learnerOf(name, SCHEMA);
    for (const batch of batches(makeSamples(160))) before.learn(batch);
    const judged = makeSamples(20, 2);
    const wider = learnerOf(name, WIDER);
    const anew = wider.carry(before);
    assert.ok(anew.includes("brand") || anew.some((table) => table.includes("brand")), anew.join(" "));
    assert.ok(!anew.some((table) => table.includes("band")), anew.join(" "));
    close(predictions(wider, WIDER, widened(judged)), predictions(before, SCHEMA, judged));

    // What the added inputs have learnt goes with them.
    for (const batch of batches(widened(makeSamples(80, 3), "x"))) wider.learn(batch);
    const narrow = learnerOf(name, SCHEMA);
    narrow.carry(wider);
    close(predictions(narrow, SCHEMA, judged), predictions(wider, WIDER, widened(judged)));
  });

  Deno.test(`Learner.carry() of ${name} to the same inputs gives the learner's own bytes, also after more batches`, () => {
    const before = learnerOf(name, SCHEMA);
    const [first, second] = [batches(makeSamples(80)), batches(makeSamples(80, 2))];
    for (const batch of first) before.learn(batch);
    const after = learnerOf(name, SCHEMA);
    assert.deepEqual(after.carry(before), []);
    after.steps = before.steps;
    assert.deepEqual(after.encode(), before.encode());
    for (const batch of second) for (const learner of [before, after]) learner.learn(batch);
    assert.deepEqual(after.encode(), before.encode());
  });
}

Deno.test("Learner.carry() to more inputs ranks the next rows better than a new model does", () => {
  const before = learnerOf("base", SCHEMA);
  for (const batch of batches(makeSamples(1500))) before.learn(batch);
  const carried = learnerOf("base", WIDER);
  carried.carry(before);
  const anew = learnerOf("base", WIDER);
  // 1,000 rows, each judged before it is learnt.
  const next = widened(makeSamples(250, 5), "x");
  const labels = next.flatMap(({ rows }) => rows.map(({ label }) => label));
  const judge = (learner: Learner) =>
    auc(
      labels,
      batches(next).flatMap((batch) => {
        const predicted = predictions(learner, WIDER, batch);
        learner.learn(batch);
        return predicted;
      }),
    )!;
  const [withPast, withoutPast] = [judge(carried), judge(anew)];
  assert.ok(withPast > withoutPast + 0.05, `${withPast.toFixed(3)}, anew ${withoutPast.toFixed(3)}`);
});

Deno.test("Learner.carry() refuses another model", () => {
  assert.throws(() => learnerOf("base", SCHEMA).carry(learnerOf("din", SCHEMA)), /weights of din as base/);
});

Deno.test("carriedPlaces() refuses models whose inputs differ and cannot be matched by name", () => {
  const named = (name: ModelName, embeddingWidth = WIDTH) => {
    const { parameters } = createModel(name, modelSizes(SCHEMA, embeddingWidth), {} as never, mulberry32(0));
    return { parameters, schema: SCHEMA, embeddingWidth };
  };
  const places = carriedPlaces(named("din"), named("din"));
  assert.deepEqual(places, Int32Array.from(places, (_, at) => at));
  assert.throws(() => carriedPlaces(named("din"), named("din", 2 * WIDTH)), RangeError);
  assert.throws(
    () => carriedPlaces(named("base"), named("din")),
    /Cannot carry weights to a model with \d+ inputs/,
  );
});
