/**
 * The log on Kafka (2.5 or newer), in its own module, so that only those who run on Kafka load a client for it.
 *
 * @example
 * ```ts ignore
 * import { DEFAULT_SCHEMA, Service } from "@meander/meander";
 * import { KafkaLog } from "@meander/meander/kafka";
 *
 * await using log = await KafkaLog.open({ brokers: ["127.0.0.1:9092"] });
 * await using service = await Service.start(log, {
 *   model: "dien",
 *   modelConfig: {},
 *   task: { schema: DEFAULT_SCHEMA },
 *   learner: { schema: DEFAULT_SCHEMA },
 * });
 * await service.ended;
 * ```
 *
 * @module
 */

export { KafkaLog } from "./streams/log/kafka/kafka_log.ts";
export type { KafkaLogOptions } from "./streams/log/kafka/options.ts";
export {
  type Compression,
  type CompressionChoice,
  COMPRESSIONS,
} from "./streams/log/kafka/protocol/codecs.ts";
export type { KafkaConnection } from "./streams/log/kafka/options.ts";
export type {
  KafkaAccount,
  KafkaLogin,
  KafkaTls,
  KafkaTlsFiles,
} from "./streams/log/kafka/logins/security.ts";
export type { KafkaSettings, SaslSettings, TlsSettings } from "./streams/log/kafka/settings.ts";
