/**
 * What of meander is pure: events, states, models, the learner, experiments. No log, no file, no server, no clock; no
 * API of a runtime but those that Deno and Node share. All of it is in `mod.ts` too.
 *
 * @module
 */

// Events, the catalogue, answers, refusals.
export * from "./src/events/event.ts";
export * from "./src/events/recommendation.ts";
export * from "./src/events/rejection.ts";
export { type Refusal, REFUSAL_CODES, type RefusalCode } from "./src/events/refusal.ts";
export * from "./src/events/codec.ts";
export {
  checkEvent,
  checkItem,
  checkRecommendation,
  type DecodedEvent,
  type DecodedItem,
  type DecodedRecommendation,
} from "./src/events/check.ts";
export { type JsonSchema, jsonSchemas } from "./src/events/json_schema.ts";

// Foreign formats, to and from.
export type { JsonObject, Mapped } from "./src/adapters/mapped.ts";
export { parseMetarank, toMetarank } from "./src/adapters/metarank.ts";
export { type GorseOptions, parseGorse, toGorse } from "./src/adapters/gorse.ts";
export { parseEasyRec, toEasyRec } from "./src/adapters/easyrec.ts";

// Features and embeddings.
export * from "./src/features/actions.ts";
export * from "./src/features/schema.ts";
export * from "./src/features/fields.ts";
export * from "./src/features/kept_statistics.ts";
export { ValueScale } from "./src/features/value_scale.ts";
export { KEY_NUMBERS, UserKeys } from "./src/features/user_keys.ts";
export * from "./src/features/statistics.ts";
export * from "./src/features/transitions.ts";
export * from "./src/features/assembler.ts";
export { behaviourVector } from "./src/features/behaviour_list.ts";
export type { Instance, InstanceRow } from "./src/features/instance.ts";
export type { Standardisation } from "./src/features/standardisation.ts";
export type { FieldTable, TrainableTable } from "./src/features/field_table.ts";
export * from "./src/embeddings/table.ts";
export * from "./src/embeddings/serving_table.ts";
export { PADDING_ROW, UNKNOWN_ROW } from "./src/embeddings/rows.ts";

// Models, losses, optimisers, metrics.
export * from "./src/nn/models/core/model.ts";
export * from "./src/nn/kernels/parameters.ts";
export { createModel, MODEL_NAMES, type ModelConfigs, type ModelName } from "./src/nn/models/registry.ts";
export { createKernels, type KernelChoice, resolveKernels } from "./src/nn/kernels/choose.ts";
export * from "./src/nn/kernels/kernels.ts";
export type { Gate, GruBackSteps, GruSteps } from "./src/nn/kernels/gru_steps.ts";
export type { AttentionNorm } from "./src/nn/layers/attention.ts";
export type { AuxiliaryScore } from "./src/nn/models/dien/auxiliary.ts";
export type { AttentionalForm } from "./src/nn/layers/gru.ts";
export type { MemoryState } from "./src/nn/models/mimn/memory_network.ts";
export type { Pooling } from "./src/nn/layers/pool.ts";
export type { BaseConfig } from "./src/nn/models/base/base.ts";
export type { DinConfig } from "./src/nn/models/din/din.ts";
export type { DienConfig } from "./src/nn/models/dien/dien.ts";
export type { MimnConfig } from "./src/nn/models/mimn/mimn.ts";
export * from "./src/nn/models/mimn/state.ts";
export * from "./src/nn/models/mimn/health.ts";
export * from "./src/nn/losses/logistic.ts";
export * from "./src/nn/losses/delayed.ts";
export * from "./src/nn/losses/link.ts";
export * from "./src/nn/losses/log_odds.ts";
export * from "./src/nn/optimisers/optimiser.ts";
export * from "./src/nn/optimisers/adagrad.ts";
export * from "./src/nn/optimisers/adam.ts";
export * from "./src/nn/optimisers/ftrl.ts";
export * from "./src/metrics/metric.ts";
export * from "./src/metrics/normal.ts";
export * from "./src/metrics/ranking.ts";
export * from "./src/metrics/probability.ts";
export * from "./src/metrics/running.ts";
export * from "./src/metrics/histogram_auc.ts";
export * from "./src/metrics/sliding_window.ts";
export * from "./src/metrics/progressive_rows.ts";

// Bytes of records.
export { ByteReader } from "./src/codec/byte_reader.ts";
export { ByteWriter } from "./src/codec/byte_writer.ts";

