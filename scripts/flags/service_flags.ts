/**
 * What flags and configuration say together: the log of a deployment, opened, and its configuration, read.
 *
 * @module
 */

import type { Config } from "../../streams/config/config.ts";
import { readConfig } from "../../streams/config/read.ts";
import { kafkaOptions, type KafkaSettings } from "../../streams/settings/kafka_settings.ts";
import type { KafkaLog } from "../../streams/log/kafka/kafka_log.ts";
import type { Log } from "../../streams/log/log.ts";
import { settle, type Settled } from "../../src/options/option.ts";
import { SQLITE_OPTIONS } from "../../streams/log/sqlite/durability.ts";
import { SqliteLog } from "../../streams/log/sqlite/sqlite_log.ts";
import { topicNames } from "../../streams/topics/topics.ts";
import { DEFAULT_PARTITIONS, type KafkaFlags, type LogFlags } from "./log_flags.ts";

/**
 * Opens the log.
 *
 * @param retryMs how long brokers that are away are waited for when the configuration does not say
 * @param membersFolder see `KafkaLogOptions`, for whoever joins groups
 * @param config what the flags say otherwise wins over
 */
export async function openLog(
  flags: LogFlags,
  retryMs?: number,
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
): Settled<typeof SQLITE_OPTIONS> {
  const { durability = config.durability, syncMs = config.syncMs } = flags;
  return settle(SQLITE_OPTIONS, { durability, syncMs });
}

/** Opens a Kafka log as flags and configuration have it. */
export async function openKafka(
  flags: KafkaFlags,
  config: Config,
  retryMs?: number,
  membersFolder?: string,
): Promise<KafkaLog> {
  const options = await kafkaOptions(settingsOf(flags, config.kafka ?? {}), {
    readFile: (path) => Deno.readTextFile(path),
    env: (name) => Deno.env.get(name),
  });
  // Only here: nothing else needs kafkajs.
  const { KafkaLog } = await import("../../streams/log/kafka/kafka_log.ts");
  return await KafkaLog.open({ retryMs, membersFolder, ...options });
}

/** Files that are read to reach Kafka: certificates and secrets. */
export function kafkaFiles(flags: KafkaFlags, config: Config): string[] {
  const { tls, sasl } = settingsOf(flags, config.kafka ?? {});
  const files = typeof tls === "object" ? [tls.caFile, tls.certFile, tls.keyFile, tls.passphraseFile] : [];
  return [...files, sasl?.passwordFile].filter((file) => file !== undefined);
}

/** Settings with what the flags say. */
function settingsOf(flags: KafkaFlags, settings: KafkaSettings): KafkaSettings {
  const { brokers, tls, tlsCaFile, tlsCertFile, tlsKeyFile, saslMechanism, saslUsername, saslPasswordFile } =
    flags;
  const files = given({ caFile: tlsCaFile, certFile: tlsCertFile, keyFile: tlsKeyFile });
  const ownTls = typeof settings.tls === "object" ? settings.tls : {};
  const mechanism = saslMechanism ?? settings.sasl?.mechanism;
  const login = given({ username: saslUsername, passwordFile: saslPasswordFile });
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

/** The partitions that a deployment has, or shall have. */
export async function partitionsOf(
  log: Log,
  flags: LogFlags & { readonly partitions?: number },
): Promise<number> {
  const existing = (await log.topics()).get(topicNames(flags.prefix).events)?.partitions;
  return flags.partitions ?? existing ?? DEFAULT_PARTITIONS[flags.log];
}
