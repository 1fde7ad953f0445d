/**
 * meander: a streaming recommendation engine. Events go in on a log, each updates its user's state at once, requests
 * are answered from that state, and outcomes train the model while it serves.
 *
 * Where to start:
 *
 * - {@linkcode Service} runs the engine on a {@linkcode Log}; `./http` puts the HTTP API in front of it;
 * - {@linkcode replay} runs a data set through the whole loop and evaluates every prediction;
 * - {@linkcode TaskState} is the loop's state machine without any I/O, {@linkcode Learner} trains its model.
 *
 * Everything for one subject is in a module of its own:
 *
 * | module          | for code that                                                                  | pure |
 * | --------------- | ------------------------------------------------------------------------------ | ---- |
 * | `./core`        | embeds the engine without I/O, in Deno, Node or Bun                            | yes  |
 * | `./log`         | reads and writes the topics, or writes a log of another kind                   |      |
 * | `./kafka`       | runs on Kafka                                                                  |      |
 * | `./http`        | serves the API, measures it, or changes experiments over it                    |      |
 * | `./nn`          | uses models, kernels, tables and optimisers in a training loop of its own      | yes  |
 * | `./experiments` | assigns users to variants and reads experiments                                | yes  |
 * | `./evaluation`  | evaluates predictions, and policies from a log                                 | yes  |
 *
 * Pure means: no I/O, no clock, and no randomness that is not an argument.
 *
 * @example A list for a user, over a log.
 * ```ts
 * import assert from "node:assert/strict";
 * import {
 *   decodeRecommendation,
 *   DEFAULT_SCHEMA,
 *   encodeEvent,
 *   type Event,
 *   MemoryLog,
 *   Service,
 * } from "@meander/meander";
 *
 * await using log = new MemoryLog();
 * await using _service = await Service.start(log, {
 *   model: "base",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 *
 * const time = Date.now(), candidates = ["tent", "stove", "lamp"];
 * const events: readonly Event[] = [
 *   { type: "interaction", user: "ann", time, item: "tent", action: "click" },
 *   { type: "request", user: "ann", time: time + 1, request: "r1", count: 2, candidates },
 * ];
 * await log.append(events.map((event) => (
 *   { topic: "meander.events", key: event.user, value: encodeEvent(event), time }
 * )));
 *
 * const { records } = await log.read("meander.recommendations", 0, 0, { waitMs: 60_000 });
 * const answer = decodeRecommendation(records[0]?.value ?? new Uint8Array());
 * assert.ok(answer.ok);
 * assert.equal(answer.recommendation.items.length, 2);
 * ```
 *
 * @module
 */

// Engine: a service on a log, a replay of a data set, and the state machine of one partition under both.
export { Service } from "./streams/service/service.ts";
export {
  type LearnerThreadOptions,
  type Role,
  type ServiceOptions,
  type VariantModel,
} from "./streams/service/jobs/options.ts";
export type {
  LearnerStatus,
  PartitionStatus,
  ServiceStatus,
  SourcesStatus,
} from "./streams/service/status.ts";
export type { FollowedSource } from "./streams/service/jobs/sources_job.ts";
export type { MonitorStatus } from "./streams/service/jobs/monitor_job.ts";
export type { RestoreStatus } from "./streams/task/restoring/restore_meter.ts";
export type { StoreStatus } from "./streams/task/store/state_store.ts";
export type { Delivery } from "./streams/topics/delivery.ts";
export { replay, type ReplayOptions, type ReplayResult, type ReplayView } from "./streams/replay/replay.ts";
export type { KernelChoice } from "./src/nn/kernels/choose.ts";
export type { KernelName } from "./src/nn/kernels/kernels.ts";
export { RejectionSummary } from "./streams/replay/rejections.ts";
export type { RejectedExample, RejectedGroup } from "./streams/report/report_data.ts";
export { PROFILES } from "./streams/replay/profiles.ts";
export { type Format, FORMATS, openSource } from "./streams/sources/open.ts";
export type { SourceOptions, SourceRecord } from "./streams/sources/source.ts";
export {
  type Config,
  learnerOptions,
  learningOptions,
  modelConfig,
  parseConfig,
  taskOptions,
} from "./streams/config/config.ts";
export { Learning } from "./streams/learning/learning.ts";
export type { LearningOptions } from "./streams/learning/options.ts";
export { TaskState } from "./src/engine/task_state.ts";
export type { TaskOptions } from "./src/engine/task_options.ts";
export type { TaskOutputs, TaskRejection } from "./src/engine/task_outputs.ts";
export { DEFAULT_SCHEMA, type FeatureSchema } from "./src/features/schema.ts";
export { type ActionPolicies, DEFAULT_ACTIONS } from "./src/features/actions.ts";
export type { RetrievalOptions } from "./src/retrieval/retrieval_options.ts";
export type { PolicyOptions } from "./src/draws/policy.ts";

