/** Policies as JSON, in the configuration and in experiments. */

import { z } from "zod";
import { DEFAULT_SCALE, type PolicyOptions } from "../../src/draws/policy.ts";
import { field } from "./config_field.ts";

const positive = z.number().positive();

const policies = [
  z.strictObject({ name: z.literal("greedy") }),
  z.strictObject({
    name: z.literal("epsilon"),
    epsilon: field(z.number().min(0).max(1), "`epsilon`: probability of a uniform choice at each place"),
  }),
  z.strictObject({
    name: z.literal("boltzmann"),
    // A smaller temperature amounts to greedy, and makes logits infinite.
    temperature: field(z.number().min(1e-9), "`boltzmann`: divisor of the scores"),
  }),
  z.strictObject({
    name: z.literal("thompson"),
    scale: field(positive.exactOptional(), "`thompson`: factor on the standard deviations", DEFAULT_SCALE),
  }),
] as const;
const names = policies.map(({ shape }) => shape.name.value).join(", ");

export const policySchema: z.ZodType<PolicyOptions> = z.discriminatedUnion("name", policies, {
  error: ({ code }) => code === "invalid_union" ? `expected one of ${names}` : undefined,
});
