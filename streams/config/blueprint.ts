/** The blueprint of a deployment: its configuration and flags, with all defaults filled in. */

import { isDeepStrictEqual } from "node:util";
import {
  DEFAULT_POLICY,
  SERVICE_OPEN_ITEMS,
  SERVICE_UNLISTED_ITEMS,
  TASK_OPTIONS,
  type TaskOptions,
} from "../../src/engine/task_options.ts";
import { DEFAULT_SCHEMA, FEATURE_OPTIONS } from "../../src/features/schema.ts";
import { LEARNER_OPTIONS } from "../../src/learner/learner_options.ts";
import { type ModelName, modelName, MODELS } from "../../src/nn/models/registry.ts";
import { type Declared, type Reach, settleAll } from "../../src/options/option.ts";
import { isRecord } from "../../src/values/record.ts";
import { type Change, changesBetween } from "../generations/changes.ts";
import type { Blueprint } from "../topics/generations.ts";
import { LEARNING_OPTIONS } from "../learning/options.ts";
import { valueAt } from "../settings/config_fault.ts";
import { RETENTION_OPTIONS } from "../settings/retention_settings.ts";
import { type Config, defined, modelConfig, taskOptions } from "./config.ts";
import { BEFORE } from "./kept_defaults.ts";
import { reachesOf } from "./reach.ts";

/** What the tasks of a service start from, in place of a data set's profile: nothing that clients send is unbounded. */
export const SERVICE_PROFILE: TaskOptions = {
  schema: DEFAULT_SCHEMA,
  maxUnlistedItems: SERVICE_UNLISTED_ITEMS,
  maxOpenItems: SERVICE_OPEN_ITEMS,
};

/** What defines a deployment in addition to its configuration. */
export interface DeploymentFlags {
  readonly model: ModelName;
  readonly variants: readonly ModelName[];
  /** Number of partitions of `events`. */
  readonly partitions: number;
  /** Seed of weights and draws. */
  readonly seed: number;
}

/** The blueprint of a deployment: everything that its records on the log depend on. */
export function blueprintOf(
  config: Config,
  { model, variants, partitions, seed }: DeploymentFlags,
): Blueprint {
  const task = taskOptions(SERVICE_PROFILE, config, model);
  const models = [model, ...variants];
  const options = {
    features: settleAll(FEATURE_OPTIONS, task.schema),
    actions: task.actions,
    ...settleAll(TASK_OPTIONS, task),
    policy: task.policy ?? DEFAULT_POLICY,
    boosts: task.boosts ?? [],
    frequency: task.frequency ?? null,
    ...settleAll(LEARNING_OPTIONS, config),
    learner: settleAll(LEARNER_OPTIONS, config.learner),
    retention: settleAll(RETENTION_OPTIONS, config.retention),
    models: Object.fromEntries(models.map((name) => [name, modelConfig(name, config)])),
    sources: followedTopics(config),
  };
  // Drops undefined values, as a round trip over the log does.
  return JSON.parse(JSON.stringify({ model, variants, partitions, seed, options })) as Blueprint;
}

/** The topics that sources follow, by the names of these. */
function followedTopics({ sources = {} }: Config): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(
    Object.entries(sources).flatMap(([name, { follow }]) => follow ? [[name, follow.topic]] : []),
  );
}

/** A configuration that results in a blueprint; what the blueprint does not record is left at its defaults. */
export function configOf({ model, variants, options }: Blueprint): Config {
  const { features, actions, policy, boosts, frequency, learner, retention, models, ...own } = options;
  const made = Object.entries(models ?? {}).filter(([name]) => [model, ...variants].includes(name));
  return {
    ...given(TASK_OPTIONS, own),
    ...given(LEARNING_OPTIONS, own),
    ...defined({ actions, policy, boosts, frequency: frequency ?? undefined }),
    features: given(FEATURE_OPTIONS, features),
    learner: given(LEARNER_OPTIONS, learner),
    retention: given(RETENTION_OPTIONS, retention),
    models: Object.fromEntries(
      made.map(([name, of]) => [name, given(MODELS[modelName(name)].options, of)]),
    ),
  } as Config; // absent where undefined
}

/** The options with a value, among those that this release declares. */
function given(declared: Declared, of: unknown): object {
  const values = isRecord(of) ? of : {};
  return Object.fromEntries(
    Object.entries(declared).flatMap(([name, { kind, isNullable }]) => {
      const own = values[name];
      if (own === undefined || own === null && !isNullable) return [];
      const isPart = (kind.kind === "group" || kind.kind === "switch") && typeof own === "object" &&
        own !== null;
      return [[name, isPart ? given(kind.of, own) : own]];
    }),
  );
}

/**
 * What differs between two blueprints, of which the first may be from another release: an option that it lacks is no
 * change if it has its default now, nor is an option that this release no longer has.
 */
export function blueprintChanges(before: Blueprint, now: Blueprint): readonly Change[] {
  const reaches = reachesOf();
  const usual =
    blueprintOf(BEFORE, { ...now, model: modelName(now.model), variants: now.variants.map(modelName) })
      .options;
  return changesBetween(before, now, (path) => reachOf(path, reaches)).filter(({ name, ...change }) => {
    if (/^models\.[^.]+$/.test(name)) return false; // a different model or variant is a change of its own
    if (change.before === undefined) return !isDeepStrictEqual(change.now, valueAt(usual, name.split(".")));
    return change.now !== undefined || reaches.has(name) || reaches.has(name.replace(/[^.]+$/, "*"));
  });
}

/** {@linkcode blueprintChanges}, without those of what processes take in, by which no generation is another one. */
export function generationChanges(before: Blueprint, now: Blueprint): readonly Change[] {
  return blueprintChanges(before, now).filter(({ name }) => name.split(".")[0] !== "sources");
}

/** How far a change of a part of a blueprint reaches. @param path such as `model` or `options.sequence.window` */
function reachOf(path: string, reaches: ReadonlyMap<string, Reach | undefined>): Reach {
  if (!path.startsWith(OPTIONS)) return BESIDE[path] ?? "rebuild";
  for (let at = path.slice(OPTIONS.length); at !== ""; at = at.slice(0, Math.max(0, at.lastIndexOf(".")))) {
    const reach = reaches.get(at);
    if (reach !== undefined) return reach;
  }
  return "rebuild";
}

const OPTIONS = "options.";

/** Reaches of settings outside the configuration; a variant's model has its own versions and learner. */
const BESIDE: Readonly<Record<string, Reach>> = {
  model: "rebuild",
  partitions: "rebuild",
  variants: "at-once",
  seed: "rebuild",
};
