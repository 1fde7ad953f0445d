/** Schemas of experiments and of their changes. */

import { z } from "zod";
import type { ExperimentDraft } from "../../src/assignment/changes.ts";
import { EXPERIMENT_MODES, MAX_TEXT, RANKINGS } from "../../src/assignment/experiment.ts";
import { REQUEST_LISTS } from "../../src/events/event.ts";
import { METRICS } from "../../src/assignment/metrics.ts";
import { SOURCE_NAMES } from "../../src/retrieval/sources/registry.ts";
import { keysOf } from "../../src/values/record.ts";
import { policySchema } from "../settings/policy_schema.ts";

const name = z.string().min(1).max(64).regex(/^[\w.-]+$/, "may have only letters, digits, '.', '_', '-'");
/** The name of a new experiment: paths of the API have it, and `..` would be a step up. */
const newName = name.regex(/[^.]|\.{3}/, "must not be '.' or '..'");
const text = z.string().max(MAX_TEXT);
const metric = z.enum(keysOf(METRICS));
const count = z.int().positive();
const bucket = z.int().min(0).max(10_000);
const spans = z.array(z.array(bucket).length(2)); // not a tuple, which JSON Schema tools support less well

function retrievalSchema(source: z.ZodType) {
  return z.strictObject({
    list: z.enum(REQUEST_LISTS),
    ranking: z.enum(RANKINGS),
    without: z.array(source).min(1),
  }).partial().optional();
}

const variantSchema = z.strictObject({
  name,
  weight: z.number().positive().optional(),
  shadow: z.boolean().optional(),
  model: name.optional(),
  version: z.union([z.enum(["latest", "at-start"]), count]).optional(),
  policy: policySchema.optional(),
  maxCandidates: count.optional(),
  retrieval: retrievalSchema(z.enum([...SOURCE_NAMES, "new"])),
  diversity: z.strictObject({
    perCategory: z.int().min(1).max(1000),
    relevance: z.number().min(0).max(1),
  }).partial().optional(),
});

const fields = {
  name,
  hypothesis: text,
  layer: name,
  salt: z.string().min(1).max(256),
  mode: z.enum(EXPERIMENT_MODES),
  traffic: z.number(),
  variants: z.array(variantSchema).min(1).max(32),
  metric,
  guardRails: z.array(z.strictObject({ metric, tolerance: z.number().min(0).optional() })).max(16),
  stopRule: z.strictObject({
    alpha: z.number().gt(0).lt(1),
    minUsers: count,
    maxUsers: count,
  }).partial(),
  overrides: z.record(z.string().min(1).max(256), name),
};

/** An experiment as written in a file or request. */
export const draftSchema: z.ZodType<ExperimentDraft> = z.strictObject({ ...fields, name: newName }).partial()
  .required({
    name: true,
    variants: true,
  }) as unknown as z.ZodType<ExperimentDraft>; // zod lets optional fields be `undefined`, which is never parsed

/** An experiment on the log, with its start version resolved. */
export const experimentSchema: z.ZodType = z.object({
  ...fields,
  variants: z.array(variantSchema.extend({
    version: z.union([z.literal("latest"), count]).optional(),
    // It may name a source of an older release.
    retrieval: retrievalSchema(z.string()),
  })).min(1).max(32),
  unit: z.literal("user"),
  status: z.enum(["running", "stopped", "promoted"]),
  winner: name.optional(),
  reason: text.optional(),
  spans,
  variantSpans: z.array(spans),
  revision: count,
  phase: count.optional(),
  over: z.string().optional(),
});

export const holdoutSchema: z.ZodType = z.object({
  name: z.literal("holdout"),
  salt: z.string(),
  share: z.number().min(0).lt(1),
  lastShare: z.number().gt(0).lt(1).optional(),
  phase: count.optional(),
});

/** A record of the `experiments` topic. */
export const recordSchema: z.ZodType = z.union([experimentSchema, holdoutSchema]);

/** Bodies of changes over HTTP, by name. */
export const CHANGE_SCHEMAS = {
  TrafficChange: z.strictObject({ traffic: z.number().describe("Share of all users, in (0, 1].") }),
  StopChange: z.strictObject({ reason: text.optional().describe("Reason, for people.") }),
  PromoteChange: z.strictObject({ variant: z.string().describe("Name of the variant that all users get.") }),
  HoldoutChange: z.strictObject({ share: z.number().describe("Share of all users, in [0, 1).") }),
} as const satisfies Readonly<Record<string, z.ZodType>>;

/** Describes every invalid field. */
export function issuesOf({ issues }: z.ZodError): string[] {
  return issues.map((issue) => {
    const missing = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
    return `${issue.path.join(".") || "(top)"}: ${missing ? "it is missing" : issue.message}`;
  });
}
