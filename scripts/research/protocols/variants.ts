/** The variants of the ablation, each with one part removed. */

import { WEIGHT_KINDS } from "../../../src/learner/table_rules.ts";
import { recordOf } from "../../../src/values/record.ts";
import { hash32, mulberry32 } from "../../../src/draws/random.ts";
import { Rows } from "../../../src/samples/rows.ts";
import type { Sample, SampleHistory } from "../../../src/samples/sample.ts";
import type { ModelName } from "../../../src/nn/models/registry.ts";
import type { Config } from "../../../streams/config/config.ts";

/** A model with something changed. */
export interface Variant {
  readonly name: string;
  readonly model: ModelName;
  /** Overrides the protocol's configuration. */
  readonly config?: Config;
  /** Changes the samples. */
  readonly samples?: (samples: readonly Sample[]) => readonly Sample[];
}

/** First-order weights stay at 0: their prior leaves no room. */
const OFF_FIRST_ORDER: Config = { learner: { deviations: recordOf(WEIGHT_KINDS, () => 1e-9) } };

/** Without running statistics: a sample's numerics and its offset, the log-odds of the click rate, are 0. */
function withoutStatistics(samples: readonly Sample[]): readonly Sample[] {
  return samples.map((sample) => ({
    ...sample,
    rows: Rows.of(sample.rows.map((row) => {
      return { ...row, numerics: new Float32Array(row.numerics.length), offset: 0 };
    })),
  }));
}

/** Without any behaviours. */
function withoutHistory(samples: readonly Sample[]): readonly Sample[] {
  return samples.map((sample) => ({ ...sample, history: NO_HISTORY }));
}

const NO_HISTORY: SampleHistory = {
  items: [],
  categories: [],
  actions: [],
  times: new Float64Array(0),
  strengths: new Float32Array(0),
  earlier: undefined,
};

/** The same behaviours at the same times, in a random order for each list. */
function shuffledHistory(samples: readonly Sample[]): readonly Sample[] {
  return samples.map((sample) => {
    const { items, categories, actions, times, strengths, earlier } = sample.history;
    const random = mulberry32(hash32(sample.request));
    const order = items.map((_, t) => t);
    for (let t = order.length - 1; t > 0; t--) {
      const other = Math.floor(random() * (t + 1));
      [order[t], order[other]] = [order[other]!, order[t]!];
    }
    const history = {
      items: order.map((t) => items[t]!),
      categories: order.map((t) => categories[t]!),
      actions: order.map((t) => actions[t]!),
      times,
      strengths: Float32Array.from(order, (t) => strengths[t]!),
      earlier,
    };
    return { ...sample, history };
  });
}

const dien = (
  name: string,
  options: NonNullable<Config["models"]>["dien"],
  learner?: Config["learner"],
): Variant => ({
  name: `DIEN, ${name}`,
  model: "dien",
  config: { models: { dien: options ?? {} }, ...(learner === undefined ? {} : { learner }) },
});

const mimn = (name: string, options: NonNullable<Config["models"]>["mimn"]): Variant => ({
  name: `MIMN, ${name}`,
  model: "mimn",
  config: { models: { mimn: options ?? {} } },
});

const pooled = (name: string, model: ModelName): Variant => ({
  name: `${name}, pooled pairs`,
  model,
  config: { features: { pooled: true } },
});

/** All variants; the four unchanged models come first. */
export const VARIANTS: readonly Variant[] = [
  { name: "Base", model: "base" },
  { name: "DIN", model: "din" },
  { name: "DIEN", model: "dien" },
  { name: "MIMN", model: "mimn" },
  dien("with auxiliary loss 0.1", {}, { auxWeight: 0.1 }),
  dien("without attention", { attention: "none" }),
  dien("AGRU", { form: "agru" }),
  dien("AIGRU", { form: "aigru" }),
  mimn("without regularisation", { regularisation: 0 }),
  mimn("without induction unit", { induction: false }),
  mimn("m = 8", { slots: 8 }),
  { name: "Base, without first-order weights", model: "base", config: OFF_FIRST_ORDER },
  { name: "DIEN, without first-order weights", model: "dien", config: OFF_FIRST_ORDER },
  { name: "Base, without running statistics", model: "base", samples: withoutStatistics },
  pooled("Base", "base"),
  pooled("DIN", "din"),
  pooled("DIEN", "dien"),
  pooled("MIMN", "mimn"),
  { name: "Base, without history", model: "base", samples: withoutHistory },
  { name: "DIEN, shuffled history", model: "dien", samples: shuffledHistory },
  { name: "MIMN, shuffled history", model: "mimn", samples: shuffledHistory },
  { name: "DIEN, without running statistics", model: "dien", samples: withoutStatistics },
];
