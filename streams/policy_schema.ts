/**
 * Policies as JSON, in the configuration and in experiments.
 *
 * @module
 */

import { z } from "zod";
import type { PolicyOptions } from "../src/scorer/policy.ts";

const positive = z.number().positive();

/** Any policy. */
export const policySchema: z.ZodType<PolicyOptions> = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("greedy") }),
  z.strictObject({ name: z.literal("epsilon"), epsilon: z.number().min(0).max(1) }),
  z.strictObject({ name: z.literal("boltzmann"), temperature: positive }),
  z.strictObject({ name: z.literal("thompson"), scale: positive.exactOptional() }),
]);
