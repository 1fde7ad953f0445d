/** Reads the target policy of an evaluation from a file. */

import { dirname, resolve } from "node:path";
import { z } from "zod";
import { bernoulliThompson, type BetaArm } from "../../src/experiments/bernoulli_thompson.ts";
import type { PolicyOptions } from "../../src/draws/policy.ts";
import { createRandom } from "../../src/draws/random_source.ts";
import { isRecord } from "../../src/values/record.ts";
import { parseJsonFile } from "../settings/json_file.ts";
import { policySchema } from "../settings/policy_schema.ts";

/** A policy that depends only on item and place. */
export type TablePolicy =
  /** Every item is equally likely. */
  | { readonly name: "uniform" }
  | {
    readonly name: "table";
    /** Probability of each item at each place, from the top. */
    readonly propensities: Readonly<Record<string, readonly number[]>>;
  };

/** A target policy: by item, or by the logged scores. */
export type TargetPolicy = TablePolicy | PolicyOptions;

const count = z.int().positive();
/** By how much probabilities may sum to more than 1, since published tables are rounded. */
const ROUNDING = 0.01;
const armSchema = z.strictObject({ alpha: z.number().positive(), beta: z.number().positive() });

const tableSchema = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("uniform") }),
  z.strictObject({
    name: z.literal("table"),
    propensities: z.record(z.string(), z.array(z.number().min(0).max(1)).min(1)).superRefine(
      (table, context) => {
        const sums: number[] = [];
        for (const places of Object.values(table)) {
          for (const [place, chance] of places.entries()) sums[place] = (sums[place] ?? 0) + chance;
        }
        for (const [place, sum] of sums.entries()) {
          if (sum <= 1 + ROUNDING) continue;
          const message = `those at place ${place} sum to ${Number(sum.toFixed(4))}, more than 1`;
          context.addIssue({ code: "custom", message });
        }
      },
    ),
  }),
]);

const thompsonSchema = z.strictObject({
  name: z.literal("bernoulli-thompson"),
  arms: z.record(z.string(), armSchema).optional(),
  prior: z.string().optional(),
  campaign: z.string().optional(),
  places: count.max(100).default(3),
  draws: count.max(10_000_000).default(200_000),
  seed: z.int().min(0).default(0),
}).refine(
  ({ arms, prior }) => (arms === undefined) !== (prior === undefined),
  "requires either arms or a prior file",
);

/**
 * Reads a policy from a file; Bernoulli Thompson sampling becomes a table, by simulation.
 *
 * @throws SyntaxError naming the file and what is wrong.
 */
export async function readTargetPolicy(file: string): Promise<TargetPolicy> {
  const value = parseJsonFile(await Deno.readTextFile(file), file, "a policy");
  const name = isRecord(value) ? value["name"] : undefined;
  if (name === "bernoulli-thompson") {
    const { arms, prior, campaign, places, draws, seed } = check(thompsonSchema, value, file);
    const beside = prior === undefined ? null : resolve(dirname(file), prior);
    const known = arms ?? parseBetaPrior(await Deno.readTextFile(beside!), campaign ?? "all", beside!);
    const ids = Object.keys(known);
    const table = bernoulliThompson(Object.values(known), places, draws, createRandom(seed));
    return { name: "table", propensities: Object.fromEntries(ids.map((id, arm) => [id, table[arm]!])) };
  }
  if (name === "uniform" || name === "table") return check(tableSchema, value, file);
  return check(policySchema, value, file);
}

function check<T>(schema: z.ZodType<T>, value: unknown, file: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => `${path.join(".") || "(top)"}: ${message}`);
  throw new SyntaxError(`Cannot use ${file} as a policy: ${issues.join("; ")}`);
}

/**
 * Reads the priors of a campaign from `prior_bts.yaml` of the Open Bandit Pipeline: per campaign the lists `alpha`
 * and `beta`, one entry per item.
 *
 * @throws SyntaxError when the campaign is missing or its lists differ in length.
 */
export function parseBetaPrior(text: string, campaign: string, file: string): Record<string, BetaArm> {
  const lists: Record<string, number[]> = {};
  let inside = false;
  let list: number[] = [];
  for (const line of text.split("\n")) {
    const top = /^(\w+):\s*$/.exec(line);
    const key = /^\s+(\w+):\s*$/.exec(line);
    const entry = /^\s+- (\S+)\s*$/.exec(line);
    if (top !== null) inside = top[1] === campaign;
    else if (inside && key !== null) lists[key[1]!] = list = [];
    else if (inside && entry !== null) list.push(Number(entry[1]));
  }
  const { alpha = [], beta = [] } = lists;
  if (alpha.length === 0 || alpha.length !== beta.length || [...alpha, ...beta].some((n) => !(n > 0))) {
    throw new SyntaxError(
      `Cannot read the prior of campaign ${campaign} from ${file}: expected as many numbers above 0 under alpha as ` +
        `under beta, got ${alpha.length} and ${beta.length}`,
    );
  }
  return Object.fromEntries(alpha.map((a, item) => [String(item), { alpha: a, beta: beta[item]! }]));
}
