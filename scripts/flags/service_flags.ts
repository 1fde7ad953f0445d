/** Opens the log of a deployment, as flags and configuration say. */

import type { Config } from "../../streams/config/config.ts";
import { readConfig } from "../../streams/config/read.ts";
import type { LogKind, OpenContext } from "../../streams/log/kind.ts";
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { kindOf, LOG_KINDS } from "../../streams/log/kinds/kinds.ts";
import { type Log, type LogAddress, LogError } from "../../streams/log/log.ts";
import { ownPartitions } from "../../streams/task/inputs/own_partitions.ts";
import { formatNotes, refuseNewer } from "../../streams/topics/format_notes.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { generationTopics, prefixOf, topicNames, type Topics } from "../../streams/topics/topics.ts";
import { chosenLog, type LogFlags, mustExist, placeOf } from "./log_flags.ts";

export interface OpenLogOptions extends Pick<OpenContext, "retryMs" | "membersFolder"> {
  /** The configuration, if it was read already. @default {that of the flags} */
  readonly config?: Config | undefined;
  /** The kinds to choose from. @default {LOG_KINDS} */
  readonly kinds?: readonly LogKind[];
}

/** Where a log is and how it is opened, as flags and configuration say. Reads the files and variables that they name. */
export async function logAddressOf(flags: LogFlags, options: OpenLogOptions = {}): Promise<LogAddress> {
  const { config = await readConfig(flags.config), kinds = LOG_KINDS, retryMs, membersFolder } = options;
  const { kind, settings } = chosenLog(flags, config, kinds);
  const resolved = await kind.resolve(settings, {
    retryMs,
    membersFolder,
    readFile: (path) => Deno.readTextFile(path),
    env: (name) => Deno.env.get(name),
  });
  return { kind: kind.kind, options: resolved };
}

/**
 * Opens the log of a deployment, without partitions that were added to topics that only it writes.
 *
 * @throws Error when a newer release has worked on it
 */
export async function openLog(flags: LogFlags, options: OpenLogOptions = {}): Promise<Log> {
  const { kind, options: resolved } = await logAddressOf(flags, options);
  const topics = topicNames(flags.prefix);
  const log = ownPartitions(await kindOf(kind, options.kinds).open(resolved), topics);
  try {
    refuseNewer(`work on ${flags.prefix}*`, await formatNotes(log, topics), NEWEST_FORMATS);
  } catch (error) {
    await log[Symbol.asyncDispose]();
    throw error;
  }
  return log;
}

/** How long brokers may be down while a user waits for the answer. */
export const RETRY_MS = 10_000;

/**
 * Opens the log of a deployment, which must exist.
 *
 * @param remedy what to do if another process has it open
 */
export async function openAlone(
  flags: LogFlags,
  remedy = "stop that process, or query it with --url",
): Promise<Log> {
  await mustExist(flags);
  return await openLog(flags, { retryMs: RETRY_MS }).catch((error) => {
    if (!(error instanceof LogError) || error.code !== "locked") throw error;
    throw new Error(`Cannot use ${placeOf(flags)}: another process has it open; ${remedy}`);
  });
}

/** The number of tasks of the serving generation; 1 if there is none. @param topics those of the first generation */
export async function tasksOn(log: Log, topics: Topics): Promise<number> {
  const existing = await log.topics(prefixOf(topics));
  const { state, events } = generationTopics(topics, await servingGeneration(log, topics));
  return existing.get(state)?.partitions ?? existing.get(events)?.partitions ?? 1;
}

/** The partitions that a deployment has, or will have. */
export async function partitionsOf(
  log: Log,
  flags: LogFlags & { readonly partitions?: number },
): Promise<number> {
  const existing = (await log.topics(flags.prefix)).get(topicNames(flags.prefix).events)?.partitions;
  return flags.partitions ?? existing ?? kindOf(flags.log).partitions;
}