// Log: where everything is written and read. The whole port is in `./log`, Kafka in `./kafka`.
export { type Log, LogError, type LogRecord, type NewRecord, type TopicSpec } from "./streams/log/log.ts";
export { MemoryLog, type MemoryLogOptions } from "./streams/log/memory_log.ts";
export { SqliteLog } from "./streams/log/sqlite/sqlite_log.ts";
export type { SqliteLogOptions } from "./streams/log/sqlite/sqlite_store.ts";
export { topicNames, type Topics } from "./streams/topics/topics.ts";

// Events: what people do, and what there is.
export type {
  AliasEvent,
  Attributes,
  AttributeValue,
  Boost,
  Condition,
  Diversity,
  Event,
  ForgetEvent,
  Frequency,
  ImpressionEvent,
  InteractionEvent,
  ItemRecord,
  MergeEvent,
  ProfileEvent,
  RequestEvent,
  RequestFilter,
} from "./src/events/event.ts";
export { checkEvent, checkItem } from "./src/events/check.ts";
export { decodeEvent, decodeItem, encodeEvent, encodeItem } from "./src/events/codec.ts";
export type { Rejected } from "./src/events/rejected.ts";
export type { Rejection } from "./src/events/rejection.ts";

// Recommendations: what is answered.
export type { Recommendation, RecommendedItem } from "./src/events/recommendation.ts";
export { decodeRecommendation } from "./src/events/codec.ts";

// Models: what scores, what trains it, and what travels between the two.
export { createModel, MODEL_NAMES, type ModelConfigs, type ModelName } from "./src/nn/models/registry.ts";
export type { Model, ModelSizes } from "./src/nn/models/core/model.ts";
export { modelSizes } from "./src/features/rows/assembler.ts";
export { ServingModel } from "./src/serving/serving_model.ts";
export type { Serving } from "./src/features/serving.ts";
export { PRIOR } from "./src/serving/prior_serving.ts";
export { Learner, type LearnResult } from "./src/learner/learner.ts";
export type { LearnerOptions } from "./src/learner/learner_options.ts";
export { decodeVersion, type ParameterVersion } from "./src/serving/version.ts";
export type { Sample } from "./src/samples/sample.ts";
export { mulberry32 } from "./src/draws/random.ts";

// Experiments: changed and watched on the log, or over the HTTP API of a service. Their statistics are in `./experiments`.
export { ExperimentRegistry, type RegistryOptions } from "./streams/experiments/registry.ts";
export { ExperimentClient, type ExperimentClientOptions } from "./streams/experiments/client.ts";
export { parseExperiment } from "./streams/experiments/record.ts";
export { type ExperimentsView, type ExperimentView, ExperimentViews } from "./streams/experiments/views.ts";
export type { ExperimentDraft } from "./src/assignment/changes.ts";
export type { Experiment } from "./src/assignment/experiment.ts";

// Evaluation: of predictions, and of other policies. More figures are in `./evaluation`.
export { type MetricsReport, ProgressiveRows } from "./src/metrics/progressive_rows.ts";
export {
  evaluatePolicy,
  type Evaluation,
  type EvaluationOptions,
  type LoggedList,
} from "./src/experiments/off_policy.ts";
export { readRecommendationLog, type RecommendationLog } from "./streams/evaluation/recommendation_log.ts";
