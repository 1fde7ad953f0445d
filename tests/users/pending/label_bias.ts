/**
 * How biased a label policy is, on a stream whose probabilities and delays are known.
 *
 * @module
 */

import { modelSizes } from "../../../src/features/rows/assembler.ts";
import { DEFAULT_SCHEMA } from "../../../src/features/schema.ts";
import { createKernels } from "../../../src/nn/kernels/choose.ts";
import { BASE } from "../../../src/nn/models/base/base.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { ServingModel } from "../../../src/serving/serving_model.ts";
import { delayedClicks, type DelayOptions } from "./delayed_clicks.ts";
import type { LabelPolicy } from "../../../src/users/pending/label_policy.ts";
import { TaskState } from "../../../src/engine/task_state.ts";
import type { TaskOutputs } from "../../../src/engine/task_outputs.ts";
import { Learner } from "../../../src/learner/learner.ts";
import type { LearnerOptions } from "../../../src/learner/learner_options.ts";

/** Options of {@linkcode labelBias}. */
export interface BiasOptions extends DelayOptions {
  readonly policy: LabelPolicy;
  /** After a list, the time in which clicks count, milliseconds. */
  readonly windowMs: number;
  /** How long late clicks are accepted after that, milliseconds. */
  readonly lateMs: number;
  /** Options of the learner in addition to those of the policy. */
  readonly learner?: Pick<LearnerOptions, "negativeRate">;
}

/** Result of {@linkcode labelBias}. */
export interface Bias {
  /** Σ predictions / Σ true probabilities, over the last third of the judged rows; 1 is unbiased. */
  readonly ratio: number;
  /** Largest distance of an item's ratio from 1: whether all probabilities are right. */
  readonly worst: number;
}

const K = 2, BATCH_ROWS = 64;

/** Plays a stream through task, learner and serving model, and compares predictions with the truth. */
export function labelBias({ policy, windowMs, lateMs, learner: more, ...stream }: BiasOptions): Bias {
  const schema = { ...DEFAULT_SCHEMA, contextFields: [], transitions: null };
  const sizes = modelSizes(schema, K);
  const make = () => {
    return BASE.create(sizes, { widths: [8] }, mulberry32(stream.seed), createKernels());
  };
  const learner = new Learner(make(), { schema, embeddingWidth: K, ...more });
  const serving = new ServingModel(make(), schema, K);
  const task = new TaskState({
    schema,
    impressions: "logged",
    labelPolicy: policy,
    outcomeWindowMs: windowMs,
    lateOutcomeMs: lateMs,
    allowedLatenessMs: 0,
  }, serving);
  const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
  const judged: { readonly item: string; readonly prediction: number; readonly oracle: number }[] = [];
  let version = 0;
  const learn = () => {
    for (const sample of out.samples) if (sample.purpose !== "learn") judged.push(...sample.rows);
    learner.learn(out.samples.splice(0));
    serving.apply(learner.version("delta", ++version));
  };
  let offset = 0;
  serving.apply(learner.version("full", ++version));
  for (const event of delayedClicks(stream)) {
    task.apply(event, offset++, out);
    if (out.samples.reduce((rows, sample) => rows + sample.rows.length, 0) >= BATCH_ROWS) learn();
  }
  task.flush(out);
  learn();
  const sums = new Map<string, { predicted: number; true: number }>();
  const all = { predicted: 0, true: 0 };
  for (const { item, prediction, oracle } of judged.slice(-Math.floor(judged.length / 3))) {
    const own = sums.get(item) ?? { predicted: 0, true: 0 };
    sums.set(item, own);
    for (const sum of [own, all]) {
      sum.predicted += prediction;
      sum.true += oracle;
    }
  }
  const worst = Math.max(...[...sums.values()].map((sum) => Math.abs(sum.predicted / sum.true - 1)));
  return { ratio: all.predicted / all.true, worst };
}
