/**
 * What goes over HTTP, as JSON Schema: records of the log from their own descriptions, the rest by zod.
 *
 * @module
 */

import { z } from "zod";
import { type JsonSchema, jsonSchemas } from "../../../src/events/json_schema.ts";
import { EMPTY_REASONS, type EmptyReason, ORDERED_BY } from "../../../src/events/recommendation.ts";
import { REJECTION_CODES } from "../../../src/events/rejected.ts";
import { USER_SEGMENTS } from "../../../src/experiments/totals.ts";
import { METRICS } from "../../../src/assignment/metrics.ts";
import { DOOR_SCHEMAS } from "./door_schemas.ts";
import { CHANGE_SCHEMAS, draftSchema, experimentSchema, holdoutSchema } from "../../experiments/schemas.ts";
import { PROBLEMS } from "./problem.ts";

/** Why an item is not on a list. */
export const WHY_NOT = ["hidden", "expired", "seen", "not-retrieved", "outranked"] as const;

const count = z.int().min(0);
const time = z.int().min(0).describe("Milliseconds since the epoch.");

const refused = z.object({
  index: count.describe("Place in the list, or among the lines that are not blank; 0 is the first."),
  code: z.enum(REJECTION_CODES),
  reason: z.string(),
});

const taken = z.object({
  accepted: count.describe("Entries that are durable now."),
  refused: z.array(refused).describe("Entries that are not, and why."),
});

const forgotten = taken.extend({
  erasure: z.object({ partition: count, offset: count }).describe("Where to ask how far it is."),
});

const erasure = z.object({
  state: z.enum(["under way", "fragments", "done", "kept"]).describe(
    "`done`: nothing remains but what `topics` says. `fragments`: no record, but ends of pages of a large SQLite file. " +
      "`kept`: all that is ours to rewrite has been, on a log that drops records by its own retention only.",
  ),
  topics: z.array(z.object({
    topic: z.string(),
    remains: z.string().nullable().describe("What remains; null = nothing."),
    until: time.nullable().describe("Until when at most; null = nothing remains, or no end is set."),
  })),
});

const problem = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(Object.keys(PROBLEMS) as (keyof typeof PROBLEMS)[]),
  requestId: z.string(),
  errors: z.array(refused).optional(),
  faults: z.array(z.string()).optional().describe("All that is wrong with the body, a sentence each."),
});

const behaviour = z.object({
  item: z.string(),
  categories: z.array(z.string()),
  action: z.string(),
  time,
  strength: z.number(),
});

const user = z.object({
  user: z.string(),
  profile: z.record(z.string(), z.unknown()),
  totalBehaviours: count,
  behaviours: z.array(behaviour).describe("Those that are kept, oldest first."),
  pending: z.array(z.object({
    request: z.string(),
    shown: z.boolean(),
    time,
    deadline: time,
    items: z.array(z.object({
      item: z.string(),
      label: z.union([z.literal(0), z.literal(1), z.null()]),
      position: count,
    })),
  })).describe("Lists whose outcome is open."),
  parked: count.describe("Interactions that wait for the list that they name."),
  hidden: z.object({ size: count, version: count }).describe(
    "The recurrent state that is stored: its size, and the version of the parameters that made it.",
  ),
  lastOffset: z.int().min(-1).describe("Offset of the user's last event."),
});

const logit = z.number().describe("Log-odds.");

const explanation = z.object({
  user: z.string(),
  time: time.describe("The newest event time that the partition knows: the list is as of then."),
  model: z.string(),
  version: count,
  orderedBy: z.enum(ORDERED_BY).optional().describe("Who ordered the list."),
  modelShare: z.number().describe(
    "Share of the model in the scores, in log-odds; 1 once it has proved itself.",
  ),
  variant: z.string().optional(),
  empty: z.object({ code: z.enum(Object.keys(EMPTY_REASONS) as EmptyReason[]), reason: z.string() })
    .nullable()
    .describe("Why there are no items; null when there are."),
  behaviours: z.array(behaviour).describe("Those that the model reads, oldest first."),
  panels: z.array(z.object({
    name: z.string(),
    title: z.string(),
    about: z.string(),
    unit: z.enum(["number", "share", "count"]),
    per: z.string().nullable().describe("What there is a value for each of; null: there is one value."),
    values: z.array(z.number().nullable()),
  })).describe("What the model shows of the user's state; none where it shows nothing."),
  items: z.array(z.object({
    item: z.string(),
    categories: z.array(z.string()),
    source: z.string(),
    score: z.number().describe(
      "As in the list: of the model, as far as `modelShare` says, and of click rates.",
    ),
    logit: logit.describe("The model's log-odds, without a place in the list."),
    prior: z.number().describe("The smoothed click rate that the model starts from."),
    looksAt: z.string().nullable().describe(
      "What the weights are of: `behaviours`, or what the model calls the parts of its state.",
    ),
    weights: z.array(z.number().nullable()).describe(
      "How much it looks at each behaviour, or each part of the state.",
    ),
    effects: z.array(z.number().nullable())
      .describe("By how much each behaviour raises the logit; null = it cannot be taken out of the state."),
  })),
});

