/** The protocols, with hyper-parameters that were chosen on held-out parts. */

import { FEATURE_OPTIONS } from "../../../src/features/schema.ts";
import { rowFigures, taskFigures } from "./figures.ts";
import { MIND } from "./mind.ts";
import type { Protocol } from "./protocol.ts";
import { readSparrow, shuffled, SPARROW_SCHEMA } from "./sparrow.ts";
import { BARE_TAOBAO_SCHEMA, TAOBAO_SCHEMA, taobaoSamples } from "./taobao.ts";
import { readBehaviors, TASK_SIZE } from "./taobao_tasks.ts";
import { judgedFrom, Trial } from "./trial.ts";

/** Share of P2's training rows that tuning learns from. */
const TUNING_SHARE = 0.8;

/** One pass over the training rows in a seeded order, then the frozen model on the test rows. */
const P2: Protocol = {
  config: {
    batchRows: 64,
    learner: { optimiser: "adam", firstOrderLearningRate: 0.02, embeddingScale: 0.01 },
  },
  read: async (folder, seed) => ({
    train: shuffled(await readSparrow(folder, "trainSamples.substitute.csv"), seed),
    test: await readSparrow(folder, "testSamples.csv"),
  }),
  run: (data, options) => {
    const cut = Math.floor(TUNING_SHARE * data.train.length);
    const train = options.heldOut ? data.train.slice(0, cut) : data.train;
    const test = options.heldOut ? data.train.slice(cut) : data.test;
    const trial = new Trial({ ...options, schema: SPARROW_SCHEMA });
    trial.learn(train);
    const judged = trial.predict(test);
    return { rows: train.length + test.length, judged: test.length, figures: rowFigures(judged) };
  },
};

/** One pass over the tasks in order, each batch predicted before it is learnt; the second half is judged. */
const P3: Protocol = {
  config: {
    batchRows: 16 * TASK_SIZE,
    learner: {
      embeddingWidth: 32,
      optimiser: "adam",
      learningRate: 0.003,
      embeddingLearningRate: 0.15,
      firstOrderLearningRate: 0.005,
      embeddingScale: 0.003,
    },
    models: {
      base: { widths: [128, 64] },
      din: { widths: [128, 64], keepPooled: false },
      dien: { widths: [128, 64] },
    },
  },
  read: async (folder) => ({
    train: taobaoSamples(await readBehaviors(`${folder}/stream-2017-11-26.csv`)),
    test: [],
  }),
  run: (data, options) => {
    const half = Math.floor(data.train.length / 2);
    const samples = options.heldOut ? data.train.slice(0, half) : data.train;
    // A schema with fewer numeric features reads the first of those present.
    const isPooled = options.config.features?.pooled ?? FEATURE_OPTIONS.pooled.value;
    const trial = new Trial({ ...options, schema: isPooled === false ? BARE_TAOBAO_SCHEMA : TAOBAO_SCHEMA });
    const all = trial.progress(samples);
    const judged = judgedFrom(all, samples, Math.floor(samples.length / 2));
    const figures = taskFigures(judged, TASK_SIZE);
    return { rows: all.labels.length, judged: judged.labels.length, figures };
  },
};

/** The protocols, by the names that the command takes. */
export const PROTOCOLS = { p2: P2, p3: P3, mind: MIND } as const;
