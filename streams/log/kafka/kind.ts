/** The log on Kafka as a kind. Loads kafkajs only when a log is opened. */

import type { LogKind } from "../kind.ts";
import type { KafkaLogOptions } from "./options.ts";
import { KAFKA_SETTINGS, kafkaFiles, kafkaOptions, type KafkaSettings } from "./settings.ts";

/** Native libraries read this file to find out which C library the machine has, and so which build to load. */
const LDD = "/usr/bin/ldd";

const kind: LogKind<KafkaSettings> = {
  kind: "kafka",
  section: "kafka",
  options: KAFKA_SETTINGS,
  places: {},
  flags: {
    "brokers": "Kafka brokers as host:port, comma-separated",
    "tls": "encrypt connections to Kafka",
    "tls.caFile": null,
    "tls.certFile": null,
    "tls.keyFile": null,
    "sasl.mechanism": "how to log in to Kafka",
    "sasl.username": null,
    "sasl.passwordFile": null,
  },
  capabilities: {
    indexesKeys: false,
    canErase: false,
    isShared: true,
    hasRetention: true,
    canVerify: false,
    isDurable: true,
  },
  partitions: 4,
  // A transaction costs milliseconds and extra records.
  answerIntervalMs: 100,
  fileOf: () => null,
  placeOf: ({ brokers }) => brokers?.join(",") ?? "Kafka",
  needsOf: (settings) => ({ net: true, ffi: true, reads: [LDD, ...kafkaFiles(settings)] }),
  async resolve(settings, { retryMs, membersFolder, ...reader }) {
    const options = await kafkaOptions(settings, reader);
    return { ...options, membersFolder, retryMs: options.retryMs ?? retryMs } satisfies KafkaLogOptions;
  },
  async open(options) {
    const { KafkaLog } = await import("./kafka_log.ts");
    return await KafkaLog.open(options as KafkaLogOptions); // of `resolve`
  },
};

export const KAFKA_KIND = kind as LogKind; // callers have settings by name only
