/**
 * The engine without I/O: events in, recommendations and samples out, and the learner that turns samples into numbered
 * versions of a model. No log, no file, no server, no clock; only what Deno, Node and Bun share. The same module
 * is what `deno pack -c npm.json -o core.tgz` packs for npm.
 *
 * @example A list is answered, clicked and learnt.
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   createModel,
 *   DEFAULT_SCHEMA,
 *   Learner,
 *   modelSizes,
 *   mulberry32,
 *   ServingModel,
 *   type TaskOutputs,
 *   TaskState,
 * } from "@meander/meander/core";
 *
 * const schema = DEFAULT_SCHEMA, width = 8;
 * const newModel = () => createModel("dien", modelSizes(schema, width), {}, mulberry32(1));
 * const serving = new ServingModel(newModel(), schema, width);
 * const learner = new Learner(newModel(), { schema, embeddingWidth: width });
 * const task = new TaskState({ schema, outcomeWindowMs: 60_000, allowedLatenessMs: 0 }, serving);
 * const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
 *
 * const time = Date.UTC(2026, 10, 25);
 * task.applyItem({ item: "tent", time, category: "camping" });
 * task.applyItem({ item: "stove", time, category: "camping" });
 * task.apply({ type: "request", user: "ann", time, request: "r1", count: 5 }, 0, out);
 * assert.equal(out.recommendations[0]?.items.length, 2);
 *
 * const click = { user: "ann", item: "stove", action: "click", request: "r1" } as const;
 * task.apply({ type: "interaction", ...click, time: time + 1000 }, 1, out);
 * task.flush(out); // a running engine waits for the window to end
 * assert.deepEqual(out.samples[0]?.rows.map(({ item, label }) => [item, label]).sort(), [["stove", 1], ["tent", 0]]);
 *
 * learner.learn(out.samples);
 * serving.apply(learner.version("full", 1, 0)); // the next list is ranked by it
 * assert.equal(serving.version, 1);
 * ```
 *
 * @module
 */

// The state machine of one partition.
export type { GivenList } from "./src/engine/lists.ts";
export { TaskState } from "./src/engine/task_state.ts";
export type { TaskOptions } from "./src/engine/task_options.ts";
export type { Forgotten, TaskOutputs, TaskRejection } from "./src/engine/task_outputs.ts";
export { TASK_COUNTERS, type TaskCounter, type TaskCounters } from "./src/engine/task_counters.ts";
export type { Arrival } from "./src/users/event_clock.ts";
export type { SequenceOptions } from "./src/users/states/sequence.ts";
export type { FrequencyOptions } from "./src/users/shown_items.ts";
export type { UserListsOptions } from "./src/engine/user_lists.ts";
export { LABEL_POLICIES, type LabelPolicy } from "./src/users/pending/label_policy.ts";

// What is a feature, and what an action means.
export { DEFAULT_SCHEMA, type FeatureSchema } from "./src/features/schema.ts";
export type { PooledPairsOptions } from "./src/features/pooled/pooled_pairs.ts";
export type { TransitionOptions } from "./src/features/transitions.ts";
export { type ActionPolicies, type ActionPolicy, DEFAULT_ACTIONS } from "./src/features/actions.ts";

// Where candidates come from, and how a list is chosen.
export type { RetrievalOptions } from "./src/retrieval/retrieval_options.ts";
export type { ItemListsOptions } from "./src/retrieval/items/item_lists.ts";
export type { NeighboursOptions } from "./src/retrieval/folds/neighbours.ts";
export type { CandidateSourceOptions } from "./src/retrieval/sources/parts.ts";
export type { SessionsOptions } from "./src/retrieval/folds/sessions.ts";
export type { CandidateSource } from "./src/events/candidate_source.ts";
export type { CandidateOrder } from "./src/scorer/ordering.ts";
export {
  type Candidates,
  type Choice,
  choose,
  type PolicyOptions,
  propensitiesOf,
} from "./src/draws/policy.ts";

