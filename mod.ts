/**
 * meander: a streaming recommendation engine. Events go in on a log, each updates its user's state at once,
 * requests are answered from that state, and outcomes train the model while it serves.
 *
 * Everything a program may import is here. What is under `src/` is pure: no I/O, no clock, no randomness of its
 * own. What is under `streams/` reads and writes. Where to start:
 *
 * - {@linkcode replay} runs a data set through the whole loop;
 * - {@linkcode TaskState} is the loop's state machine without any I/O, {@linkcode Task} its runtime on a
 *   {@linkcode Log};
 * - {@linkcode createModel} makes a click model, {@linkcode Learner} trains one online, {@linkcode ServingModel}
 *   scores with the versions that a learner publishes;
 * - {@linkcode ProgressiveRows} and the functions beside it judge predictions.
 *
 * @example A user's state follows the events; a request is answered from it.
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   Assembler,
 *   createModel,
 *   DEFAULT_SCHEMA,
 *   mulberry32,
 *   ServingModel,
 *   type TaskOutputs,
 *   TaskState,
 * } from "./mod.ts";
 *
 * const { d, userWidth, contextWidth } = new Assembler(DEFAULT_SCHEMA, 16);
 * const model = createModel("dien", { d, user: userWidth, context: contextWidth }, {}, mulberry32(1));
 * const task = new TaskState({ schema: DEFAULT_SCHEMA }, new ServingModel(model, DEFAULT_SCHEMA, 16));
 * const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
 *
 * const time = Date.UTC(2026, 10, 25);
 * task.applyItem({ item: "tent", time, category: "camping" });
 * task.applyItem({ item: "stove", time, category: "camping" });
 * task.apply({ type: "interaction", user: "ann", time, item: "tent", action: "click" }, 0, out);
 * task.apply({ type: "request", user: "ann", time: time + 1000, request: "r1", count: 5 }, 1, out);
 *
 * const [answer] = out.recommendations;
 * assert.deepEqual(answer?.items.map(({ item, source }) => [item, source]), [["stove", "new"]]);
 * assert.equal(answer?.stateVersion, 1);
 * ```
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
export * from "./src/features/statistics.ts";
export * from "./src/features/transitions.ts";
export * from "./src/features/assembler.ts";
export * from "./src/embeddings/table.ts";
export * from "./src/embeddings/serving_table.ts";
export { PADDING_ROW, UNKNOWN_ROW } from "./src/embeddings/rows.ts";

// Models, losses, optimisers, metrics.
export * from "./src/models/model.ts";
export * from "./src/models/parameters.ts";
export * from "./src/models/create.ts";
export { createKernels, type KernelChoice, resolveKernels } from "./src/kernels/choose.ts";
export * from "./src/kernels/kernels.ts";
export type { Gate, GruBackSteps, GruSteps } from "./src/kernels/gru_steps.ts";
export type { AttentionNorm } from "./src/kernels/attention.ts";
export type { AuxiliaryScore } from "./src/kernels/auxiliary.ts";
export type { AttentionalForm } from "./src/kernels/gru.ts";
export type { MemoryState } from "./src/kernels/mimn_memory.ts";
export type { Pooling } from "./src/kernels/pool.ts";
export type { BaseConfig } from "./src/models/base.ts";
export type { DinConfig } from "./src/models/din.ts";
export type { DienConfig } from "./src/models/dien.ts";
export type { MimnConfig } from "./src/models/mimn.ts";
export * from "./src/models/mimn_state.ts";
export * from "./src/models/mimn_health.ts";
export * from "./src/losses/logistic.ts";
export * from "./src/losses/delayed.ts";
export * from "./src/losses/link.ts";
export * from "./src/losses/log_odds.ts";
export * from "./src/optimisers/optimiser.ts";
export * from "./src/optimisers/adagrad.ts";
export * from "./src/optimisers/adam.ts";
export * from "./src/optimisers/ftrl.ts";
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
export { EventClock } from "./src/state/event_clock.ts";
export {
  type Forgotten,
  type Preview,
  type Refusal as TaskRefusal,
  type TaskOptions,
  type TaskOutputs,
  TaskState,
} from "./src/state/task_state.ts";
export type { FrequencyOptions, ShownItem } from "./src/state/shown_items.ts";
export * from "./src/state/task_counters.ts";
export * from "./src/state/user_state.ts";
export * from "./src/state/sequence.ts";
export * from "./src/state/stored_state.ts";
export * from "./src/state/catalogue.ts";
export * from "./src/state/label_policy.ts";
export * from "./src/state/pending.ts";
export * from "./src/state/impression_join.ts";
export * from "./src/scorer/serving.ts";
export * from "./src/scorer/serving_model.ts";
export * from "./src/scorer/explanation.ts";
export * from "./src/scorer/policy.ts";
export * from "./src/scorer/thompson.ts";
export { type Filtered, filterOf, meets } from "./src/scorer/filters.ts";
export { type Diverse, diversify } from "./src/scorer/diversity.ts";
export * from "./src/retrieval/retrieval.ts";
export { type CandidateQuery, type RetrievalView } from "./src/retrieval/gatherer.ts";
export * from "./src/retrieval/retrieval_state.ts";
export { type CandidateSource, FEATURE_NAMES, SCORED_SOURCES } from "./src/retrieval/features.ts";
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
export * from "./src/scorer/random.ts";
export * from "./src/learner/sample.ts";
export * from "./src/learner/sample_codec.ts";
export * from "./src/learner/version.ts";
export * from "./src/learner/learner.ts";
export * from "./src/learner/validation.ts";
export * from "./src/learner/guard.ts";
export * from "./src/learner/guard.ts";

// Experiments.
export * from "./src/experiments/experiment.ts";
export * from "./src/experiments/exposure.ts";
export * from "./src/experiments/changes.ts";
export * from "./src/experiments/buckets.ts";
export * from "./src/experiments/assignment.ts";
export * from "./src/experiments/user_metrics.ts";
export * from "./src/experiments/totals.ts";
export * from "./src/experiments/pre_period.ts";
export * from "./src/experiments/pins.ts";
export * from "./src/experiments/effect.ts";
export * from "./src/experiments/confidence_sequence.ts";
export * from "./src/experiments/sample_ratio.ts";
export * from "./src/experiments/verdict.ts";
export * from "./src/experiments/interleaving.ts";
export * from "./src/experiments/off_policy.ts";
export * from "./src/experiments/bernoulli_thompson.ts";
export * from "./src/experiments/exposure_loss.ts";
export * from "./src/scorer/prior_serving.ts";

// Logs. KafkaLog is imported from streams/log/kafka_log.ts, so that nobody else loads a Kafka client.
export * from "./streams/log/log.ts";
export * from "./streams/log/local_log.ts";
export * from "./streams/log/memory_log.ts";
export * from "./streams/log/sqlite_log.ts";
export { partitionOf } from "./streams/log/partitioner.ts";

// Sources, the loop, its report.
export { type SourceOptions, type SourceRecord } from "./streams/sources/source.ts";
export * from "./streams/sources/open.ts";
export * from "./streams/sources/adapters.ts";
export * from "./streams/topics.ts";
export * from "./streams/task.ts";
export { DELIVERIES, type Delivery, INPUT } from "./streams/task/delivery.ts";
export * from "./streams/repeats.ts";
export * from "./streams/experiments/record.ts";
export * from "./streams/experiments/registry.ts";
export * from "./streams/experiments/monitor.ts";
export * from "./streams/experiments/views.ts";
export * from "./streams/experiments/client.ts";
export * from "./streams/evaluation/target_policy.ts";
export * from "./streams/evaluation/bandit_log.ts";
export * from "./streams/evaluation/answer_log.ts";
export * from "./streams/simulation.ts";
export * from "./streams/task/restore_meter.ts";
export type { StateStoreOptions, StoreStatus } from "./streams/task/state_store.ts";
export { TimeShare } from "./streams/task/time_share.ts";
export * from "./streams/feeder.ts";
export * from "./streams/topic_feeder.ts";
export * from "./streams/learning.ts";
export * from "./streams/parameters.ts";
export * from "./streams/pinned_models.ts";
export * from "./streams/rejections.ts";
export * from "./streams/profiles.ts";
export * from "./streams/config.ts";
export * from "./streams/metered_log.ts";
export { type Door, DOORS } from "./streams/doors/names.ts";
export { type HttpOptions, startHttp } from "./streams/server/http.ts";
export type { HttpServer, ListenOptions } from "./streams/server/serve.ts";
export { Metrics as HttpMetrics, type MetricsListener } from "./streams/server/metrics.ts";
export type { RefusedEntry } from "./streams/server/intake.ts";
export type { GorseSettings, HttpSettings } from "./streams/server/settings.ts";
export { type ApiKey, type RateLimit, type Scope, SCOPES } from "./streams/server/access.ts";
export type { KafkaSettings, SaslSettings, TlsSettings } from "./streams/kafka_settings.ts";
export * from "./streams/service.ts";
export type { LearnerFigures, Quality } from "./streams/learner_figures.ts";
export * from "./streams/sample_handover.ts";
export * from "./streams/replay.ts";
export * from "./streams/replay_report.ts";
export * from "./streams/report/report_data.ts";
export * from "./streams/report/report.ts";
export { renderSummary, type TextOptions, wantsColour } from "./streams/report/table.ts";
