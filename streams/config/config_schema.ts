/** The schema of the configuration file, from which docs/reference/configuration.md is generated. */

import { z } from "zod";
import type { JsonSchema } from "../../src/events/json_schema.ts";
import { COMPARISONS } from "../../src/events/event.ts";
import { FEATURE_OPTIONS } from "../../src/features/schema.ts";
import { LEARNER_OPTIONS } from "../../src/learner/learner_options.ts";
import { DEFAULT_POLICY, TASK_OPTIONS } from "../../src/engine/task_options.ts";
import { MODEL_NAMES, MODELS } from "../../src/nn/models/registry.ts";
import { LEARNING_OPTIONS } from "../learning/options.ts";
import { optionSchema, optionsSchema, reaching, shapeOf } from "../settings/option_schema.ts";
import { absent, field } from "../settings/config_field.ts";
import { policySchema } from "../settings/policy_schema.ts";
import { httpSchema } from "../http/contract/settings.ts";
import type { LogKind } from "../log/kind.ts";
import { LOG_KINDS } from "../log/kinds/kinds.ts";
import { RETENTION_OPTIONS } from "../settings/retention_settings.ts";
import { OUTPUTS } from "../formats/output_settings.ts";
import { SOURCES } from "../mapping/source_settings.ts";
import { DELIVERY } from "../topics/delivery.ts";
import { SURFACE_TOPICS } from "../topics/surfaces.ts";

const positive = z.number().positive();
const count = z.int().positive();
const natural = z.int().min(0);
const flag = z.boolean();

const action = z.strictObject({
  positive: field(
    z.union([flag, z.number()]),
    "whether it is a positive outcome; a number: the smallest value that counts as one",
  ),
  explicit: field(
    flag.optional(),
    "whether it settles the outcome of its item at once, even as a negative",
    false,
  ),
  strength: field(z.number().nullable(), "weight in the user's sequence; `null` = left out of it"),
  surprise: field(
    flag.optional(),
    "whether the strength is multiplied by the distance of the value from the expected one",
    false,
  ),
});

/** Most actions: a state has room for 256, with those of earlier configurations. */
const MOST_ACTIONS = 200;

const actions = z.record(z.string(), action).refine(
  (actions) => Object.keys(actions).length <= MOST_ACTIONS,
  `expected at most ${MOST_ACTIONS} actions`,
);

const boosts = z.array(z.strictObject({
  by: field(z.number().gt(0).max(1000), "factor on the odds of these items; below 1 lowers them"),
  categories: field(
    z.array(z.string()).optional(),
    "only items with one of these categories",
    absent("any"),
  ),
  notCategories: field(
    z.array(z.string()).optional(),
    "only items with none of these categories",
    absent("any"),
  ),
  where: field(
    z.array(z.strictObject({
      attribute: field(z.string(), "name of the attribute"),
      is: field(z.enum(COMPARISONS), "the comparison"),
      value: field(z.union([z.string(), z.number(), z.boolean()]), "the value to compare with"),
    })).optional(),
    "only items that meet all of these conditions",
    absent("any"),
  ),
}));

const frequency = z.strictObject({
  most: field(count.max(1000), "maximum number of times"),
  withinMs: field(positive, "within this time before a request"),
  remembered: field(
    natural.optional(),
    "number of the newest shown items to remember per user; 0 = only those of open lists",
    0,
  ),
});

const { proof, guard, ...learning } = shapeOf(LEARNING_OPTIONS);

const models = reaching(
  z.strictObject(
    Object.fromEntries(MODEL_NAMES.map((name) => [name, optionsSchema(MODELS[name].options)])),
  ).partial(),
  "rebuild",
);

/** Options of logs: each kind's in its section, or at the top level. */
function logShapes(kinds: readonly LogKind[]): Readonly<Record<string, z.ZodType>> {
  return Object.assign(
    {},
    ...kinds.map(({ section, options }) =>
      section === null
        ? Object.fromEntries(
          Object.entries(shapeOf(options)).map(([name, schema]) => [name, reaching(schema, "process")]),
        )
        : { [section]: reaching(optionsSchema(options), "process") }
    ),
  );
}

/** The schema of the file with the options of these kinds of logs. */
export function configSchemaOf(kinds: readonly LogKind[]): z.ZodObject {
  return z.strictObject({
    $schema: reaching(
      field(z.string(), "path of the file's schema, for editors", absent("none")),
      "process",
    ),
    features: optionsSchema(FEATURE_OPTIONS),
    actions: reaching(
      field(
        actions,
        "what actions mean, by name",
        absent("see [events.md](events.md)"),
      ),
      "onward",
    ),
    ...shapeOf(TASK_OPTIONS),
    policy: reaching(
      field(
        policySchema,
        "how a list is chosen from the scores; see [scorer](../explanation/scorer.md)",
        DEFAULT_POLICY,
      ),
      "at-once",
    ),
    boosts: reaching(
      field(
        boosts,
        "rules that raise or lower items, for every request; see [scorer](../explanation/scorer.md)",
        [],
      ),
      "at-once",
    ),
    frequency: reaching(
      field(
        frequency,
        "how often the same item may be shown to a user; see [scorer](../explanation/scorer.md)",
        absent("no limit"),
      ),
      "onward",
    ),
    ...logShapes(kinds),
    delivery: reaching(optionSchema(DELIVERY), "process"),
    surfaceTopics: reaching(optionSchema(SURFACE_TOPICS), "process"),
    outputs: reaching(optionSchema(OUTPUTS), "process"),
    sources: reaching(optionSchema(SOURCES), "onward"),
    ...learning,
    learner: optionsSchema(LEARNER_OPTIONS),
    http: reaching(httpSchema, "process"),
    retention: optionsSchema(RETENTION_OPTIONS),
    proof,
    guard,
    models,
  }).partial();
}

export function configJsonSchemaOf(schema: z.ZodObject): JsonSchema {
  return { title: "meander.json", ...z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) };
}

export const configSchema: z.ZodObject = configSchemaOf(LOG_KINDS);
