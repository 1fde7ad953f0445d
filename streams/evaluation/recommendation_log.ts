/**
 * Reads a deployment's log for off-policy evaluation: recommendations, with all candidates and scores, joined with the
 * samples that hold their outcomes.
 */

import { decodeRecommendation } from "../../src/events/codec.ts";
import { exposuresOf, type OrderedBy, type Recommendation } from "../../src/events/recommendation.ts";
import { INTERLEAVED } from "../../src/assignment/assignment.ts";
import type { LoggedList, LoggedPlace } from "../../src/experiments/off_policy.ts";
import type { Sample } from "../../src/samples/sample.ts";
import { decodeSample } from "../../src/samples/sample_codec.ts";
import { type Candidates, placeDistribution, type PolicyOptions } from "../../src/draws/policy.ts";
import type { Log, LogRecord } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { unreadable } from "../log/unreadable.ts";
import type { Topics } from "../topics/topics.ts";

/** Bound of the logits, which are infinite for a probability rounded to 1. */
const LARGEST_LOGIT = 36;
/** Smaller shares count as this, whose logarithm is finite. */
const LEAST_SHARE = 1e-300;

/** What {@linkcode readRecommendationLog} reads from a log. */
export interface RecommendationLog {
  /** One list per sample whose recommendation is on the log. */
  readonly lists: LoggedList[];
  /** Samples without a recommendation on the log, or with items shown in another order. */
  skipped: number;
  /** Recommendations without candidates: the deployment does not set `logCandidates`. */
  withoutCandidates: number;
  /** Recommendations of interleaving experiments, left out because two models order them. */
  drafted: number;
  /** Number of lists by what the policy chooses by: their order, or scores if the log lacks it (0.2.0). */
  readonly chosenBy: Map<OrderedBy | "score", number>;
}

/**
 * Reads recommendations and samples. The reward is the label and the unit the user. The policy chooses by the values
 * that ordered the list. The reward model of DR is the score without the position effect, fixed before the outcome.
 *
 * Memory: the recommendations of a partition without a sample so far.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { evaluatePolicy, MemoryLog, readRecommendationLog, topicNames } from "@meander/meander";
 *
 * await using log = new MemoryLog(); // the log of a deployment with `logCandidates`
 * const { lists } = await readRecommendationLog(log, topicNames(), { name: "epsilon", epsilon: 0.2 });
 * assert.equal(lists.length, 0);
 * if (lists.length > 0) console.log(evaluatePolicy(lists).estimates);
 * ```
 */
export async function readRecommendationLog(
  log: Log,
  topics: Topics,
  policy: PolicyOptions,
): Promise<RecommendationLog> {
  const result: RecommendationLog = {
    lists: [],
    skipped: 0,
    withoutCandidates: 0,
    drafted: 0,
    chosenBy: new Map(),
  };
  const partitions = (await log.topics(topics.samples)).get(topics.samples)?.partitions ?? 0;
  for (let partition = 0; partition < partitions; partition++) {
    const recommendations = await recommendationsOn(log, topics.recommendations, partition);
    for await (const record of readAll(log, topics.samples, partition)) {
      const sample = sampleOf(record);
      // The impression of one to learn from yields another sample when its outcomes are final.
      if (sample === null || sample.purpose === "learn") continue;
      const id = listId(sample);
      take(result, sample, recommendations.get(id), policy);
      recommendations.delete(id);
    }
  }
  return result;
}

async function recommendationsOn(
  log: Log,
  topic: string,
  partition: number,
): Promise<Map<string, Recommendation>> {
  const recommendations = new Map<string, Recommendation>();
  for await (const record of readAll(log, topic, partition)) {
    if (record.value === null) continue;
    const decoded = decodeRecommendation(record.value);
    if (decoded.ok) recommendations.set(listId(decoded.recommendation), decoded.recommendation);
    else unreadable.leaveOut(record, decoded.reason, "its list is not counted");
  }
  return recommendations;
}

/** The sample; `null` = there is none, or it cannot be read, which is reported. */
function sampleOf(record: LogRecord): Sample | null {
  try {
    return record.value === null ? null : decodeSample(record.value);
  } catch (cause) {
    unreadable.leaveOut(record, cause, "its list is not counted");
    return null;
  }
}

/** Adds a list to the log, or counts why it is left out. */
function take(
  result: RecommendationLog,
  sample: Sample,
  recommendation: Recommendation | undefined,
  policy: PolicyOptions,
): void {
  if (recommendation === undefined) return void result.skipped++;
  if (isDrafted(recommendation)) return void result.drafted++;
  if (recommendation.others === undefined) return void result.withoutCandidates++;
  const list = loggedList(recommendation, sample, policy);
  if (list === null) return void result.skipped++;
  result.lists.push(list);
  const by = hasOrder(recommendation) ? recommendation.orderedBy ?? "score" : "score";
  result.chosenBy.set(by, (result.chosenBy.get(by) ?? 0) + 1);
}

/** Distinguishes lists: several users may use the same request id, and a user may reuse one. */
function listId({ user, request, time }: Pick<Recommendation, "user" | "request" | "time">): string {
  return `${user}\n${request}\n${time}`; // ids have no control characters
}

/** Whether two variants drafted the list. Assignment to such lists does not depend on outcomes. */
function isDrafted(recommendation: Recommendation): boolean {
  return exposuresOf(recommendation).some(({ variant }) => variant === INTERLEAVED);
}

/** Whether a recommendation contains the values that ordered it. */
function hasOrder({ items }: Recommendation): boolean {
  return items.every(({ order }) => order !== undefined);
}

/** The list as logged and as `policy` would have chosen it; `null` when the items shown are not those recommended. */
export function loggedList(
  recommendation: Recommendation,
  sample: Sample,
  policy: PolicyOptions,
): LoggedList | null {
  const rows = [...sample.rows].sort((a, b) => a.position - b.position);
  // By id: an order that begins with the drawn items would break ties in their favour.
  const all = [...recommendation.items, ...recommendation.others ?? []]
    .sort((a, b) => a.item < b.item ? -1 : a.item > b.item ? 1 : 0);
  const index = new Map(all.map(({ item }, at) => [item, at]));
  const shown = rows.map(({ item }) => index.get(item) ?? -1);
  if (rows.some(({ item }, place) => recommendation.items[place]?.item !== item)) return null;
  const isShare = recommendation.scoreKind === "share";
  const candidates: Candidates = {
    scores: all.map(({ score, order }) =>
      order ?? (isShare ? Math.log(Math.max(score, LEAST_SHARE)) : logitOf(score))
    ),
  };
  const places = rows.map(({ label, propensity }, place): LoggedPlace => {
    const chances = placeDistribution(candidates, shown.slice(0, place), policy);
    const expected = chances.reduce((sum, chance, at) => sum + chance * all[at]!.score, 0);
    return {
      target: chances[shown[place]!]!,
      logged: propensity,
      reward: label,
      predicted: all[shown[place]!]!.score,
      expected,
    };
  });
  return { unit: sample.user, places };
}

function logitOf(score: number): number {
  return Math.max(-LARGEST_LOGIT, Math.min(LARGEST_LOGIT, Math.log(score / (1 - score))));
}
