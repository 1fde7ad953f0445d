/** Options of the learner. */

import { TABLE_OPTIONS } from "../embeddings/table_options.ts";
import type { FeatureSchema } from "../features/schema.ts";
import {
  absent,
  allReach,
  choice,
  count,
  group,
  number,
  type OptionsOf,
  positive,
  reaches,
  settle,
  type Settled,
} from "../options/option.ts";
import { recordOf } from "../values/record.ts";
import { PREFERENCES_OPTIONS, type PreferencesOptions } from "./preferences/preference_learner.ts";
import { type PriorDeviations, WEIGHT_KINDS } from "./table_rules.ts";

/** Default learning rate of each optimiser of dense weights. */
export const LEARNING_RATES = { adagrad: 0.03, adam: 0.001 } as const;

/** Options of a `Learner`. */
export interface LearnerOptions {
  /** Which attributes are features. */
  readonly schema: FeatureSchema;
  /** Width k of an id's embedding. @default {16} */
  readonly embeddingWidth?: number | undefined;
  /** Optimiser of the model's dense weights. @default {"adagrad"} */
  readonly optimiser?: "adam" | "adagrad" | undefined;
  /** Learning rate of that optimiser. @default {0.03 for adagrad, 0.001 for adam} */
  readonly learningRate?: number | undefined;
  /** Adagrad's learning rate of bias and numeric weights. @default {0.1} */
  readonly headLearningRate?: number | undefined;
  /** Row-wise Adagrad's learning rate of vectors. @default {0.1} */
  readonly embeddingLearningRate?: number | undefined;
  /** Row-wise Adagrad's learning rate of first-order weights, except those of cross features. @default {0.05} */
  readonly firstOrderLearningRate?: number | undefined;
  /**
   * Standard deviations of the normal priors of first-order weights by kind, in logits. Weights of these kinds are
   * learnt as posterior means, without a learning rate. @default {none}
   */
  readonly deviations?: PriorDeviations | undefined;
  /** Standard deviation of a new row. @default {0.03} */
  readonly embeddingScale?: number | undefined;
  /** Largest norm of the dense gradient, per row of the batch. @default {5} */
  readonly clipNorm?: number | undefined;
  /** Factor of the auxiliary loss, in models that have one (DIEN). @default {0} */
  readonly auxWeight?: number | undefined;
  /** Uses before an id gets its own row. @default {1} */
  readonly admitAfter?: number | undefined;
  /** Uses before an item gets its own row: more keep noise out if most items are used once. @default {admitAfter} */
  readonly admitItemsAfter?: number | undefined;
  /** Most bytes of all tables together. @default {268435456} */
  readonly tableBytes?: number | undefined;
  /** Event time after which an unused row is dropped, milliseconds. @default {never} */
  readonly expireAfterMs?: number | undefined;
  /** Share of negatives to learn, in (0, 1]; logits are corrected for it. @default {1} */
  readonly negativeRate?: number | undefined;
  /** How the order of retrieved candidates is learnt. */
  readonly preferences?: PreferencesOptions | undefined;
  /** Whether a bank learns from samples of next items, within a quarter of `tableBytes`. @default {false} */
  readonly learnsNext?: boolean | undefined;
  /** Seed of new rows and of drawn negatives. @default {0} */
  readonly seed?: number | undefined;
}

const DEVIATIONS = recordOf(
  WEIGHT_KINDS,
  () => positive<number | undefined>(absent("none"), "standard deviation of weights of that kind"),
);

/** The options of {@linkcode LearnerOptions} that a configuration may set. */
export const LEARNER_OPTIONS = allReach(
  "onward",
  {
    embeddingWidth: reaches("rebuild", count(16, "width of an id's embedding")),
    optimiser: reaches(
      "rebuild",
      choice(["adam", "adagrad"], "adagrad", "optimiser of the model's dense weights"),
    ),
    learningRate: positive<number | undefined>(
      absent(`${LEARNING_RATES.adagrad}; ${LEARNING_RATES.adam} for adam`),
      "learning rate of that optimiser",
    ),
    headLearningRate: positive(0.1, "learning rate of bias and numeric weights"),
    embeddingLearningRate: positive(0.1, "learning rate of embedding rows"),
    firstOrderLearningRate: positive(
      0.05,
      "learning rate of first-order weights; those of transitions and ages have 0.2",
    ),
    deviations: group(
      DEVIATIONS,
      "prior standard deviations of first-order weights, in logits: kinds named here are learnt as posterior means; see [features](../explanation/features.md#first-order-weights-as-posterior-means)",
      "none",
    ),
    embeddingScale: number(0.03, { minimum: 0 }, "standard deviation of the values of a new row"),
    clipNorm: positive(5, "largest norm of the dense gradient per row"),
    auxWeight: number(0, { minimum: 0 }, "factor of DIEN's auxiliary loss"),
    admitAfter: reaches("rebuild", TABLE_OPTIONS.admitAfter),
    admitItemsAfter: reaches(
      "rebuild",
      count<number | undefined>(absent("admitAfter"), "uses before an item gets a row"),
    ),
    tableBytes: count(268_435_456, "bytes of all tables together"),
    expireAfterMs: TABLE_OPTIONS.expireAfterMs,
    negativeRate: number(1, { above: 0, maximum: 1 }, "share of the negatives that is learnt"),
    preferences: group(PREFERENCES_OPTIONS),
  } satisfies OptionsOf<Omit<LearnerOptions, "schema" | "learnsNext" | "seed">>,
);

/** Options of a learner with all defaults filled in. */
export interface LearnerSettings extends Settled<typeof LEARNER_OPTIONS> {
  readonly schema: FeatureSchema;
  readonly learnsNext: boolean;
  readonly seed: number;
}

export function learnerSettings(
  { schema, learnsNext = false, seed = 0, ...more }: LearnerOptions,
): LearnerSettings {
  return { ...settle(LEARNER_OPTIONS, more), schema, learnsNext, seed };
}