// Events and items.
export {
  type AliasEvent,
  type Attributes,
  type AttributeValue,
  type Boost,
  COMPARISONS,
  type Condition,
  type Diversity,
  type Event,
  type EventBase,
  type ForgetEvent,
  type Frequency,
  type ImpressionEvent,
  type InteractionEvent,
  type ItemRecord,
  type MergedBehaviour,
  type MergedOutcome,
  type MergeEvent,
  type ProfileEvent,
  REQUEST_LISTS,
  type RequestEvent,
  type RequestFilter,
} from "./src/events/event.ts";
export {
  checkEvent,
  checkItem,
  checkRecommendation,
  type DecodedEvent,
  type DecodedItem,
  type DecodedRecommendation,
} from "./src/events/check.ts";
export {
  decodeEvent,
  decodeItem,
  decodeRecommendation,
  encodeEvent,
  encodeItem,
  encodeRecommendation,
} from "./src/events/codec.ts";
export { type Rejected, REJECTION_CODES, type RejectionCode } from "./src/events/rejected.ts";
export type { FilePlace, LogPlace, Rejection } from "./src/events/rejection.ts";
export { type JsonSchema, jsonSchemas } from "./src/events/json_schema.ts";

// Recommendations.
export {
  EMPTY_REASONS,
  type EmptyReason,
  ORDERED_BY,
  type OrderedBy,
  type Recommendation,
  type RecommendationExposure,
  type RecommendedItem,
  SCORE_KINDS,
  type ScoredItem,
  type ScoreKind,
  type ShadowSlate,
} from "./src/events/recommendation.ts";

// Conversion from foreign formats.
export type { JsonObject, Mapped } from "./src/adapters/mapped.ts";
export { parseMetarank } from "./src/adapters/metarank.ts";
export { type GorseOptions, parseGorse } from "./src/adapters/gorse.ts";
export { parseEasyRec } from "./src/adapters/easyrec.ts";

// Learning: from samples to numbered versions of the parameters, and serving with the newest.
export { createModel, MODEL_NAMES, type ModelConfigs, type ModelName } from "./src/nn/models/registry.ts";
export type { Model, ModelSizes } from "./src/nn/models/core/model.ts";
export { modelSizes } from "./src/features/rows/assembler.ts";
export { Learner, type LearnResult } from "./src/learner/learner.ts";
export type { PreferencesOptions } from "./src/learner/preferences/preference_learner.ts";
export type { LearnerOptions } from "./src/learner/learner_options.ts";
export { type PriorDeviations, WEIGHT_KINDS, type WeightKind } from "./src/learner/table_rules.ts";
export type { GuardOptions } from "./src/learner/guard/guard.ts";
export type { ProofOptions } from "./src/learner/proof.ts";
export { ServingModel } from "./src/serving/serving_model.ts";
export type { Look, Serving } from "./src/features/serving.ts";
export { type ItemFeatures, type Row, type RowOutcome, Rows, type RowValues } from "./src/samples/rows.ts";
export { PRIOR } from "./src/serving/prior_serving.ts";
export { decodeVersion, encodeVersion, type ParameterVersion } from "./src/serving/version.ts";
export type { Standardisation } from "./src/features/standardisation.ts";
export { type LearningMark, Validation, type ValidationOptions } from "./src/learner/validation.ts";
export type { LearntOrder } from "./src/nn/models/pair_head/learnt_order.ts";
export type { PairScales, Scales } from "./src/nn/models/pair_head/pair_inputs.ts";
export type { PairList, PairNames, ScoreList } from "./src/nn/models/pair_head/pair_list.ts";
export type { Preference } from "./src/samples/preference.ts";
export { decodeSample, encodeSample } from "./src/samples/sample_codec.ts";
export type {
  EarlierBehaviours,
  ListFeatures,
  ModelState,
  Sample,
  SampleHistory,
  SampleState,
} from "./src/samples/sample.ts";
export { mulberry32 } from "./src/draws/random.ts";
