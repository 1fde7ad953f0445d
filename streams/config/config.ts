/** The configuration file of a replay or a run (`meander.json`), which can override every default. */

import type { z } from "zod";
import type { JsonSchema } from "../../src/events/json_schema.ts";
import { rejectViolation } from "../../src/events/rejected.ts";
import { DEFAULT_ACTIONS } from "../../src/features/actions.ts";
import { itemField, itemFieldViolation } from "../../src/features/item_field.ts";
import { DEFAULT_SCHEMA, FEATURE_OPTIONS, type FeatureSchema } from "../../src/features/schema.ts";
import type { ConfiguredNames } from "../../src/mapping/name_check.ts";
import type { LearnerOptions } from "../../src/learner/learner_options.ts";
import { type ModelConfigs, type ModelName, MODELS } from "../../src/nn/models/registry.ts";
import { type Declared, settle } from "../../src/options/option.ts";
import { TASK_OPTIONS, type TaskOptions } from "../../src/engine/task_options.ts";
import { isOneOf } from "../../src/values/one_of.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { keysOf } from "../../src/values/record.ts";
import { withoutComments } from "../settings/json_comments.ts";
import { environmentOverrides, withOverrides } from "../settings/config_environment.ts";
import { ConfigError, type ConfigFault, lineOf, valueAt } from "../settings/config_fault.ts";
import { repeatsIn } from "../settings/json_places.ts";
import { configJsonSchemaOf, configSchema } from "./config_schema.ts";
import { remedyOfRemoved } from "./removed_fields.ts";
import type { KafkaSettings } from "../log/kafka/settings.ts";
import type { DurabilityOptions } from "../log/sqlite/durability.ts";
import type { RetentionSettings } from "../settings/retention_settings.ts";
import type { HttpSettings } from "../http/contract/settings.ts";
import { LEARNING_OPTIONS, type LearningOptions } from "../learning/options.ts";
import { isOneSubject, type OutputSettings } from "../formats/output_settings.ts";
import { compileSource } from "../mapping/record_source.ts";
import type { SourcesSettings } from "../mapping/source_settings.ts";
import { MappingError } from "../../src/mapping/mapping_error.ts";
import type { ServiceOptions } from "../service/jobs/options.ts";
import { FORMATS } from "../sources/open.ts";
import { SAMPLES_ENDING } from "../topics/surfaces.ts";

/** A decoded configuration file. Absent fields have their defaults; docs/reference/configuration.md lists every key. */
export interface Config
  extends
    Omit<TaskOptions, "schema" | "seed" | "nowMicros" | "maxJumpMs">,
    Omit<LearningOptions, "recoveryBatches" | "trimSamples" | "variant" | "handover">,
    Pick<ServiceOptions, "delivery" | "surfaceTopics">,
    DurabilityOptions {
  /** Format of lists for other programs. @default {JSON} */
  readonly outputs?: OutputSettings;
  /** Which attributes are features. */
  readonly features?: Partial<Omit<FeatureSchema, "numerics">>;
  /** Options of the learner. */
  readonly learner?: Omit<LearnerOptions, "schema" | "seed">;
  /** How to reach the brokers of a Kafka log. */
  readonly kafka?: KafkaSettings | undefined;
  /** Where the schema of the file is, for editors. */
  readonly $schema?: string;
  /** How the HTTP server behaves. */
  readonly http?: HttpSettings;
  /** How long an embedded log keeps records. */
  readonly retention?: RetentionSettings;
  /** Other systems' files, topics and callers, by name. */
  readonly sources?: SourcesSettings;
  /** Options of the models, by name. */
  readonly models?: Partial<ModelConfigs>;
}

let jsonSchema: JsonSchema | undefined;

/** The JSON Schema of a configuration file, for editors; a file names it under `$schema`. */
export function configJsonSchema(): JsonSchema {
  return jsonSchema ??= configJsonSchemaOf(configSchema);
}

/**
 * Parses a configuration file: JSON, comments allowed.
 *
 * @param env returns an environment variable, which overrides the file; see `config_environment.ts`
 * @throws ConfigError naming the file and every field that is wrong.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseConfig } from "@meander/meander";
 *
 * const config = parseConfig('{ "outcomeWindowMs": 60000 } // a minute', "meander.json");
 * assert.equal(config.outcomeWindowMs, 60_000);
 * assert.throws(() => parseConfig('{ "outcomeWindow": 1 }', "meander.json"), /line 1/);
 * ```
 */