const whyNot = z.object({
  user: z.string(),
  item: z.string(),
  count: count.describe("Length of the list."),
  recommended: z.boolean().describe("Whether it is on the list all the same."),
  place: count.nullable().describe("Among all candidates, 0 is the top; null = it is none of them."),
  candidates: count,
  score: z.number().nullable().describe("The model's probability; null when it must not be shown."),
  lowest: z.number().nullable().describe("That of the last item of the list."),
  reasons: z.array(z.object({ code: z.enum(WHY_NOT), reason: z.string() })),
});

const merge = z.object({ from: z.string().min(1).max(256).describe("Id of the session.") });
const merged = z.object({
  accepted: z.literal(1),
  behaviours: count.describe("Those that the session has."),
});

const figure = z.number().nullable();

const segment = {
  users: count,
  value: figure.describe("The metric that decides."),
  lift: figure.describe("Relative change against the control."),
  low: figure,
  high: figure,
};

const experiments = z.object({
  experiments: z.array(z.object({
    name: z.string(),
    hypothesis: z.string(),
    status: z.enum(["running", "stopped", "promoted"]),
    winner: z.string().nullable(),
    reason: z.string().nullable(),
    layer: z.string(),
    traffic: z.number(),
    metric: z.string(),
    guardRails: z.array(z.string()),
    variants: z.array(z.object({
      ...segment,
      name: z.string(),
      control: z.boolean(),
      lists: count,
      rows: count.describe("Shown items whose outcome is final."),
      ctr: figure,
      metrics: z.object(Object.fromEntries(Object.keys(METRICS).map((name) => [name, figure]))),
      segments: z.object(Object.fromEntries(USER_SEGMENTS.map((name) => [name, z.object(segment)]))),
      word: z.string().nullable().describe("The verdict."),
      tookMs: figure,
      took: z.object({ mean: figure, p50: figure, p99: figure }).describe("Milliseconds to make a list."),
      lost: count.describe("Users who got an answer and never came back as a sample."),
    })),
    names: z.array(z.string()),
    split: z.object({
      users: z.array(count).describe("By variant."),
      p: z.number().describe("Of the sequential test of the split."),
      sees: figure.describe(
        "Share of a variant's users that, if lost, shows in these counts in 95 % of cases.",
      ),
    }),
    text: z.array(z.string()),
    harm: z.string().nullable().describe("Which guard rail is broken."),
    moved: count,
  })),
  holdout: z.number().describe("Share of all users that is in no experiment."),
});

const learner = z.object({
  version: count.describe("Newest version made."),
  rows: count.describe("Predictions judged."),
  lag: count.describe("Samples that are not learnt."),
  auc: z.number().nullable(),
  ctr: z.number().nullable(),
});

const models = z.object({
  models: z.array(z.object({
    model: z.string(),
    version: count.describe("The version that scores here; 0 = none yet."),
    learner: learner.nullable().describe("Null when it learns in another process."),
  })),
});

const status = z.looseObject({
  events: count,
  version: count,
  partitions: z.array(z.looseObject({
    partition: count,
    restoring: z.boolean(),
    committed: count,
    lag: count,
    watermark: z.number().nullable(),
    users: count,
    othersLearnt: count.describe("Signals of other partitions that the task has learnt."),
    othersLag: count.describe("Records of them that it has not."),
  })),
  learner: learner.nullable(),
  monitor: z.object({
    running: count.describe("Experiments that run."),
    lag: count.describe("Answers and samples that its figures do not have."),
    stopped: count.describe("Experiments that it has stopped since it began here."),
    lost: count.describe("Offsets that the log dropped before they were counted."),
  }).nullable().describe("Of experiments. Null when it works in another process."),
  rekeyLag: count.nullable().describe(
    "Events that wait to be keyed by user. Null when nothing is re-keyed, or another process does it.",
  ),
});

const health = z.object({ status: z.literal("ok"), uptimeSeconds: z.number() });
const ready = z.object({ ready: z.boolean(), reasons: z.array(z.string()) });

