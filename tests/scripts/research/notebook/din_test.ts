import assert from "node:assert/strict";
import { NotebookDin } from "../../../../scripts/research/notebook/din.ts";
import { type NotebookSamples, UNKNOWN_GENRE } from "../../../../scripts/research/notebook/samples.ts";
import { createRandom } from "../../../../src/draws/random_source.ts";

const ROWS = Int32Array.of(0, 1, 2, 3, 4);

/** Five rows with repeated ids, short histories and an unknown genre. */
function samples(): NotebookSamples {
  const random = createRandom(3);
  const numbers = (length: number): Float32Array => Float32Array.from({ length }, () => 2 * random() - 1);
  return {
    rows: 5,
    user: Int32Array.of(1, 2, 1, 30_000, 5),
    userGenre: Int32Array.of(0, 3, 3, UNKNOWN_GENRE, 4),
    userNumbers: numbers(15),
    movie: Int32Array.of(7, 8, 7, 1000, 9),
    movieGenre: Int32Array.of(1, UNKNOWN_GENRE, 2, 2, 5),
    movieNumbers: numbers(20),
    history: Int32Array.of(7, 8, 9, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1000, 8, 7, 2, 3, 9, 9, 4, 0, 0),
    labels: Float32Array.of(1, 0, 0, 1, 1),
  };
}

Deno.test("NotebookDin.loss() has the gradients of central differences", () => {
  const data = samples();
  const model = new NotebookDin(createRandom(5));
  // Slopes (and biases, which also begin at zero) near 1 leave no kink within epsilon that would show.
  const random = createRandom(6);
  for (const { values } of model.blocks) {
    values.forEach((w, o) => values[o] = w === 0 ? 0.95 + 0.1 * random() : w + 0.3 * (random() - 0.5));
  }
  model.loss(data, ROWS);
  const found = model.blocks.map(({ adam }) => adam.gradients.slice());
  const epsilon = 2e-3;
  model.blocks.forEach(({ values }, b) => {
    const gradients = found[b]!;
    const touched = [...gradients.keys()].filter((o) => gradients[o] !== 0);
    assert.ok(touched.length > 0);
    const every = Math.max(1, Math.floor(touched.length / 60));
    for (const o of touched.filter((_, i) => i % every === 0)) {
      const weight = values[o]!;
      values[o] = weight + epsilon;
      const above = model.loss(data, ROWS);
      values[o] = weight - epsilon;
      const below = model.loss(data, ROWS);
      values[o] = weight;
      const expected = (above - below) / (2 * epsilon);
      const got = gradients[o]!;
      // A PReLU may have its kink within epsilon: a bound, not an equality.
      assert.ok(
        Math.abs(got - expected) < 2e-3 + 0.05 * Math.abs(expected),
        `block ${b}, ${o}: ${got}, ${expected}`,
      );
    }
  });
});

Deno.test("NotebookDin.learn() keeps the vector of an unknown genre at zero", () => {
  const data = samples();
  const model = new NotebookDin(createRandom(1));
  for (let step = 0; step < 20; step++) model.learn(data, ROWS);
  for (const { values } of model.blocks.slice(3)) {
    assert.ok(values.subarray(UNKNOWN_GENRE * 10).every((w) => w === 0));
  }
});

Deno.test("NotebookDin.learn() fits a few rows, and the same seed gives the same bits", () => {
  const data = samples();
  const predictions = [1, 1, 2].map((seed) => {
    const model = new NotebookDin(createRandom(seed));
    const first = model.learn(data, ROWS);
    let last = first;
    for (let step = 0; step < 200; step++) last = model.learn(data, ROWS);
    assert.ok(last < 0.1 * first);
    return model.predict(data);
  });
  assert.deepEqual(predictions[0], predictions[1]);
  assert.notDeepEqual(predictions[0], predictions[2]);
});
