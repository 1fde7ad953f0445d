/**
 * The log that everything is written to and read from: the port, the logs inside one process, and what moves records
 * onto and off the topics of a deployment. Kafka is in `./kafka`.
 *
 * Another log implements {@linkcode Log}, or, if it lives in one process, the storage of a {@linkcode LocalLog}.
 *
 * @example Records of a topic, in order.
 * ```ts
 * import assert from "node:assert/strict";
 * import { MemoryLog } from "@meander/meander/log";
 *
 * await using log = new MemoryLog();
 * await log.createTopics([{ name: "clicks", partitions: 1, cleanup: "delete" }]);
 * const value = new TextEncoder().encode("tent");
 * await log.append([{ topic: "clicks", key: "ann", value, time: Date.now() }]);
 *
 * const { records, next } = await log.read("clicks", 0, 0);
 * assert.deepEqual(records.map(({ key, offset }) => [key, offset]), [["ann", 0]]);
 * assert.equal(next, 1); // where to continue
 * ```
 *
 * @module
 */

// The port.
export {
  type Bounds,
  type Cleanup,
  type Commit,
  type GroupHandlers,
  type GroupMember,
  type GroupOffset,
  isTransient,
  type Log,
  LOG_ERROR_CODES,
  type LogAddress,
  type LogChannel,
  LogError,
  type LogErrorCode,
  type LogErrorOptions,
  type LogRecord,
  type Membership,
  type NewRecord,
  type ReadOptions,
  type ReadResult,
  type Scrubbed,
  type TopicIdentity,
  type TopicSpec,
  type Verified,
  type Writer,
} from "./streams/log/log.ts";
export { partitionOf } from "./streams/log/partitioner.ts";

// Logs inside one process, and parts for others.
export { MemoryLog, type MemoryLogOptions } from "./streams/log/memory_log.ts";
export { SqliteLog } from "./streams/log/sqlite/sqlite_log.ts";
export type { SqliteLogOptions } from "./streams/log/sqlite/sqlite_store.ts";
export type { Durability, DurabilityOptions } from "./streams/log/sqlite/durability.ts";
export { LocalLog, type LogStore, type LogWrite, type ReadLimits } from "./streams/log/local_log.ts";

// What goes through a log.
export {
  type CommitReport,
  type LogObserver,
  meteredLog,
  type TopicSize,
} from "./streams/log/metered_log.ts";

// The topics of a deployment.
export { topicNames, type Topics, topicSpecs } from "./streams/topics/topics.ts";
export { RepeatFilter } from "./streams/topics/repeats.ts";

// Feeding files and foreign topics into them.
export { Feeder, type FeederOptions } from "./streams/feeders/feeder.ts";
export type { SourceLag } from "./streams/feeders/followed_topic.ts";
export type { ForeignTopic } from "./streams/feeders/resumed_position.ts";
export { TopicFeeder, type TopicFeederOptions } from "./streams/feeders/topic_feeder.ts";
export type { FollowSettings } from "./streams/mapping/follow_settings.ts";
export { parseStart, type Start } from "./streams/mapping/start.ts";

// Sources of the configuration.
export { openMapped } from "./streams/sources/mapped.ts";
export type { RegistryContext } from "./streams/formats/registry_client.ts";
export type { OutputSettings } from "./streams/formats/output_settings.ts";
export type { RegistrySettings, RegistryTls } from "./streams/formats/registry_settings.ts";
export { compileSource, type RecordSource } from "./streams/mapping/record_source.ts";
export {
  RECORD_FORMATS,
  type RecordFormat,
  type SourceSettings,
  type SourcesSettings,
} from "./streams/mapping/source_settings.ts";
export { CODED_FORMATS, type CodedFormat } from "./streams/mapping/coded_formats.ts";
export { PRESET_NAMES, type PresetName } from "./streams/mapping/presets.ts";
export {
  type ConditionSettings,
  type ConditionSpec,
  type MappingSettings,
  RULE_RESULTS,
  type RuleResult,
  type RuleSettings,
  type Scalar,
  type ValueSettings,
  type ValueSpec,
} from "./src/mapping/mapping_options.ts";
export { TIME_UNITS, type TimeUnit } from "./src/mapping/times.ts";
export type { MappedRecords, TakenRecords } from "./src/mapping/entries.ts";
export type { Mapping } from "./src/mapping/mapping.ts";
export type { RecordMeta } from "./src/mapping/scope.ts";
export type { OwnRecord } from "./src/events/own_record.ts";
export type { ParsedJson } from "./src/events/json.ts";

// Dropping old records from them.
export { Retention, type RetentionOptions } from "./streams/service/erasure/retention.ts";
export type { Deployment } from "./streams/service/erasure/needed.ts";
export type { RetentionSettings } from "./streams/settings/retention_settings.ts";
