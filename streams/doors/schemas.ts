/** Schemas of the doors' bodies, which may have further fields of the other systems. */

import { z } from "zod";
import { PLAIN } from "../../src/events/json_schema.ts";
import { MAX_ID_BYTES, MAX_NAME_BYTES, MAX_TIME_MS, MIN_TIME_MS } from "../../src/events/limits.ts";
import { named } from "../http/contract/named_schema.ts";

const id = z.string().min(1).max(MAX_ID_BYTES).regex(new RegExp(PLAIN));
const name = id.max(MAX_NAME_BYTES);
const date = z.string().describe("A date in any format that Gorse reads.");
const score = z.object({ Id: z.string(), Score: z.number() });
const scored = z.object({ item: z.string(), score: z.number() });
const value = z.union([z.string(), z.number(), z.boolean(), z.array(z.unknown())]);
const fields = z.array(z.looseObject({ name: z.string(), value }));
const timestamp = z.union([z.int().min(MIN_TIME_MS).lt(MAX_TIME_MS), z.string().min(1)])
  .describe("Milliseconds since the epoch, or a date.");

const feedback = z.looseObject({
  FeedbackType: name,
  UserId: id,
  ItemId: id,
  Value: z.number().nullish(),
  Timestamp: date.nullish(),
  Labels: z.unknown().optional(),
  Comment: z.string().nullish(),
});

const userFields = { Labels: z.unknown().optional(), Comment: z.string().nullish() };
const itemFields = {
  IsHidden: z.boolean().nullish(),
  Categories: z.array(id).nullish(),
  Timestamp: date.nullish(),
  Labels: z.unknown().optional(),
  Comment: z.string().nullish(),
};

const ranking = z.looseObject({
  id: id.optional(),
  timestamp: timestamp.optional(),
  user: id.nullish(),
  session: id.nullish(),
  fields: fields.nullish(),
  items: z.array(z.looseObject({ id, fields: fields.nullish() })).min(1).max(1000),
});

const event = { id, timestamp, fields: fields.nullish() };
/** The owner of an event: a user or a session. */
const SOMEBODY = [{ user: id, session: id.nullish() }, { user: z.null().optional(), session: id }];

export const SCHEMAS = named({
  GorseUser: z.looseObject({ UserId: id, ...userFields }),
  GorseUserPatch: z.looseObject(userFields),
  GorseItem: z.looseObject({ ItemId: id, ...itemFields }),
  GorseItemPatch: z.looseObject(itemFields),
  GorseFeedback: feedback,
  GorseSession: feedback.extend({ UserId: z.union([id, z.literal("")]).nullish() }),
  GorseFeedbackList: z.array(feedback),
  GorseSuccess: z.object({ RowAffected: z.int().min(0) }),
  GorseScores: z.array(score),
  GorseList: z.union([z.array(z.string()), z.array(score)]).describe(
    "Ids; with X-API-Version: 2 scores, too.",
  ),
  GorsePage: z.looseObject({ Cursor: z.string().describe("Cursor of the next page; empty at the end.") }),
  GorseHealth: z.looseObject({ Ready: z.boolean() }),
  MetarankEvent: z.union([
    z.looseObject({ ...event, event: z.enum(["item", "metadata"]), item: id }),
    z.looseObject({ ...event, event: z.literal("user"), user: id }),
    ...SOMEBODY.map((who) => ranking.extend({ ...event, event: z.literal("ranking"), ...who })),
    ...SOMEBODY.map((who) =>
      z.looseObject({
        ...event,
        event: z.literal("interaction"),
        item: id,
        type: name,
        ranking: id.nullish(),
        ...who,
      })
    ),
  ]),
  MetarankRanking: ranking,
  MetarankRecommend: z.looseObject({
    count: z.int().min(1).max(1000).optional(),
    user: id.nullish(),
    items: z.array(id).max(100).nullish(),
  }),
  MetarankItems: z.object({
    took: z.number(),
    items: z.array(scored.extend({ features: z.array(z.looseObject({ name: z.string() })).optional() })),
  }),
  MetarankStatus: z.object({
    status: z.literal("ok"),
    accepted: z.int(),
    updated: z.int(),
    tookMillis: z.number(),
  }),
});
