/**
 * Learning single rows as they arrive: ours in its batches of 64 rows, compared with linear learners that take them one
 * by one.
 *
 * @module
 */

import { Rows } from "../../../src/samples/rows.ts";
import { modelSizes } from "../../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA, numericNames } from "../../../src/features/schema.ts";
import { Learner } from "../../../src/learner/learner.ts";
import type { Sample } from "../../../src/samples/sample.ts";
import { createModel, type ModelName } from "../../../src/nn/models/registry.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import type { Work } from "./works.ts";

const ROWS = 64;
const START = Date.UTC(2026, 0, 1);
const WIDTH = 16;
const schema = DEFAULT_SCHEMA;

/** Samples of one row each, after `T` behaviours. */
function samples(T: number): Sample[] {
  const random = mulberry32(2);
  const below = (n: number) => Math.floor(n * random());
  const numerics = numericNames(schema).length;
  return Array.from({ length: ROWS }, (_, s): Sample => ({
    request: `r${s}`,
    user: `u${below(500)}`,
    time: START + s,
    closedTime: START + s,
    version: 1,
    newUser: T === 0,
    history: {
      items: Array.from({ length: T }, () => `i${below(2000)}`),
      categories: Array.from({ length: T }, () => [`c${below(20)}`]),
      actions: new Array<string>(T).fill("click"),
      times: new Float64Array(T).fill(START - 60_000),
      strengths: new Float32Array(T).fill(1),
    },
    userFields: [],
    contextFields: [],
    rows: Rows.of([{
      item: `i${below(2000)}`,
      categories: [`c${below(20)}`],
      fields: [],
      numerics: Float32Array.from({ length: numerics }, random),
      offset: -2,
      label: random() < 0.1 ? 1 : 0,
      prediction: 0.1,
    }]),
  }));
}

/** Learning a row, by model. */
export function online(): Work[] {
  const work = (name: ModelName, T: number): Work => ({
    work: "learn a row online",
    by: T === 0 ? name : `${name}, T ${T}`,
    pieces: ROWS,
    prepare() {
      const sizes = modelSizes(schema, WIDTH);
      const model = createModel(name, sizes, {}, mulberry32(1));
      const learner = new Learner(model, { schema, embeddingWidth: WIDTH });
      const batch = samples(T);
      return () => void learner.learn(batch);
    },
  });
  return [work("base", 0), work("din", 50), work("dien", 50)];
}
