/**
 * What the commands on a running deployment share: `run`, `check` and `ingest`.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { type Config, parseConfig } from "../streams/config.ts";
import type { Log } from "../streams/log/log.ts";
import { SqliteLog } from "../streams/log/sqlite_log.ts";
import { topicNames } from "../streams/topics.ts";

/** Where the log of a deployment is. */
export interface LogFlags {
  readonly log: "sqlite" | "kafka";
  readonly logPath: string;
  readonly brokers: string;
  readonly prefix: string;
}

/** How long an operation waits for brokers that are away, before it begins anew. */
const RETRY_MS = 120_000;

/** One process gains nothing from several partitions: statistics of items are kept for each. */
const DEFAULT_PARTITIONS = { sqlite: 1, kafka: 4 };

/** Adds the options of {@linkcode LogFlags}. */
export function addLogFlags(command: Command): Command {
  return command
    .addOption(new Option("--log <kind>", "log to run on").choices(["sqlite", "kafka"]).default("sqlite"))
    .option("--log-path <file>", "file of the SQLite log; one process at a time", ".data/meander.sqlite")
    .option("--brokers <list>", "Kafka brokers as host:port, with commas between", "127.0.0.1:9092")
    .option("--prefix <text>", "prefix of the topics' names", "meander.");
}

/** Opens the log. @param retryMs how long brokers that are away are waited for */
export async function openLog(flags: LogFlags, retryMs = RETRY_MS): Promise<Log> {
  if (flags.log === "sqlite") return await SqliteLog.open(flags.logPath);
  // Only here: nothing else needs kafkajs.
  const { KafkaLog } = await import("../streams/log/kafka_log.ts");
  return await KafkaLog.open({ brokers: flags.brokers.split(","), retryMs });
}

/** The partitions that a deployment has, or shall have. */
export async function partitionsOf(
  log: Log,
  flags: LogFlags & { readonly partitions?: number },
): Promise<number> {
  const existing = (await log.topics()).get(topicNames(flags.prefix).events)?.partitions;
  return flags.partitions ?? existing ?? DEFAULT_PARTITIONS[flags.log];
}

/** Reads a configuration; without a file, `meander.json` in the working folder if there is one. */
export async function readConfig(file: string | undefined): Promise<Config> {
  const path = file ?? "meander.json";
  try {
    return parseConfig(await Deno.readTextFile(path), path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    if (file === undefined) return {};
    throw new Error(`Cannot read the configuration ${file}: no such file`, { cause: error });
  }
}
