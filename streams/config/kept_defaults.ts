/**
 * Defaults that a release has changed and that weights depend on: a deployment keeps those that it was made with.
 *
 * @module
 */

import type { Log } from "../log/log.ts";
import { valueAt } from "../settings/config_fault.ts";
import { generationsOf } from "../topics/generations.ts";
import { servingGeneration } from "../topics/serving.ts";
import { DERIVED, generationTopics, type Topics } from "../topics/topics.ts";
import type { Config } from "./config.ts";

/** What they were before. A record that does not name such an option was made with this. */
export const BEFORE = { features: { pooled: false } } as const satisfies Config;

/**
 * A configuration as the deployment on a log is made, where it leaves that open: an option that it does not name stays
 * what it was before its default changed, if the deployment has it so. Only reads.
 */
export async function withKeptDefaults(
  log: Pick<Log, "identify" | "latest" | "bounds" | "read" | "topics">,
  topics: Topics,
  config: Config,
): Promise<Config> {
  if (config.features?.pooled !== undefined || !await isMadeBefore(log, topics)) return config;
  return { ...config, features: { ...config.features, ...BEFORE.features } };
}

/** Whether the generation that serves is made with the defaults from before. */
async function isMadeBefore(
  log: Pick<Log, "identify" | "latest" | "bounds" | "read" | "topics">,
  topics: Topics,
): Promise<boolean> {
  const number = await servingGeneration(log, topics);
  const recorded = (await generationsOf(log, topics)).get(number);
  if (recorded === undefined) return await hasPast(log, generationTopics(topics, number));
  return (valueAt(recorded.blueprint.options, ["features", "pooled"]) ?? BEFORE.features?.pooled) === false;
}

/** Whether tasks or a learner have written anything. Those that write a record do so before. */
async function hasPast(log: Pick<Log, "bounds" | "topics">, topics: Topics): Promise<boolean> {
  const all = await log.topics();
  for (const name of DERIVED) {
    const { partitions } = all.get(topics[name]) ?? { partitions: 0 };
    for (let partition = 0; partition < partitions; partition++) {
      if ((await log.bounds(topics[name], partition)).end > 0) return true;
    }
  }
  return false;
}