export function parseConfig(
  text: string,
  file: string,
  env: (name: string) => string | undefined = () => undefined,
): Config {
  const json = withoutComments(text);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${file} as JSON: ${reasonOf(cause)}`, { cause });
  }
  const overrides = environmentOverrides(configJsonSchema(), env);
  const whole = withOverrides(value, overrides);
  const result = configSchema.safeParse(whole);
  const twice = repeatsIn(json).map((repeat): ConfigFault => {
    return { ...repeat, kind: "twice", value: valueAt(value, repeat.path) };
  });
  const config = result.data as Config; // as the schema accepts it; not used if it does not
  const issues = result.error?.issues ?? acrossIssues(config);
  if (issues.length === 0 && twice.length === 0) return config;
  const faults = issues.flatMap((issue): ConfigFault[] => {
    const own = issue.path.filter((part) => typeof part !== "symbol");
    const unknown = issue.code === "unrecognized_keys";
    return (unknown ? issue.keys.map((key) => [...own, key]) : [own]).map((path) => {
      const at = path.join(".");
      const setBy = overrides.findLast((one) => `${at}.`.startsWith(`${one.path.join(".")}.`))?.variable;
      return {
        path,
        kind: unknown ? "unknown" : "wrong",
        value: valueAt(whole, path),
        line: setBy === undefined ? lineOf(json, path) : null,
        variable: setBy,
        message: unknown ? messageOfUnknown(path) : issue.message,
      };
    });
  });
  throw new ConfigError(file, [...twice, ...faults]);
}

function messageOfUnknown(path: readonly (string | number)[]): string {
  const remedy = remedyOfRemoved(path);
  return remedy === undefined ? "there is no such field" : `it is gone: ${remedy}`;
}

/** Faults that involve several fields, as issues of a schema. */
function acrossIssues({ sources, surfaceTopics = {}, outputs }: Config): z.core.$ZodIssue[] {
  const taken = Object.entries(surfaceTopics).filter(([, ending]) =>
    outputs?.samples && ending === SAMPLES_ENDING
  );
  const path = ["outputs", "subject"], input = outputs?.subject;
  const message = "lists and samples would share one subject: include {record} or {topic} in it";
  const subjects: z.core.$ZodIssue[] = outputs !== undefined && isOneSubject(outputs)
    ? [{ code: "custom", path, message, input }]
    : [];
  const surfaces = taken.map(([surface, input]): z.core.$ZodIssue => {
    const message = `${input} is the ending of the topic that outputs.samples writes to: choose another`;
    return { code: "custom", path: ["surfaceTopics", surface], message, input };
  });
  return [...surfaces, ...subjects, ...sourceIssues(sources)];
}

/** Faults in sources, as issues of a schema. */
function sourceIssues(sources: SourcesSettings = {}): z.core.$ZodIssue[] {
  const followers = new Map<string, string>();
  return Object.entries(sources).flatMap(([name, settings]) => {
    const issue = (path: readonly (string | number)[], message: string): z.core.$ZodIssue => {
      return { code: "custom", path: ["sources", name, ...path], message, input: settings };
    };
    if (isOneOf(FORMATS, name)) return [issue([], `${name} is already a format`)];
    const { topic, brokers } = settings.follow ?? {};
    const follower = followers.get(`${topic}@${brokers}`) ?? name;
    if (topic !== undefined) followers.set(`${topic}@${brokers}`, follower);
    if (follower !== name) {
      return [
        issue(
          ["follow", "topic"],
          `source ${follower} already follows ${topic}: put all its rules into one source`,
        ),
      ];
    }
    try {
      compileSource(name, settings);
      return [];
    } catch (error) {
      if (error instanceof MappingError) return [issue(error.path, error.message)];
      throw error;
    }
  });
}

/**
 * The options of a task: those of a profile, overridden by the configuration.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseConfig, PROFILES, taskOptions } from "@meander/meander";
 *
 * const config = parseConfig('{ "outcomeWindowMs": 60000, "models": { "dien": { "hidden": 8 } } }', "meander.json");
 * assert.equal(taskOptions(PROFILES.meander, config, "dien").outcomeWindowMs, 60_000);
 * ```
 */
export function taskOptions(profile: TaskOptions, config: Config, model: ModelName): TaskOptions {
  const { ordered } = MODELS[model].capabilities;
  const ranking = config.ranking ?? profile.ranking ?? TASK_OPTIONS.ranking.value;
  return {
    ...profile,
    ...named(config, TASK_NAMES),
    retrieval: { head: ranking === "auto", ...(config.retrieval ?? profile.retrieval) },
    schema: {
      transitions: ordered ? {} : null,
      pooled: FEATURE_OPTIONS.pooled.value,
      ...profile.schema,
      ...defined(config.features ?? {}),
    },
    actions: { ...(profile.actions ?? DEFAULT_ACTIONS), ...config.actions },
  };
}

/** The names of actions and features that a configuration defines, including default ones. */
export function knownNames({ actions, features }: Config): ConfiguredNames {
  const { userFields, itemFields, contextFields } = { ...DEFAULT_SCHEMA, ...defined(features ?? {}) };
  const fields = itemFields.map(itemField);
  const vectors = fields.filter(({ wanted }) => wanted !== null);
  const namesOf = (some: typeof fields) => some.map(({ attribute }) => attribute);
  return {
    actions: Object.keys({ ...DEFAULT_ACTIONS, ...actions }),
    userFields,
    itemFields: namesOf(fields),
    vectors: namesOf(vectors),
    contextFields,
    whyRejected: vectors.length === 0 ? undefined : (attributes) => {
      const violation = itemFieldViolation(vectors, attributes);
      return violation && rejectViolation(violation, "item").reason;
    },
  };
}

/**
 * The options of the learner of a task.
 *
 * @param task the options of the task, with which the learner shares schema and labels
 * @param seed seed of new rows and of drawn negatives
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { learnerOptions, parseConfig, PROFILES, taskOptions } from "@meander/meander";
 *
 * const config = parseConfig('{ "learner": { "embeddingWidth": 8 } }', "meander.json");
 * const task = taskOptions(PROFILES.meander, config, "dien");
 * assert.equal(learnerOptions(task, config, 0).embeddingWidth, 8);
 * ```
 */
export function learnerOptions(task: TaskOptions, config: Config, seed: number): LearnerOptions {
  const learnsNext = (task.learnNext ?? 0) > 0 ? { learnsNext: true } : {};
  const given = { ...defined(config.learner ?? {}), ...learnsNext };
  return { ...given, schema: task.schema, seed } as LearnerOptions; // absent where undefined
}

const TASK_NAMES: readonly (keyof Config & keyof TaskOptions)[] = [
  ...keysOf(TASK_OPTIONS),
  "policy",
  "boosts",
  "frequency",
];
const LEARNING_NAMES = keysOf(LEARNING_OPTIONS);

/**
 * The options of the learner's runtime, as configured.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { learningOptions, parseConfig } from "@meander/meander";
 *
 * const config = parseConfig('{ "batchRows": 32 }', "meander.json");
 * assert.equal(learningOptions(config).batchRows, 32);
 * ```
 */
export function learningOptions(config: Config): LearningOptions {
  return named(config, LEARNING_NAMES);
}

/**
 * The options of a model as configured, with defaults filled in.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { modelConfig, parseConfig } from "@meander/meander";
 *
 * const config = parseConfig('{ "outcomeWindowMs": 60000, "models": { "dien": { "hidden": 8 } } }', "meander.json");
 * assert.equal(modelConfig("dien", config).hidden, 8);
 * ```
 */
export function modelConfig<N extends ModelName>(name: N, config: Config): ModelConfigs[N] {
  // The registry's options for a name are those of the model's type.
  return settle(MODELS[name].options as Declared, { ...config.models?.[name] }) as ModelConfigs[N];
}

/** The fields with these names that are set. */
function named<K extends keyof Config>(config: Config, names: readonly K[]): Pick<Config, K> {
  return Object.fromEntries(
    names.flatMap((name) => config[name] === undefined ? [] : [[name, config[name]]]),
  ) as Pick<Config, K>; // absent where undefined
}

/** Drops fields that are `undefined`, as exact optional properties require. */
export function defined<T extends object>(value: T): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}
