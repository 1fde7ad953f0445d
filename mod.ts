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

// What is pure.
export * from "./core.ts";

// Logs. KafkaLog is imported from streams/log/kafka/kafka_log.ts, so that nobody else loads a Kafka client.
export * from "./streams/log/log.ts";
export * from "./streams/log/local_log.ts";
export * from "./streams/log/memory_log.ts";
export * from "./streams/log/sqlite/sqlite_log.ts";
export type { Durability } from "./streams/log/sqlite/durability.ts";
export { partitionOf } from "./streams/log/partitioner.ts";

// Sources, the loop, its report.
export { type SourceOptions, type SourceRecord } from "./streams/sources/source.ts";
export * from "./streams/sources/open.ts";
export * from "./streams/sources/adapters.ts";
export * from "./streams/topics/topics.ts";
export * from "./streams/task/task.ts";
export type { InputChanges, InputWatch } from "./streams/task/inputs.ts";
export { DELIVERIES, type Delivery, INPUT } from "./streams/topics/delivery.ts";
export * from "./streams/topics/repeats.ts";
export * from "./streams/experiments/record.ts";
export * from "./streams/experiments/registry.ts";
export * from "./streams/experiments/monitor.ts";
export * from "./streams/experiments/views.ts";
export * from "./streams/experiments/client.ts";
export * from "./streams/evaluation/target_policy.ts";
export * from "./streams/evaluation/bandit_log.ts";
export * from "./streams/evaluation/answer_log.ts";
export * from "./streams/replay/simulation.ts";
export * from "./streams/task/restore_meter.ts";
export type { StateStoreOptions, StoreStatus } from "./streams/task/state_store.ts";
export { TimeShare } from "./streams/task/time_share.ts";
export * from "./streams/feeders/feeder.ts";
export * from "./streams/feeders/topic_feeder.ts";
export { Learning, type LearningOptions, type LearningStepOptions } from "./streams/learning/learning.ts";
export * from "./streams/topics/parameters.ts";
export * from "./streams/topics/pinned_models.ts";
export * from "./streams/replay/rejections.ts";
export * from "./streams/replay/profiles.ts";
export * from "./streams/config/config.ts";
export * from "./streams/log/metered_log.ts";
export { type Door, DOORS } from "./streams/http/door_names.ts";
export { startHttp } from "./streams/server/http.ts";
export { type HttpOptions } from "./streams/server/desk.ts";
export type { HttpServer, ListenOptions } from "./streams/server/serve.ts";
export {
  type Measures as HttpMeasures,
  Metrics as HttpMetrics,
  type MetricsListener,
} from "./streams/http/metrics.ts";
export type { RefusedEntry } from "./streams/http/intake.ts";
export type { GorseSettings, HttpSettings } from "./streams/http/settings.ts";
export { type ApiKey, type RateLimit, type Scope, SCOPES } from "./streams/http/access.ts";
export type { KafkaSettings, SaslSettings, TlsSettings } from "./streams/settings/kafka_settings.ts";
export * from "./streams/service/service.ts";
export type { SharedThread } from "./streams/service/shared_thread.ts";
export type { Deployment } from "./streams/service/needed.ts";
export type { ErasureState } from "./streams/service/eraser.ts";
export type { ErasureProgress, ErasureView, Remainder } from "./streams/service/erasure_view.ts";
export type { IdleModel } from "./streams/service/idle_models.ts";
export { Retention, type RetentionOptions } from "./streams/service/retention.ts";
export type { RetentionSettings } from "./streams/settings/retention_settings.ts";
export type { LearnerFigures, Quality } from "./streams/learning/learner_figures.ts";
export * from "./streams/topics/sample_handover.ts";
export * from "./streams/replay/replay.ts";
export * from "./streams/replay/replay_report.ts";
export * from "./streams/report/report_data.ts";
export * from "./streams/report/report.ts";
export { renderSummary, type TextOptions, wantsColour } from "./streams/report/table.ts";
