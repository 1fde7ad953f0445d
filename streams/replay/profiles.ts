/** Built-in configurations: features, outcomes and behaviours of each known data set. */

import { DEFAULT_ACTIONS } from "../../src/features/actions.ts";
import type { TaskOptions } from "../../src/engine/task_options.ts";
import { DEFAULT_SCHEMA } from "../../src/features/schema.ts";
import type { Format } from "../sources/open.ts";

const MINUTE = 60_000;
const WANTED = { positive: true, strength: 1 } as const;

/** Task options by source format. Replays learn from the lists actually shown. */
export const PROFILES: Readonly<Record<Format, TaskOptions>> = {
  meander: { schema: DEFAULT_SCHEMA, impressions: "logged" },
  // A rating of 4 stars is the click and settles its impression at once; all rated movies are behaviours.
  "ml-100k": {
    schema: {
      userFields: ["age", "gender", "occupation"],
      itemFields: ["decade"],
      contextFields: [],
      crosses: ["decade"],
      // A page of ratings is not ordered by interest, so positions say nothing about earlier ratings.
      transitions: null,
    },
    impressions: "logged",
  },
  sparrow: {
    schema: {
      userFields: [],
      itemFields: ["decade"],
      contextFields: [],
      crosses: ["decade"],
      transitions: null,
    },
    // The samples' label in MovieLens 20M is a rating of 3.5 stars or more.
    actions: { rating: { positive: 3.5, explicit: true, strength: 1, surprise: true } },
    impressions: "logged",
  },
  taobao: {
    schema: { ...DEFAULT_SCHEMA, contextFields: ["hour"] },
    impressions: "logged",
    // Users return to items they have viewed.
    retrieval: { revisits: true },
  },
  "open-bandit": {
    schema: { ...DEFAULT_SCHEMA, contextFields: ["hour"] },
    outcomeWindowMs: MINUTE,
    allowedLatenessMs: 0,
    impressions: "logged",
  },
  metarank: { schema: { ...DEFAULT_SCHEMA, contextFields: ["hour"] }, impressions: "logged" },
  // The feedback types of Gorse's own examples, in addition to Meander's.
  gorse: {
    schema: { ...DEFAULT_SCHEMA, contextFields: ["hour"] },
    actions: { ...DEFAULT_ACTIONS, star: WANTED, fork: WANTED, share: WANTED },
    impressions: "logged",
  },
  easyrec: {
    schema: DEFAULT_SCHEMA,
    actions: { ...DEFAULT_ACTIONS, play: WANTED },
    impressions: "logged",
  },
};

/**
 * Formats whose data sets contain every list that was shown. They request none, so their replays do not need retrieval.
 */
export const LISTED: ReadonlySet<Format> = new Set(["ml-100k", "sparrow", "taobao", "open-bandit"]);
