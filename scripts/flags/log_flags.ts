/**
 * The flags that commands on a log share: where it is, and how it is reached.
 *
 * @module
 */

import { DEFAULT_PREFIX } from "../../streams/topics/topics.ts";
import { type Command, Option } from "commander";
import { type Durability, SQLITE_OPTIONS } from "../../streams/log/sqlite/durability.ts";
import { DEFAULT_BROKERS, SASL_OPTIONS, TLS, TLS_OPTIONS } from "../../streams/settings/kafka_settings.ts";
import { optionFlag } from "./option_flags.ts";

/** How to reach Kafka; each flag wins over the section `kafka` of the configuration. */
export interface KafkaFlags {
  readonly brokers?: string;
  readonly tls?: true;
  readonly tlsCaFile?: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  readonly saslMechanism?: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly saslUsername?: string;
  readonly saslPasswordFile?: string;
}

/** Where the log of a deployment is. */
export interface LogFlags extends KafkaFlags {
  readonly log: "sqlite" | "kafka";
  readonly logPath: string;
  readonly durability?: Durability;
  readonly syncMs?: number;
  readonly prefix: string;
  readonly config?: string;
}

/** Adds the options of {@linkcode LogFlags}. */
export function addLogFlags(command: Command): Command {
  return addKafkaFlags(
    command
      .addOption(new Option("--log <kind>", "log to run on").choices(["sqlite", "kafka"]).default("sqlite"))
      .option("--log-path <file>", "file of the SQLite log; one process at a time", ".data/meander.sqlite")
      .addOption(optionFlag("durability", SQLITE_OPTIONS.durability))
      .addOption(optionFlag("syncMs", SQLITE_OPTIONS.syncMs)),
  )
    .option("--prefix <text>", "prefix of the topics' names", DEFAULT_PREFIX)
    .option("--config <file>", "overrides of any default, as JSON (default: meander.json, if there is one)");
}

/** Adds the options of {@linkcode KafkaFlags}. */
export function addKafkaFlags(command: Command): Command {
  return command
    .option(
      "--brokers <list>",
      `Kafka brokers as host:port, with commas between (default: ${DEFAULT_BROKERS.join(",")})`,
    )
    .addOption(optionFlag("tls", TLS, "encrypt connections to Kafka"))
    .addOption(optionFlag("tls.caFile", TLS_OPTIONS.caFile))
    .addOption(optionFlag("tls.certFile", TLS_OPTIONS.certFile))
    .addOption(optionFlag("tls.keyFile", TLS_OPTIONS.keyFile))
    .addOption(optionFlag("sasl.mechanism", SASL_OPTIONS.mechanism, "how to log in to Kafka"))
    .addOption(optionFlag("sasl.username", SASL_OPTIONS.username))
    .addOption(optionFlag("sasl.passwordFile", SASL_OPTIONS.passwordFile));
}

/** The place of a log, for people. */
export function placeOf({ log, logPath, brokers }: LogFlags): string {
  return log === "sqlite" ? logPath : brokers ?? "Kafka";
}

/** Partitions of new topics. One process gains nothing from several: statistics of items are kept for each. */
export const DEFAULT_PARTITIONS = { sqlite: 1, kafka: 4 } as const;
