/**
 * The flags that commands on a log share: where it is, and how it is reached.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { DURABILITIES, type Durability, SQLITE_OPTIONS } from "../streams/log/sqlite/durability.ts";
import { count } from "./command_line.ts";

/** How to reach Kafka; each flag wins over the section `kafka` of the configuration. */
export interface KafkaFlags {
  readonly brokers?: string;
  readonly tls?: true;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly sasl?: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly saslUser?: string;
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
      .addOption(
        new Option(
          "--durability <what>",
          "on sqlite, what an answer survives: kill -9, or a power cut too (default: process)",
        )
          .choices([...DURABILITIES]),
      )
      .option(
        "--sync-ms <ms>",
        `on sqlite, time after which the disk is asked to confirm what was written (default: ${SQLITE_OPTIONS.syncMs.value})`,
        count,
      ),
  )
    .option("--prefix <text>", "prefix of the topics' names", "meander.")
    .option("--config <file>", "overrides of any default, as JSON (default: meander.json, if there is one)");
}

/** Adds the options of {@linkcode KafkaFlags}. */
export function addKafkaFlags(command: Command): Command {
  const mechanisms = ["plain", "scram-sha-256", "scram-sha-512"];
  return command
    .option("--brokers <list>", "Kafka brokers as host:port, with commas between (default: 127.0.0.1:9092)")
    .option("--tls", "encrypt connections to Kafka")
    .option("--tls-ca <file>", "certificates to trust, as PEM")
    .option("--tls-cert <file>", "our own certificate, as PEM")
    .option("--tls-key <file>", "its key, as PEM; a passphrase in MEANDER_TLS_PASSPHRASE")
    .addOption(new Option("--sasl <mechanism>", "log in to Kafka").choices(mechanisms))
    .option("--sasl-user <name>", "as this user (default: MEANDER_SASL_USERNAME)")
    .option("--sasl-password-file <file>", "with the password in it (default: MEANDER_SASL_PASSWORD)");
}

/** The place of a log, for people. */
export function placeOf({ log, logPath, brokers }: LogFlags): string {
  return log === "sqlite" ? logPath : brokers ?? "Kafka";
}
