/**
 * What of a log on Kafka a deployment decides. Loads nothing of kafkajs.
 *
 * @module
 */

import { choice, count, integer, type OptionsOf } from "../../../src/options/option.ts";
import type { CompressionChoice } from "./codecs.ts";
import type { KafkaConnection } from "./connection.ts";

/** Options of `KafkaLog.open`. */
export interface KafkaLogOptions {
  /** Brokers to ask first, as `host:port`. */
  readonly brokers: readonly string[];
  /** How connections are made: TLS, login, timeouts. @default {{}} */
  readonly kafka?: KafkaConnection | undefined;
  /** How what is written is compressed; all compressions are read. @default {"auto"} */
  readonly compression?: CompressionChoice | undefined;
  /** How long an operation is tried again while brokers cannot serve it, before it fails. @default {120000} */
  readonly retryMs?: number | undefined;
  /** After so long the brokers abort what a writer that died has begun; readers wait behind it. @default {10000} */
  readonly transactionTimeoutMs?: number | undefined;
  /** After so long without a heartbeat, a group gives a member's partitions to others. @default {6000} */
  readonly sessionMs?: number | undefined;
  /** Time between heartbeats; as long does a member take to notice a change of the group. @default {500} */
  readonly heartbeatMs?: number | undefined;
  /**
   * Folder of this machine where members note that they live. Of one that was killed, those that share the folder tell
   * its group at once; otherwise it takes `sessionMs`.
   *
   * @default {none}
   */
  readonly membersFolder?: string | undefined;
  /**
   * How long a group waits for members whose handlers are busy; also for one that was killed while it joined for the
   * first time, of whom nobody can tell it.
   *
   * @default {30000}
   */
  readonly rebalanceMs?: number | undefined;
  /** Copies of each new topic, or -1 for the cluster's default. @default {-1} */
  readonly replicationFactor?: number | undefined;
  /**
   * Configuration of new topics, beside records of 8 MiB at most and no limit of age. Kafka measures age by the
   * records' own time: with a limit, old events go as soon as a segment of them is full.
   *
   * @default {{}}
   */
  readonly topicConfig?: Readonly<Record<string, string>> | undefined;
  /** Bytes of a partition to fetch at a time. @default {1048576} */
  readonly fetchBytes?: number | undefined;
  /** Bytes of records that are held for readers; beside them, one fetch for each read under way. @default {67108864} */
  readonly bufferBytes?: number | undefined;
}

/** The options of {@linkcode KafkaLogOptions} that are numbers or words. */
export const KAFKA_OPTIONS = {
  compression: choice<CompressionChoice>(
    ["auto", "none", "gzip", "snappy", "lz4", "zstd"],
    "auto",
    "how what is written is compressed; all are read. `auto`: batches below 8 KiB with lz4, others with zstd",
  ),
  retryMs: count(120_000, "how long an operation is tried again while brokers cannot serve it"),
  transactionTimeoutMs: count(10_000, "after so long brokers abort what a dead writer has begun"),
  sessionMs: count(6000, "after so long without a heartbeat others get a member's partitions"),
  heartbeatMs: count(500, "time between heartbeats"),
  rebalanceMs: count(30_000, "how long a group waits for members that are busy"),
  replicationFactor: integer(-1, { minimum: -1 }, "copies of each new topic; -1 = as the cluster does"),
  fetchBytes: count(1_048_576, "bytes of a partition to fetch at a time"),
  bufferBytes: count(67_108_864, "bytes of records that are held for readers"),
} satisfies OptionsOf<Omit<KafkaLogOptions, "brokers" | "kafka" | "membersFolder" | "topicConfig">>;