// State, scorer, learner.
export { type Arrival, EventClock, UNKNOWN_ARRIVAL } from "./src/users/event_clock.ts";
export { TaskState } from "./src/engine/task_state.ts";
export type { TaskOptions } from "./src/engine/task_options.ts";
export type { Preview, Unscored } from "./src/engine/lists.ts";
export type { Forgotten, Refusal as TaskRefusal, TaskOutputs } from "./src/engine/task_outputs.ts";
export type { FrequencyOptions } from "./src/users/shown_items.ts";
export * from "./src/engine/task_counters.ts";
export * from "./src/users/user_state.ts";
export * from "./src/users/sequence.ts";
export * from "./src/users/stored_state.ts";
export * from "./src/users/catalogue.ts";
export { ItemNumbers, type NumbersRecord } from "./src/engine/item_numbers.ts";
export * from "./src/users/label_policy.ts";
export * from "./src/users/pending.ts";
export * from "./src/users/pending_rows.ts";
export * from "./src/engine/impression_join.ts";
export * from "./src/features/serving.ts";
export * from "./src/serving/serving_model.ts";
export * from "./src/scorer/explanation.ts";
export * from "./src/draws/policy.ts";
export * from "./src/draws/thompson.ts";
export { type Filtered, filterOf, meets } from "./src/scorer/filters.ts";
export { type Diverse, diversify } from "./src/scorer/diversity.ts";
export * from "./src/retrieval/retrieval.ts";
export { type CandidateQuery, type RetrievalView } from "./src/retrieval/gatherer.ts";
export * from "./src/retrieval/retrieval_state.ts";
export { RETRIEVAL_KEY, type RetrievalRecord } from "./src/retrieval/changelog.ts";
export { FEATURE_NAMES } from "./src/retrieval/features.ts";
export { type CandidateSource, SCORED_SOURCES } from "./src/events/candidate_source.ts";
export { ItemLists, type ItemListsOptions } from "./src/retrieval/item_lists.ts";
export { ItemRing } from "./src/retrieval/item_ring.ts";
export { Neighbours, type NeighboursOptions } from "./src/retrieval/neighbours.ts";
export * from "./src/retrieval/neighbour_rows.ts";
export { LinearItems } from "./src/retrieval/linear_items.ts";
export { Sessions, type SessionsOptions } from "./src/retrieval/sessions.ts";
export { CategoryTransitions } from "./src/retrieval/category_transitions.ts";
export { ItemVectors, type ItemVectorsOptions } from "./src/retrieval/item_vectors.ts";
export { StateMap, type StateSourceOptions } from "./src/retrieval/state_map.ts";
export { DecayedCounts } from "./src/retrieval/decayed_counts.ts";
export { Trends } from "./src/retrieval/trends.ts";
export { SourceCounts } from "./src/retrieval/source_counts.ts";
export { ItemScores } from "./src/retrieval/item_scores.ts";
export { Blend, type Features } from "./src/retrieval/blend.ts";
export { type Signal } from "./src/retrieval/signal.ts";
export { type Context } from "./src/retrieval/context.ts";
export type { Ranking } from "./src/scorer/answerer.ts";
export * from "./src/draws/random.ts";
export * from "./src/samples/sample.ts";
export * from "./src/samples/sample_codec.ts";
export * from "./src/serving/version.ts";
export * from "./src/learner/learner.ts";
export type { LearnerOptions } from "./src/learner/learner_options.ts";
export { type PriorDeviations, WEIGHT_KINDS, type WeightKind } from "./src/learner/table_rules.ts";
export { type Orderer, ORDERERS, Proof, type ProofChange, type ProofOptions } from "./src/learner/proof.ts";
export * from "./src/learner/validation.ts";
export {
  Guard,
  type GuardAction,
  type GuardOptions,
  HEALTH,
  type Health,
  type HealthChange,
  REASONS,
} from "./src/learner/guard.ts";

// Experiments.
export * from "./src/assignment/experiment.ts";
export * from "./src/assignment/exposure.ts";
export * from "./src/assignment/changes.ts";
export * from "./src/assignment/buckets.ts";
export * from "./src/assignment/assignment.ts";
export * from "./src/assignment/metrics.ts";
export * from "./src/experiments/user_metrics.ts";
export * from "./src/experiments/totals.ts";
export * from "./src/experiments/pre_period.ts";
export * from "./src/assignment/pins.ts";
export * from "./src/experiments/effect.ts";
export * from "./src/metrics/confidence_sequence.ts";
export * from "./src/experiments/sample_ratio.ts";
export * from "./src/experiments/verdict.ts";
export * from "./src/assignment/interleaving.ts";
export * from "./src/experiments/off_policy.ts";
export * from "./src/experiments/bernoulli_thompson.ts";
export * from "./src/experiments/exposure_loss.ts";
export * from "./src/serving/prior_serving.ts";
