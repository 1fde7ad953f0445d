/**
 * Defaults that a release has changed and that affect weights or costs: a deployment keeps the defaults that it was
 * made with.
 */

import { isRecord } from "../../src/values/record.ts";
import type { Log } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { valueAt } from "../settings/config_fault.ts";
import { generationsOf } from "../topics/generations.ts";
import { servingGeneration } from "../topics/serving.ts";
import { DERIVED, generationTopics, prefixOf, type Topics } from "../topics/topics.ts";
import type { Config } from "./config.ts";

/** The former defaults, which apply where the record of a generation lacks such an option. */
export const BEFORE = { features: { pooled: false }, retrieval: { head: false } } as const satisfies Config;

const DEFAULTS: readonly { readonly path: readonly string[]; readonly before: unknown }[] = Object.entries(
  BEFORE,
)
  .flatMap(([part, names]) =>
    Object.entries(names).map(([name, before]) => ({ path: [part, name], before }))
  );

/**
 * Fills in options that a configuration leaves open: an option whose default has changed keeps its former default if
 * the deployment on the log was made with that. Only reads.
 */
export async function withKeptDefaults(
  log: Pick<Log, "identify" | "latest" | "bounds" | "read" | "topics">,
  topics: Topics,
  config: Config,
): Promise<Config> {
  const open = DEFAULTS.filter(({ path }) => valueAt(config, path) === undefined);
  const made = open.length === 0 ? null : await madeWith(log, topics);
  const kept = open.filter(({ path, before }) => made !== null && (valueAt(made, path) ?? before) === before);
  return kept.reduce<Config>((whole, { path, before }) => withValue(whole, path, before), config);
}

/** A copy of a part of a configuration, with the option at a path set to a value. */
function withValue(part: object, [name, ...rest]: readonly string[], value: unknown): object {
  const inner = valueAt(part, [name!]);
  return {
    ...part,
    [name!]: rest.length === 0 ? value : withValue(isRecord(inner) ? inner : {}, rest, value),
  };
}

/** Options that the serving generation was made with, as far as recorded; `null` when there is no deployment yet. */
async function madeWith(
  log: Pick<Log, "identify" | "latest" | "bounds" | "read" | "topics">,
  topics: Topics,
): Promise<object | null> {
  const number = await servingGeneration(log, topics);
  const recorded = async () => (await generationsOf(log, topics)).get(number)?.blueprint.options;
  const options = await recorded();
  if (options !== undefined) return options;
  if (!await hasPast(log, generationTopics(topics, number))) return null;
  return await recorded() ?? {}; // another process may have begun it in between
}

/**
 * Whether tasks or a learner have written anything. Ends of topics do not show it, since aborted transactions, as of
 * `check --rights`, move them, too. Deployments that record their blueprint do so before they write anything else.
 */
async function hasPast(log: Pick<Log, "bounds" | "read" | "topics">, topics: Topics): Promise<boolean> {
  const all = await log.topics(prefixOf(topics));
  for (const name of DERIVED) {
    const { partitions } = all.get(topics[name]) ?? { partitions: 0 };
    for (let partition = 0; partition < partitions; partition++) {
      if ((await log.bounds(topics[name], partition)).start > 0) return true; // records were dropped
      const { done } = await readAll(log, topics[name], partition).next();
      if (!done) return true;
    }
  }
  return false;
}