/** What a request over HTTP may have beside the event's fields. */
const ASKING = {
  cursor: { type: "string", description: "Asks for pages: empty for the first one, then what `next` was." },
  budgetMs: {
    ...{ type: "number", exclusiveMinimum: 0, maximum: 60_000 },
    description:
      "How long to wait, milliseconds; then the answer is made without a model, and `degraded` says so.",
  },
};
const NEXT = { type: ["string", "null"], description: "Cursor of the next page, when pages are asked for." };

/** Names of the schemas. */
export type SchemaName =
  | "Event"
  | "Item"
  | "RecommendRequest"
  | "RankRequest"
  | "Recommendation"
  | "Taken"
  | "Forgotten"
  | "Erasure"
  | "Problem"
  | "User"
  | "Explanation"
  | "WhyNot"
  | "Merge"
  | "Merged"
  | "Answer"
  | "Experiments"
  | "Experiment"
  | "ExperimentDraft"
  | "Holdout"
  | keyof typeof CHANGE_SCHEMAS
  | "Models"
  | "Status"
  | "Health"
  | "Ready"
  | keyof typeof DOOR_SCHEMAS;

/** All schemas by name. */
export function apiSchemas(): Readonly<Record<SchemaName, JsonSchema>> {
  const { event, item, recommendation } = jsonSchemas();
  const events = (event["oneOf"] as readonly ObjectSchema[]).map(withoutTime);
  const request = events.find(({ title }) => title === "request");
  if (request === undefined) throw new Error("Cannot describe requests: there is no such event");
  const { type, id, ...properties } = request.properties;
  const ignored = {
    id: { ...id as JsonSchema, description: "Not kept: what comes again is answered again." },
  };
  const asked = closed({ ...request, properties: { ...properties, ...ASKING, type, ...ignored } });
  const answer = bare(recommendation) as ObjectSchema;
  return {
    Event: {
      description: "Without a time, it is that of its arrival; a timestamp in its place is refused.",
      oneOf: events,
    },
    Item: withoutTime(bare(item)),
    RecommendRequest: {
      ...asked,
      title: "recommend",
      description: "Without a count, 10 items are wanted.",
      required: ["user"],
    },
    RankRequest: {
      ...asked,
      title: "rank",
      description: "Without a count, all candidates are ranked.",
      required: ["user", "candidates"],
    },
    Recommendation: answer,
    Answer: { ...answer, properties: { ...answer.properties, next: NEXT } },
    Taken: fromZod(taken),
    Forgotten: fromZod(forgotten),
    Erasure: fromZod(erasure),
    Problem: fromZod(problem),
    User: fromZod(user),
    Explanation: fromZod(explanation),
    WhyNot: fromZod(whyNot),
    Merge: fromZod(merge),
    Merged: fromZod(merged),
    Experiments: fromZod(experiments),
    Experiment: fromZod(experimentSchema),
    ExperimentDraft: fromZod(draftSchema),
    Holdout: fromZod(holdoutSchema),
    TrafficChange: fromZod(CHANGE_SCHEMAS.TrafficChange),
    StopChange: fromZod(CHANGE_SCHEMAS.StopChange),
    PromoteChange: fromZod(CHANGE_SCHEMAS.PromoteChange),
    HoldoutChange: fromZod(CHANGE_SCHEMAS.HoldoutChange),
    Models: fromZod(models),
    Status: fromZod(status),
    Health: fromZod(health),
    Ready: fromZod(ready),
    ...Object.fromEntries(
      Object.entries(DOOR_SCHEMAS).map(([name, schema]) => [name, fromZod(schema)]),
    ) as Record<keyof typeof DOOR_SCHEMAS, JsonSchema>,
  };
}

type ObjectSchema = JsonSchema & {
  readonly title?: string;
  readonly properties: JsonSchema;
  readonly required: readonly string[];
};

/** Without fields that are not named, at any depth: on the log they are kept, here they are mistakes. */
function closed(schema: JsonSchema): JsonSchema {
  const { properties, items, ...rest } = schema;
  if (items !== undefined) return { ...schema, items: closed(items as JsonSchema) };
  if (properties === undefined) return schema;
  const { propertyNames: _forbidden, ...bare } = rest;
  const fields = Object.entries(properties as Record<string, JsonSchema>);
  return {
    ...bare,
    properties: Object.fromEntries(fields.map(([name, inner]) => [name, closed(inner)])),
    additionalProperties: false,
  };
}

/** With an optional time, as it is over HTTP. */
function withoutTime<Schema extends JsonSchema>(schema: Schema): ObjectSchema {
  const { required } = schema as unknown as ObjectSchema;
  return { ...schema as unknown as ObjectSchema, required: required.filter((name) => name !== "time") };
}

/** Without what only a document of its own has. */
function bare({ $comment: _comment, $schema: _schema, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

function fromZod(schema: z.ZodType): JsonSchema {
  return bare(z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) as JsonSchema);
}
