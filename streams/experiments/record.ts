/**
 * Experiments as JSON: what people write in a file, and what stands on the log.
 *
 * @module
 */

import { z } from "zod";
import type { ExperimentDraft } from "../../src/experiments/changes.ts";
import { EXPERIMENT_MODES, type ExperimentRecord } from "../../src/experiments/experiment.ts";
import { type MetricName, METRICS } from "../../src/experiments/user_metrics.ts";
import { policySchema } from "../policy_schema.ts";

/** Header of a record on `events` that changes the experiments: it applies at its place among the events. */
export const EXPERIMENT = "experiment";

const name = z.string().min(1).max(64).regex(/^[\w.-]+$/, "must be of letters, digits, '.', '_' and '-'");
const text = z.string().max(2000);
const metric = z.enum(Object.keys(METRICS) as [MetricName, ...MetricName[]]);
const count = z.int().positive();
const bucket = z.int().min(0).max(10_000);
const spans = z.array(z.tuple([bucket, bucket]));

const variantSchema = z.strictObject({
  name,
  weight: z.number().positive().optional(),
  shadow: z.boolean().optional(),
  model: name.optional(),
  policy: policySchema.optional(),
  maxCandidates: count.optional(),
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

const draftSchema = z.strictObject(fields).partial().required({ name: true, variants: true });

const recordSchema = z.union([
  z.object({
    ...fields,
    unit: z.literal("user"),
    status: z.enum(["running", "stopped", "promoted"]),
    winner: name.optional(),
    reason: text.optional(),
    spans,
    variantSpans: z.array(spans),
    revision: count,
  }),
  z.object({ name: z.literal("holdout"), salt: z.string(), share: z.number().min(0).lt(1) }),
]);

/**
 * Reads an experiment that somebody wrote.
 *
 * @throws SyntaxError naming the file and every field that is wrong.
 */
export function parseExperiment(text: string, file: string): ExperimentDraft {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SyntaxError(`Cannot read ${file} as JSON: ${(cause as Error).message}`, { cause });
  }
  const result = draftSchema.safeParse(value);
  if (result.success) return result.data as ExperimentDraft;
  throw new SyntaxError(`Cannot use ${file} as an experiment: ${issues(result.error)}`);
}

/** The bytes of a record. */
export function encodeExperiment(record: ExperimentRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/**
 * Reads a record of {@linkcode encodeExperiment}.
 *
 * @throws SyntaxError when the bytes are none.
 */
export function decodeExperiment(bytes: Uint8Array): ExperimentRecord {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SyntaxError("Cannot read an experiment as JSON", { cause });
  }
  const result = recordSchema.safeParse(value);
  if (result.success) return result.data as ExperimentRecord;
  throw new SyntaxError(`Cannot read an experiment: ${issues(result.error)}`);
}

function issues({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => `${path.join(".") || "(top)"}: ${message}`).join("; ");
}
