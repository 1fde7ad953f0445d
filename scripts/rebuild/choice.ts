/** Which generation a rebuild makes, and with which weights it begins. */

import { isDeepStrictEqual } from "node:util";
import { modelName } from "../../src/nn/models/registry.ts";
import { configOf, generationChanges } from "../../streams/config/blueprint.ts";
import type { Config } from "../../streams/config/config.ts";
import { valueAt } from "../../streams/settings/config_fault.ts";
import { type Blueprint, type Generation, generationsOf } from "../../streams/topics/generations.ts";
import { hasGap } from "../../streams/generations/positions.ts";
import { lagOf } from "../../streams/log/reading.ts";
import type { RebuildOptions } from "../../streams/generations/build/options.ts";
import type { LearnerSpec } from "../../streams/service/jobs/learner_job.ts";
import { serviceLearning } from "../../streams/learning/options.ts";
import { learntBefore } from "../../streams/learning/learner_records.ts";
import { canErase } from "../../streams/log/capabilities.ts";
import type { Log } from "../../streams/log/log.ts";
import { generationOf, generationTopics, rememberedTopic, type Topics } from "../../streams/topics/topics.ts";
import { generationOptions, type GenerationSetup } from "../run/service_options.ts";

/** The learner whose weights a generation starts from, while it is built; `undefined` = it starts from scratch. */
export async function learnerToCarry(
  log: Log,
  topics: Topics,
  { carries }: Pick<Generation, "carries">,
): Promise<LearnerSpec | undefined> {
  const from = carries === undefined ? undefined : (await generationsOf(log, topics)).get(carries);
  if (from === undefined) return undefined;
  const { number, blueprint, blueprint: { seed } } = from;
  const setup = { model: modelName(blueprint.model), seed };
  return rebuildOptions(configOf(blueprint), setup, generationTopics(topics, number)).spec;
}

/** @throws Error when weights cannot be taken over */
export function checkCarried(recorded: Generation | null, blueprint: Blueprint): void {
  const { model } = blueprint;
  const was = recorded?.blueprint;
  const shapes = ({ options, seed }: Blueprint) => ({
    seed,
    embeddingWidth: valueAt(options, ["learner", "embeddingWidth"]),
    optimiser: valueAt(options, ["learner", "optimiser"]),
    admitAfter: valueAt(options, ["learner", "admitAfter"]),
    model: valueAt(options, ["models", model]),
  });
  const same = was?.model === model && isDeepStrictEqual(shapes(was), shapes(blueprint));
  if (same) return;
  throw new Error(
    `Cannot keep the weights of ${
      was?.model ?? "a deployment without a record of its options"
    } as those of ${model}: only ` +
      "fields, crosses, pooled pairs and context may differ; omit --keep-weights",
  );
}

/** Which generation is to serve next. */
export interface GenerationWanted {
  /** Number of the one that serves. */
  readonly serving: number;
  readonly blueprint: Blueprint;
  /** Whether a new one starts from the weights of the one that serves. */
  readonly keepWeights: true | undefined;
  /** Folders of backups with events that the log has dropped. */
  readonly archive: readonly string[] | undefined;
}

/** The generation that was started as configured; otherwise a new one, without a record yet. */
export async function chooseGeneration(
  log: Log,
  topics: Topics,
  { serving, blueprint, keepWeights, archive }: GenerationWanted,
): Promise<Generation> {
  const all = await generationsOf(log, topics);
  for (const generation of all.values()) {
    if (generation.number === serving) continue;
    if (generationChanges(generation.blueprint, blueprint).length > 0) continue;
    const { number, archived } = generation;
    if (archive === undefined && await hasGap(log, generationTopics(topics, number))) {
      // It may have missed erasures. A log that can erase has dropped the generation with the first of them.
      if (!archived && !canErase(log)) continue;
      await refuseGap(log, topics, generation);
    }
    return { ...generation, blueprint, archived: archive === undefined ? archived : true };
  }
  // Numbers are not reused: the topics of a dropped generation still exist.
  const used = [...(await log.topics(topics.state)).keys()].flatMap((name) =>
    generationOf(topics, name) ?? []
  );
  return {
    number: Math.max(serving, ...used, ...all.keys()) + 1,
    blueprint,
    since: Date.now(),
    isAdopted: false,
    carries: keepWeights && serving,
    archived: archive && true,
  };
}

/** The note that a begun generation continues otherwise than `--keep-weights` says; `null` = it does not. */
export async function weightsText(
  log: Log,
  topics: Topics,
  { number, blueprint: { model }, carries, hasServed }: Generation,
  keepWeights: true | undefined,
): Promise<string | null> {
  if (!(await generationsOf(log, topics)).has(number)) return null;
  const learnt = await learntBefore(log, generationTopics(topics, number), model);
  const isCarrying = carries !== undefined || learnt !== null;
  if (isCarrying === (keepWeights ?? false) || hasServed && isCarrying) return null;
  const [how, other] = isCarrying ? ["with", "learn everything anew"] : ["without", "keep weights"];
  return `generation ${number} was begun ${how} --keep-weights, and continues so; to ${other}: deno task meander rebuild ` +
    `--drop ${number}, then rebuild again`;
}

/** @throws Error when a generation was begun with backups, which are needed to continue */
async function refuseGap(log: Log, topics: Topics, { number, hasServed }: Generation): Promise<void> {
  const remembered = rememberedTopic(generationTopics(topics, number));
  if (hasServed || await log.identify(remembered) !== null && await lagOf(log, remembered, []) > 0) return;
  throw new Error(
    `Cannot continue generation ${number}: the log has dropped events that it has not read; name the backups that ` +
      `have them (--archive), or drop it: deno task meander rebuild --drop ${number}`,
  );
}

/** How a configuration is built. */
export function rebuildOptions(
  config: Config,
  { model, seed, memory }: Pick<GenerationSetup, "model" | "seed"> & { readonly memory?: number | undefined },
  topics: Topics,
): Omit<RebuildOptions, "until"> {
  const { task, learning, ...own } = generationOptions({ config, model, seed }, memory);
  return {
    spec: { ...own, schema: task.schema, learning: serviceLearning(learning), topics },
    task,
    stateBytes: memory && memory / 2,
  };
}
