/**
 * The shape of the configuration file: every field with its meaning and default. docs/reference/configuration.md is made of it.
 *
 * @module
 */

import { z } from "zod";
import { COMPARISONS } from "../../src/events/event.ts";
import { LEARNER_OPTIONS } from "../../src/learner/learner_options.ts";
import { LABEL_POLICIES } from "../../src/users/label_policy.ts";
import { OUTCOME_WINDOW_MS } from "../../src/engine/task_options.ts";
import { MODEL_OPTIONS } from "../../src/nn/models/registry.ts";
import { LEARNING_OPTIONS } from "../learning/learning.ts";
import { optionsSchema, shapeOf } from "../settings/option_schema.ts";
import { absent, field } from "../settings/config_field.ts";
import { kafkaSchema } from "../settings/kafka_settings.ts";
import { policySchema } from "../settings/policy_schema.ts";
import { httpSchema } from "../http/settings.ts";
import { DURABILITIES, MAX_SYNC_MS, SYNC_MS } from "../log/sqlite/durability.ts";
import { retentionSchema } from "../settings/retention_settings.ts";
import { DELIVERIES } from "../topics/delivery.ts";

const names = z.array(z.string().min(1).max(64)).max(32);
const positive = z.number().positive();
const count = z.int().positive();
const natural = z.int().min(0);
const rate = z.number().min(0).max(1);
const flag = z.boolean();

const features = z.strictObject({
  userFields: field(names, "attributes of the profile that are features", []),
  itemFields: field(names, "attributes of the item that are features", []),
  contextFields: field(names, "`hour`, `surface`, or keys of the event's context", ["hour", "surface"]),
  crosses: field(names, "item attributes for which a user's own residual is tracked", []),
  transitions: field(
    z.strictObject({
      behaviours: field(count, "newest behaviours that are crossed", 12),
      decay: field(z.number().gt(0).max(1), "factor a rank", 0.5),
      halfLifeMs: field(positive, "age at which one counts half", 475_200_000),
      follows: field(names, "actions that have the rank of what they follow", ["like", "cart", "purchase"]),
      ends: field(names, "actions that end a search in the item's first category", ["purchase"]),
    }).partial().nullable(),
    "crosses of newest behaviours and candidate; `null` = none",
    absent("`{}`; `null` for `base` and `din`"),
  ),
  pairs: field(
    flag,
    "crosses of user and user fields with categories and `crosses`; see [features.md](../explanation/features.md)",
    false,
  ),
  userIds: field(
    flag,
    "whether users have weights and statistics of their own; see [features.md](../explanation/features.md)",
    true,
  ),
  offset: field(
    z.enum(["prior", "rate"]),
    "the logit that a model starts from: smoothed rates, or the overall one",
    "prior",
  ),
}).partial();

const action = z.strictObject({
  positive: field(
    z.union([flag, z.number()]),
    "whether it is a positive outcome, or the value from which it is",
  ),
  explicit: field(flag.optional(), "settles its item at once, also as a negative", false),
  strength: field(z.number().nullable(), "in the sequence; `null` = not in it"),
  surprise: field(flag.optional(), "strength times the surprise of the value", false),
});

const sequence = z.strictObject({
  capacity: field(count, "behaviours kept a user", 100),
  window: field(count, "most behaviours that a model reads", 50),
  hop: field(count, "by which the window's start moves", 10),
  recent: field(
    natural,
    "fewest behaviours that a lifelong state is learnt from; see [state.md](../explanation/state.md)",
    20,
  ),
}).partial();

const retrieval = z.strictObject({
  halfLifeMs: field(positive, "half-life of popularity", 604_800_000),
  maxCandidates: field(count, "candidates a request gets", 100),
  newShare: field(
    rate,
    "share of them that is kept for the newest items and, half of it, for drawn ones",
    0.1,
  ),
  revisits: field(flag, "whether what the user had already may come again", false),
  learn: field(
    flag,
    "whether the sources that learn item by item do; `false` when every request names candidates",
    true,
  ),
  shared: field(
    flag,
    "whether each task learns from the users of all partitions, by the topic `signals`",
    true,
  ),
  learnEvery: field(count, "the blend learns from every so many wanted behaviours; from all at first", 16),
  trendHalfLifeMs: field(positive, "half-life of what is in demand now", 86_400_000),
  neighbours: z.strictObject({
    bytes: field(count, "memory of all pairs of items, bytes", 67_108_864),
    limit: field(count.min(16), "most neighbours of an item", 4096),
    halfLifeMs: field(positive, "half-life of the counts of pairs", 7_776_000_000),
    dislikedWeight: field(rate, "what a behaviour against its item counts in pairs", 1),
  }).partial(),
  sessions: z.strictObject({
    sessions: field(natural, "newest sessions kept; 0 turns them off", 20_000),
    gapMs: field(positive, "a longer silence ends a session", 1_800_000),
  }).partial(),
  vectors: z.strictObject({
    dimensions: field(natural, "length of the vectors that items get; 0 turns them off", 0),
    items: field(count, "most items with a vector", 100_000),
    exact: field(natural, "items up to which the search looks at all of them", 100_000),
  }).partial(),
  state: z.strictObject({
    learnEvery: field(
      natural,
      "the source `state` learns from every so many wanted behaviours; 0 turns it off. It needs vectors, and `dien` " +
        "or `mimn`",
      0,
    ),
  }).partial(),
}).partial();

