/**
 * What goes through the doors, as JSON Schema. What other systems take beside it is taken, too.
 *
 * @module
 */

import { z } from "zod";

const id = z.string().min(1).max(256);
const date = z.string().describe("A date in any of the ways Gorse reads.");
const score = z.object({ Id: z.string(), Score: z.number() });
const scored = z.object({ item: z.string(), score: z.number() });
const fields = z.array(z.looseObject({ name: z.string(), value: z.unknown() }));
const timestamp = z.union([z.number(), z.string()]).describe("Milliseconds since the epoch, or a date.");

const feedback = z.looseObject({
  FeedbackType: z.string().min(1).max(64),
  UserId: z.string(),
  ItemId: id,
  Value: z.number().nullish(),
  Timestamp: date.nullish(),
  Labels: z.unknown().optional(),
  Comment: z.string().nullish(),
});

const ranking = z.looseObject({
  id: id.optional(),
  timestamp: timestamp.optional(),
  user: id.nullish(),
  session: id.nullish(),
  fields: fields.nullish(),
  items: z.array(z.looseObject({ id, fields: fields.nullish() })).min(1).max(1000),
});

/** Schemas of the doors by name. */
export const DOOR_SCHEMAS = {
  GorseUser: z.looseObject({
    UserId: id.optional(),
    Labels: z.unknown().optional(),
    Comment: z.string().nullish(),
  }),
  GorseItem: z.looseObject({
    ItemId: id.optional(),
    IsHidden: z.boolean().nullish(),
    Categories: z.array(z.string()).nullish(),
    Timestamp: date.nullish(),
    Labels: z.unknown().optional(),
    Comment: z.string().nullish(),
  }),
  GorseFeedback: feedback,
  GorseFeedbackList: z.array(feedback),
  GorseSuccess: z.object({ RowAffected: z.int().min(0) }),
  GorseScores: z.array(score),
  GorseList: z.union([z.array(z.string()), z.array(score)]).describe(
    "Ids; with X-API-Version: 2 scores, too.",
  ),
  GorsePage: z.looseObject({ Cursor: z.string().describe("Of the next page; empty at the end.") }),
  GorseHealth: z.looseObject({ Ready: z.boolean() }),
  MetarankEvent: z.looseObject({
    event: z.enum(["item", "metadata", "user", "ranking", "interaction"]),
    id,
    timestamp,
    fields: fields.nullish(),
  }),
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
} as const satisfies Readonly<Record<string, z.ZodType>>;
