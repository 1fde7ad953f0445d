/** Experiments as JSON, in files and on the log. */

import { z } from "zod";
import type { ExperimentDraft } from "../../src/assignment/changes.ts";
import type { ExperimentRecord } from "../../src/assignment/experiment.ts";
import { parseJsonFile } from "../settings/json_file.ts";
import { unknownFields } from "../settings/unknown_fields.ts";
import { draftSchema, issuesOf, recordSchema } from "./schemas.ts";

/** Header of a record on `events` that changes an experiment; it applies at its offset. */
export const EXPERIMENT = "experiment";

/**
 * Parses an experiment from JSON; comments are allowed.
 *
 * @throws SyntaxError naming the file and every invalid field.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { parseExperiment } from "@meander/meander";
 *
 * const text = '{ "name": "explore", "variants": [{ "name": "model" }, { "name": "rates", "model": "prior" }] }';
 * assert.equal(parseExperiment(text, "explore.json").variants.length, 2);
 * assert.throws(() => parseExperiment('{ "name": "explore" }', "explore.json"), /explore\.json/);
 * ```
 */
export function parseExperiment(text: string, file: string): ExperimentDraft {
  const value = parseJsonFile(text, file, "an experiment");
  const result = draftSchema.safeParse(value);
  if (result.success) return result.data;
  const unknown = unknownFields(value, z.toJSONSchema(draftSchema));
  const faults = unknown.length > 0 ? unknown : issuesOf(result.error);
  throw new SyntaxError(`Cannot use ${file} as an experiment: ${faults.join("; ")}`);
}

export function encodeExperiment(record: ExperimentRecord): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(record));
}

/**
 * Decodes the output of {@linkcode encodeExperiment}.
 *
 * @throws SyntaxError when the bytes are invalid.
 */
export function decodeExperiment(bytes: Uint8Array): ExperimentRecord {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new SyntaxError("Cannot read an experiment as JSON", { cause });
  }
  const result = recordSchema.safeParse(value);
  if (result.success) return result.data as ExperimentRecord; // zod types optional fields as possibly undefined
  throw new SyntaxError(`Cannot read an experiment: ${issuesOf(result.error).join("; ")}`);
}
