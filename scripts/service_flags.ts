/**
 * What the commands on a log share: `run`, `check`, `ingest` and `replay`.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { type Config, parseConfig } from "../streams/config.ts";
import { kafkaOptions, type KafkaSettings } from "../streams/kafka_settings.ts";
import type { KafkaLog } from "../streams/log/kafka_log.ts";
import type { Log } from "../streams/log/log.ts";
import { DURABILITIES, type Durability, SYNC_MS } from "../streams/log/durability.ts";
import { SqliteLog, type SqliteLogOptions } from "../streams/log/sqlite_log.ts";
import { topicNames } from "../streams/topics.ts";
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

/** How long an operation waits for brokers that are away, before it begins anew. */
const RETRY_MS = 120_000;

/** One process gains nothing from several partitions: statistics of items are kept for each. */
const DEFAULT_PARTITIONS = { sqlite: 1, kafka: 4 };

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
        `on sqlite, time after which the disk is asked to confirm what was written (default: ${SYNC_MS})`,
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

/**
 * Opens the log.
 *
 * @param retryMs how long brokers that are away are waited for
 * @param membersFolder see `KafkaLogOptions`, for whoever joins groups
 * @param config what the flags say otherwise wins over
 */
export async function openLog(
  flags: LogFlags,
  retryMs = RETRY_MS,
  membersFolder?: string,
  config?: Config,
): Promise<Log> {
  const settings = config ?? await readConfig(flags.config);
  if (flags.log === "sqlite") return await SqliteLog.open(flags.logPath, sqliteOptions(flags, settings));
  return await openKafka(flags, settings, retryMs, membersFolder);
}

/** Options of a SQLite log as flags and configuration have them. */
export function sqliteOptions(
  flags: Pick<LogFlags, "durability" | "syncMs">,
  config: Config,
): Pick<SqliteLogOptions, "durability" | "syncMs"> {
  const durability = flags.durability ?? config.durability;
  const syncMs = flags.syncMs ?? config.syncMs;
  return { ...(durability === undefined ? {} : { durability }), ...(syncMs === undefined ? {} : { syncMs }) };
}

/** Opens a Kafka log as flags and configuration have it. */
export async function openKafka(
  flags: KafkaFlags,
  config: Config,
  retryMs = RETRY_MS,
  membersFolder?: string,
): Promise<KafkaLog> {
  const options = await kafkaOptions(settingsOf(flags, config.kafka ?? {}), {
    readFile: (path) => Deno.readTextFile(path),
    env: (name) => Deno.env.get(name),
  });
  // Only here: nothing else needs kafkajs.
  const { KafkaLog } = await import("../streams/log/kafka_log.ts");
  const members = membersFolder === undefined ? {} : { membersFolder };
  return await KafkaLog.open({ retryMs, ...members, ...options });
}

/** Settings with what the flags say. */
function settingsOf(flags: KafkaFlags, settings: KafkaSettings): KafkaSettings {
  const { brokers, tls, tlsCa, tlsCert, tlsKey, sasl, saslUser, saslPasswordFile } = flags;
  const files = given({ caFile: tlsCa, certFile: tlsCert, keyFile: tlsKey });
  const ownTls = typeof settings.tls === "object" ? settings.tls : {};
  const mechanism = sasl ?? settings.sasl?.mechanism;
  const login = given({ username: saslUser, passwordFile: saslPasswordFile });
  return {
    ...settings,
    ...(brokers === undefined ? {} : { brokers: brokers.split(",") }),
    ...(tls || Object.keys(files).length > 0 ? { tls: { ...ownTls, ...files } } : {}),
    ...(mechanism === undefined ? {} : { sasl: { ...settings.sasl, mechanism, ...login } }),
  };
}

function given(fields: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined),
  );
}

/** The place of a log, for people. */
export function placeOf({ log, logPath, brokers }: LogFlags): string {
  return log === "sqlite" ? logPath : brokers ?? "Kafka";
}

/** The partitions that a deployment has, or shall have. */
export async function partitionsOf(
  log: Log,
  flags: LogFlags & { readonly partitions?: number },
): Promise<number> {
  const existing = (await log.topics()).get(topicNames(flags.prefix).events)?.partitions;
  return flags.partitions ?? existing ?? DEFAULT_PARTITIONS[flags.log];
}

/** The configuration of a working folder. */
export const DEFAULT_CONFIG = "meander.json";

/**
 * Reads a configuration; without a file, `meander.json` in the working folder if there is one. The environment wins
 * over it.
 */
export async function readConfig(file: string | undefined): Promise<Config> {
  const path = file ?? DEFAULT_CONFIG;
  const env = (name: string) => Deno.env.get(name);
  try {
    return parseConfig(await Deno.readTextFile(path), path, env);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (file === undefined) return parseConfig("{}", "the environment", env);
    throw new Error(`Cannot read the configuration ${file}: no such file`, { cause: error });
  }
}
