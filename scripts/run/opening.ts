/**
 * How `run` starts: it opens the log, agrees with the deployment on what to run, and waits for what is down or full.
 */

import { setTimeout as delay } from "node:timers/promises";
import { getLogger } from "@logtape/logtape";
import manifest from "../../deno.json" with { type: "json" };
import type { Config } from "../../streams/config/config.ts";
import { openOutputs, type Outputs } from "../../streams/formats/output_settings.ts";
import { RegistryError } from "../../streams/formats/registry_client.ts";
import { checkServing } from "../../streams/generations/check_serving.ts";
import { NEWEST_FORMATS } from "../../streams/generations/formats.ts";
import { Metrics } from "../../streams/http/metrics.ts";
import { type Log, LogError } from "../../streams/log/log.ts";
import { meteredLog } from "../../streams/log/metered_log.ts";
import { beforeTopics } from "../../streams/service/create_topics.ts";
import { ServingTopics } from "../../streams/service/replaceable.ts";
import { noteFormats } from "../../streams/topics/format_notes.ts";
import { servingGeneration } from "../../streams/topics/serving.ts";
import { SAMPLES_ENDING, surfaceTopic } from "../../streams/topics/surfaces.ts";
import { generationTopics, topicNames, type Topics } from "../../streams/topics/topics.ts";
import { placeOf } from "../flags/log_flags.ts";
import { openLog, partitionsOf, tasksOn } from "../flags/service_flags.ts";
import { agreeOn } from "./agreement.ts";
import { isToBuild, type OnlinePlan, planOnline } from "./online.ts";
import type { GenerationSetup, RunParts } from "./service_options.ts";
import type { RunSettings } from "./settings.ts";

/** Interval between messages, and between attempts, while something is down or full. */
const WAITING_MS = 5000;

const logger = getLogger(["meander", "run"]);

export interface Opened {
  readonly log: Log & AsyncDisposable;
  /** Topics of the first generation. */
  readonly topics: Topics;
  readonly serving: ServingTopics;
  readonly metrics: Metrics;
}

/** Opens a deployment; waits, and logs that, while its log is unavailable. @returns `null` if stopped meanwhile */
export async function open({ flags, config }: RunSettings, stopped: Promise<void>): Promise<Opened | null> {
  const topics = topicNames(flags.prefix);
  const place = placeOf(flags, config);
  logger.info("opening the log {place}", { place });
  const opening = async () => {
    const waiting = setInterval(() => logger.warn("waiting for the log {place}", { place }), WAITING_MS);
    using _waiting = { [Symbol.dispose]: () => clearInterval(waiting) };
    return await Promise.race([openLog(flags, { membersFolder: flags.members, config }), stopped]);
  };
  const log = await retryWhileUnavailable(opening, stopped) ?? null;
  if (log === null) return null;
  const serving = new ServingTopics(generationTopics(topics, await servingGeneration(log, topics)));
  const metrics = new Metrics(serving.topics);
  return { log: meteredLog(log, metrics), topics, serving, metrics };
}

/** Does work; retries, and logs that, while the log is full or a registry down. @returns `null` if stopped meanwhile */
export async function retryWhileUnavailable<Result>(
  act: () => Promise<Result>,
  stopped: Promise<void>,
): Promise<Result | null> {
  const isStopped = stopped.then(() => true);
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const isFull = error instanceof LogError && error.code === "full";
      if (!isFull && !(error instanceof RegistryError && error.isTemporary)) throw error;
      logger.warn(`waiting for ${isFull ? "room" : "the schema registry"}: {reason}`, {
        reason: error.message,
      });
    }
    if (await Promise.race([isStopped, delay(WAITING_MS, false)])) return null;
  }
}

/** What the process runs. */
export interface Agreed {
  /** Number of the generation that serves, and how it is set up. */
  readonly generation: number;
  readonly setup: GenerationSetup;
  /** What is built alongside it. */
  readonly plan: OnlinePlan | null;
  readonly outputs: RunParts["outputs"];
}

/** Agrees with the deployment on what to run, and records it once no check can fail any more. */
export async function agreeWith(
  log: Log,
  topics: Topics,
  { flags, config, roles }: RunSettings,
): Promise<Agreed> {
  const { model, variantModels: variants = [], seed } = flags;
  const existing = (await log.topics(topics.events)).get(topics.events)?.partitions;
  const partitions = flags.partitions ??
    (existing === undefined ? await partitionsOf(log, flags) : await tasksOn(log, topics));
  const given: GenerationSetup = { config, model, seed, partitions, variants };
  const planned = flags.rebuild ? await planOnline(log, topics, given, flags) : null;
  const outputs = roles.includes("task") ? await outputsOf(config, topics) : undefined;
  const plan = planned !== null && isToBuild(planned, flags) ? planned : null;
  const needs = { topics, partitions, variants, surfaceTopics: config.surfaceTopics, ...outputs };
  const serving = async (): Promise<Pick<Agreed, "generation" | "setup">> => {
    if (planned !== null) return { generation: planned.serving, setup: planned.servingSetup };
    if (!roles.includes("task") && !roles.includes("learner")) {
      return { generation: await checkServing(log, topics), setup: given };
    }
    const agreed = await beforeTopics(log, needs, () => agreeOn(log, topics, config, given));
    return { generation: agreed.number, setup: { ...given, config: agreed.config } };
  };
  const agreed = { ...await serving(), plan, outputs };
  if (roles.length > 0) {
    const note = { by: manifest.version, writes: NEWEST_FORMATS, now: Date.now() };
    await beforeTopics(log, needs, () => noteFormats(log, topics, note));
  }
  return agreed;
}

/** Makes encoders of lists and samples. @throws RegistryError when the registry is down, or refuses them */
async function outputsOf({ outputs, surfaceTopics = {} }: Config, topics: Topics): Promise<Outputs> {
  const surfaces = Object.values(surfaceTopics).map((ending) => surfaceTopic(topics, ending));
  const into = { lists: [topics.lists, ...surfaces], samples: surfaceTopic(topics, SAMPLES_ENDING) };
  return await openOutputs(outputs, into, { env: (name) => Deno.env.get(name) });
}
