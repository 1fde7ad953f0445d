/**
 * The declaration of features that training, scoring and replay share.
 *
 * Ids and fields become embeddings and first-order weights; the numeric features are derived from it by
 * {@linkcode numericNames} and computed in `statistics.ts`.
 */

import type { Attributes, AttributeValue } from "../events/event.ts";
import { allReach, choice, flag, names, type OptionsOf, part, switchOf } from "../options/option.ts";
import { POOLED_NAMES } from "./pooled/pair_statistics.ts";
import { POOLED_OPTIONS, type PooledPairsOptions } from "./pooled/pooled_pairs.ts";
import { TRANSITION_OPTIONS, type TransitionOptions } from "./transitions.ts";
import { modelsThat } from "../nn/models/registry.ts";

/** Which attributes are features. The ids of user, item and category always are. */
export interface FeatureSchema {
  /** Profile attributes of the user. */
  readonly userFields: readonly string[];
  /** Attributes of the item: `brand` takes its values as categories, `embedding[8]` as a vector of 8 numbers. */
  readonly itemFields: readonly string[];
  /**
   * `hour` (UTC hour of the event), `surface`, `listLength` (in half powers of two), or a key of the event's context.
   */
  readonly contextFields: readonly string[];
  /** Item attributes for which each user's own click residual is tracked, in addition to the categories. */
  readonly crosses: readonly string[];
  /** Crosses of the newest behaviours and the candidate's category; `null` = none. @default {{}} */
  readonly transitions?: TransitionOptions | null | undefined;
  /** Crosses of user and user fields with categories and `crosses` among the item fields. @default {false} */
  readonly pairs?: boolean | undefined;
  /**
   * Whether users have their own weights and running statistics. Without them, models see only a user's profile and
   * behaviours, and parameters contain nothing personal. @default {true}
   */
  readonly userIds?: boolean | undefined;
  /**
   * Statistics of pairs of the user's newest behaviours and the candidate, pooled into numeric features. In a
   * configuration the default is `true`. @default {false}
   */
  readonly pooled?: boolean | PooledPairsOptions | undefined;
  /** Logit that every model starts from: the causal prior, or the overall rate only. @default {"prior"} */
  readonly offset?: "prior" | "rate" | undefined;
  /**
   * Names of numeric features that are part of the samples, for benchmarks on published features. A task rejects such a
   * schema. @default {those of numericNames}
   */
  readonly numerics?: readonly string[] | undefined;
}

export const FEATURE_OPTIONS = allReach(
  "rebuild",
  {
    userFields: names([], "profile attributes that are features"),
    itemFields: names([], "item attributes that are features; `embedding[8]`: a vector of 8 numbers", {
      source: String.raw`^(?!.*\[(?!([1-9]\d{0,2}|1000)\])\d*\]$).{1,64}$`,
      message: "a vector has 1 to 1000 numbers, as in `embedding[8]`",
    }),
    contextFields: names(
      ["hour", "surface"],
      "`hour`, `surface`, `listLength`, or keys of the event's context",
    ),
    crosses: names(
      [],
      "item attributes for whose values each user's deviation from the expected rate is tracked",
    ),
    transitions: part(
      TRANSITION_OPTIONS,
      "crosses of the newest behaviours with the candidate's category; `null` = none; see [features](../explanation/features.md#transitions)",
      `\`{}\`; \`null\` for ${modelsThat(({ ordered }) => !ordered)}`,
    ),
    pairs: flag(
      false,
      "a weight for each pair of the user, or a user field, with a category or `crosses` value of the item; see [features](../explanation/features.md#pairs)",
    ),
    userIds: flag(
      true,
      "whether users have weights and statistics of their own; see [features](../explanation/features.md)",
    ),
    pooled: switchOf(
      POOLED_OPTIONS,
      true,
      "numeric features from pairs of the newest behaviours with the candidate; see [features](../explanation/features.md#pooled-pairs)",
    ),
    offset: choice(
      ["prior", "rate"],
      "prior",
      "where a model's logit starts: the smoothed rates of user and item, or the overall rate",
    ),
  } satisfies OptionsOf<Omit<FeatureSchema, "numerics">>,
);

/** A schema that fits any stream: ids, categories, hour and surface. */
export const DEFAULT_SCHEMA: FeatureSchema = {
  userFields: FEATURE_OPTIONS.userFields.value,
  itemFields: FEATURE_OPTIONS.itemFields.value,
  contextFields: FEATURE_OPTIONS.contextFields.value,
  crosses: FEATURE_OPTIONS.crosses.value,
};

const BASE_NUMERICS = [
  "prior",
  "itemRate",
  "itemCount",
  "itemRecent",
  "itemAge",
  "userRate",
  "userCount",
  "userRecent",
  "userCategory",
  "userCategoryRecent",
  "userPopularity",
  "itemValue",
  "userCategoryValue",
  "userValueRecent",
  "historyLength",
  "recency",
  "seen",
] as const;

/** Index of the causal prior among our own numeric features. */
export const PRIOR_NUMERIC: number = BASE_NUMERICS.indexOf("prior");

/** Names of the numeric features of a schema, in the order of `Row.numerics`. */
export function numericNames(schema: FeatureSchema): readonly string[] {
  return schema.numerics ?? [
    ...BASE_NUMERICS,
    ...schema.crosses.map((name) => `userCross:${name}`),
    ...(pooledOptions(schema) === null ? [] : POOLED_NAMES),
  ];
}

/** Options of pooled pairs, whose features are the last numeric ones; `null` if a schema has none. */
export function pooledOptions(
  { pooled = false }: FeatureSchema,
): PooledPairsOptions | null {
  if (pooled === false) return null;
  return pooled === true ? {} : pooled;
}

/** The value of an attribute as a category: of a list, its first element; `null` if missing, or that is not a text. */
export function fieldValue(value: AttributeValue | undefined): string | null {
  if (value === undefined) return null;
  if (!Array.isArray(value)) return String(value);
  const [first] = value;
  return typeof first === "string" ? first : null;
}

export function fieldValues(names: readonly string[], attributes: Attributes): (string | null)[] {
  return names.map((name) => fieldValue(attributeOf(attributes, name)));
}

/** Values of the context fields of an event. @param length number of items on its list */
export function contextValues(
  schema: FeatureSchema,
  event: { readonly time: number; readonly surface?: string; readonly context?: Attributes },
  length: number,
): (string | null)[] {
  return schema.contextFields.map((name) => {
    if (name === "hour") return String(Math.floor(event.time / 3_600_000) % 24);
    if (name === "surface") return event.surface ?? null;
    if (name === "listLength") return length === 0 ? null : String(Math.floor(2 * Math.log2(length)));
    return fieldValue(attributeOf(event.context ?? {}, name));
  });
}

export function attributeOf(attributes: Attributes, name: string): AttributeValue | undefined {
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}