const { proof, guard, ...learning } = shapeOf(LEARNING_OPTIONS);

const models = z.strictObject({
  base: optionsSchema(MODEL_OPTIONS.base),
  din: optionsSchema(MODEL_OPTIONS.din),
  dien: optionsSchema(MODEL_OPTIONS.dien),
  mimn: optionsSchema(MODEL_OPTIONS.mimn),
}).partial();

/** The schema of the file. */
export const configSchema = z.strictObject({
  $schema: field(z.string(), "where the schema of the file is, for editors", absent("none")),
  features,
  actions: field(
    z.record(z.string(), action),
    "what actions mean, by name",
    absent("see [events.md](events.md)"),
  ),
  sequence,
  outcomeWindowMs: field(natural, "how long after an impression an outcome counts", OUTCOME_WINDOW_MS),
  allowedLatenessMs: field(natural, "how far behind the newest event time an event may come", 300_000),
  impressions: field(
    z.enum(["served", "logged"]),
    "whether an answer counts as shown, or what an impression event says; see [join-and-labels.md](../explanation/join-and-labels.md)",
    absent('`"served"`; `"logged"` in the profiles of a replay'),
  ),
  labelPolicy: field(
    z.enum(LABEL_POLICIES),
    "when impressions become labels; see [learner.md](../explanation/learner.md)",
    "window",
  ),
  lateOutcomeMs: field(
    natural,
    "how long after its window an impression is remembered for late clicks, by the other policies",
    3_600_000,
  ),
  learnHistories: field(
    flag,
    "whether behaviours without a list are learnt too, for an auxiliary loss; see [learner.md](../explanation/learner.md)",
    absent("`false`; `true` for `dien` where `learner.auxWeight` > 0"),
  ),
  dedupIds: field(count, "newest event ids remembered a user", 32),
  policy: field(
    policySchema,
    "how a list is chosen from the scores; see [scorer.md](../explanation/scorer.md)",
    {
      name: "greedy",
    },
  ),
  boosts: field(
    z.array(z.strictObject({
      by: field(z.number().gt(0).max(1000), "by what their odds are multiplied; below 1 lowers them"),
      categories: field(
        z.array(z.string()).optional(),
        "about items with one of these categories",
        absent("any"),
      ),
      notCategories: field(
        z.array(z.string()).optional(),
        "about items with none of these categories",
        absent("any"),
      ),
      where: field(
        z.array(z.strictObject({
          attribute: field(z.string(), "name of the attribute"),
          is: field(z.enum(COMPARISONS), "how it compares"),
          value: field(z.union([z.string(), z.number(), z.boolean()]), "with what"),
        })).optional(),
        "about items that meet all of these conditions",
        absent("any"),
      ),
    })),
    "rules that raise or lower items, for every request; see [scorer.md](../explanation/scorer.md)",
    [],
  ),
  frequency: field(
    z.strictObject({
      most: field(count.max(1000), "so many times"),
      withinMs: field(positive, "within so long before a request"),
      remembered: field(
        natural.optional(),
        "newest items shown remembered a user; 0 = those of open lists only",
        0,
      ),
    }),
    "how often the same item may be shown to a user; see [scorer.md](../explanation/scorer.md)",
    absent("as often as it is best"),
  ),
  logCandidates: field(
    flag,
    "write candidates that were not chosen into each answer, to evaluate other policies on",
    false,
  ),
  ranking: field(
    z.enum(["model", "blend", "both"]),
    "orders retrieved candidates; see [retrieval.md](../explanation/retrieval.md)",
    "model",
  ),
  retrieval,
  maxUnlistedItems: field(
    natural,
    "items, a partition, that events may make known and `items` has not; an event with one more is rejected, a " +
      "candidate left out",
    absent("200000; none in a replay"),
  ),
  maxStaleVersions: field(
    natural,
    "versions the state of a window may be behind before it is folded again",
    100,
  ),
  lifelong: field(flag, "whether `mimn` remembers the whole life of a user, and not the window only", true),
  durability: field(
    z.enum(DURABILITIES),
    "on SQLite: what was acknowledged survives the death of the process, or a power cut too; see [log.md](../explanation/log.md#durability)",
    "process",
  ),
  syncMs: field(
    positive.max(MAX_SYNC_MS),
    "on SQLite: time after which the disk is asked to confirm what was acknowledged",
    SYNC_MS,
  ),
  delivery: field(z.enum(DELIVERIES), "of a service: whether answers wait for the commit", "exactly-once"),
  ...learning,
  learner: optionsSchema(LEARNER_OPTIONS),
  kafka: kafkaSchema,
  http: httpSchema,
  retention: retentionSchema,
  proof,
  guard,
  models,
}).partial();
