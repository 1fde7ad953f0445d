/** Options of a log on Kafka. Does not load kafkajs. */

import { choice, count, integer, type OptionsOf, type Settled } from "../../../src/options/option.ts";
import type { KafkaLogin, KafkaTls } from "./logins/security.ts";
import type { CompressionChoice } from "./protocol/codecs.ts";
import type { KafkaConfig } from "kafkajs";

/** How a {@linkcode KafkaLog} connects. */
export interface KafkaConnection {
  /** Name of the client in the brokers' logs, metrics and quotas. @default {"kafkajs"} */
  readonly clientId?: string | undefined;
  /** TLS; `true` = with all defaults. @default {false} */
  readonly ssl?: boolean | KafkaTls | undefined;
  /** The login. @default {none} */
  readonly sasl?: KafkaLogin | undefined;
  /** How long connecting may take, milliseconds. @default {1000} */
  readonly connectionTimeout?: number | undefined;
  /** How long before the end of a session the client logs in again, milliseconds. @default {10_000} */
  readonly reauthenticationThreshold?: number | undefined;
  /** How long a broker may take to answer before another is tried, milliseconds. @default {10_000} */
  readonly requestTimeout?: number | undefined;
  /** @internal Opens sockets. @default {net.connect or tls.connect} */
  readonly socketFactory?: KafkaConfig["socketFactory"];
}

/** Options of `KafkaLog.open`. */
export interface KafkaLogOptions {
  /** Bootstrap brokers, as `host:port`. */
  readonly brokers: readonly string[];
  /** How connections are made: TLS, login, timeouts. @default {{}} */
  readonly kafka?: KafkaConnection | undefined;
  /** How to compress writes; reads accept every compression. @default {"auto"} */
  readonly compression?: CompressionChoice | undefined;
  /** How long to retry while brokers cannot serve an operation, milliseconds. @default {120000} */
  readonly retryMs?: number | undefined;
  /**
   * Time after which brokers abort the transaction of a dead writer, milliseconds; until then it blocks readers.
   *
   * @default {10000}
   */
  readonly transactionTimeoutMs?: number | undefined;
  /** Time without a heartbeat after which a group reassigns a member's partitions, milliseconds. @default {6000} */
  readonly sessionMs?: number | undefined;
  /** Time between heartbeats, milliseconds. Members notice a change of the group at the next. @default {500} */
  readonly heartbeatMs?: number | undefined;
  /**
   * Folder in which members on this machine register. When one is killed, the others report it to the group at once;
   * without the folder, the group notices after `sessionMs`.
   *
   * @default {none}
   */
  readonly membersFolder?: string | undefined;
  /**
   * How long a group waits for members with busy handlers, milliseconds, and for a member that was killed during its
   * first join.
   *
   * @default {30000}
   */
  readonly rebalanceMs?: number | undefined;
  /** Copies of each new topic, or -1 for the cluster's default. @default {-1} */
  readonly replicationFactor?: number | undefined;
  /**
   * Configuration of new topics, which otherwise take records of up to 8 MiB and have no retention limit. Kafka
   * measures age by record time: with a limit, old events are dropped as soon as a segment of them is full.
   *
   * @default {{}}
   */
  readonly topicConfig?: Readonly<Record<string, string>> | undefined;
}

/** The options of {@linkcode KafkaLogOptions} that are numbers or choices. */
export const KAFKA_OPTIONS = {
  compression: choice<CompressionChoice>(
    ["auto", "none", "gzip", "snappy", "lz4", "zstd"],
    "auto",
    "compression of writes; reads accept all. `auto`: lz4 for batches below 8 KiB, zstd for others",
  ),
  retryMs: count(120_000, "how long an operation is retried while brokers cannot serve it"),
  transactionTimeoutMs: count(10_000, "time after which brokers abort the transaction of a dead writer"),
  sessionMs: count(6000, "time without a heartbeat after which a member's partitions are reassigned"),
  heartbeatMs: count(500, "time between heartbeats"),
  rebalanceMs: count(30_000, "how long a group waits for members that are busy"),
  replicationFactor: integer(-1, { minimum: -1 }, "copies of each new topic; -1 = the cluster's default"),
} satisfies OptionsOf<Omit<KafkaLogOptions, "brokers" | "kafka" | "membersFolder" | "topicConfig">>;

/** Options of a log with all defaults filled in. */
export type KafkaLogSettings =
  & Settled<typeof KAFKA_OPTIONS>
  & KafkaLogOptions
  & Required<Pick<KafkaLogOptions, "kafka" | "topicConfig">>;
