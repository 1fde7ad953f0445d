/** Inspects a deployment from outside, by its log alone, without writing. */

import { lostFigures } from "../experiments/figures.ts";
import { hasRetention } from "../log/capabilities.ts";
import type { Log } from "../log/log.ts";
import { ownPartitions } from "../task/inputs/own_partitions.ts";
import { remedyByNewPrefix } from "../task/inputs/position.ts";
import { servingTopics } from "../topics/serving.ts";
import { prefixOf, topicNames, type Topics } from "../topics/topics.ts";
import {
  experimentsOf,
  learnerProblems,
  type LearnerView,
  learntModels,
  lookAtLearners,
  monitorProblems,
} from "./learners_view.ts";
import {
  lookAtPartitions,
  partitionProblems,
  type PartitionView,
  positionProblems,
} from "./partitions_view.ts";
import type { Problem } from "./problem.ts";
import { lookAtTopics, type SeenDeployment, type TopicView } from "./topics_view.ts";

/** A deployment, seen from outside. */
export interface Inspection {
  /** The topics in the order of their use. */
  readonly topics: readonly TopicView[];
  /** The partitions of `events`. */
  readonly partitions: readonly PartitionView[];
  /** The models that have published something. */
  readonly learners: readonly LearnerView[];
  /** Empty = all is well. */
  readonly problems: readonly Problem[];
}

/**
 * Counts of what should not happen, of rejected records, and of erased users that topics keep for ever. They cannot be
 * undone, or are intended, so an operator can acknowledge them.
 */
export const COUNT_NAMES = [
  "lost",
  "misplaced",
  "unlearnt",
  "uncounted",
  "unfed",
  "kept",
  "rejected",
] as const;

export type CountName = (typeof COUNT_NAMES)[number];

export interface InspectionOptions {
  /** Prefix of the topics. @default {"meander."} */
  readonly prefix?: string | undefined;
  /** Largest acceptable lag of a partition. @default {Infinity} */
  readonly maxLag?: number | undefined;
  /** The underlying log, if tasks share partitions of the one inspected. @default {the same} */
  readonly whole?: Log | undefined;
  /** Acknowledged counts, over all partitions. @default {{}} */
  readonly known?: Readonly<Partial<Record<CountName, number>>> | undefined;
}

/** Those of {@linkcode COUNT_NAMES} that are counted while running. */
const LOSSES = ["lost", "misplaced", "unlearnt", "uncounted"] as const satisfies readonly CountName[];
type Lost = (typeof LOSSES)[number];

export async function inspect(given: Log, options: InspectionOptions = {}): Promise<Inspection> {
  const names = topicNames(options.prefix);
  const log = ownPartitions(given, names);
  const topics = await servingTopics(log, options.prefix);
  const existing = await log.topics(prefixOf(topics));
  const deployment = { log, topics, existing };
  const problems: Problem[] = [];
  const { whole = given } = options;
  const own = whole === given ? log : ownPartitions(whole, names); // logs unused partitions once
  problems.push(...await unreadProblems(own, topics));
  const topicViews = await lookAtTopics({ whole, own, topics, existing }, problems);
  const seen = await lookAtPartitions(deployment);
  const partitions = seen.map(({ view }) => view);
  problems.push(...await positionProblems(deployment, seen));
  problems.push(...await keepingProblems(deployment, partitions, options.known?.kept));
  problems.push(...partitions.flatMap((view) => partitionProblems(view, options.maxLag ?? Infinity)));
  const isPublished = existing.has(topics.parameters);
  const learners = isPublished ? await lookAtLearners(deployment) : [];
  if (isPublished && learners.length === 0) {
    const remedy = "run a process with the role `learner`: it publishes a first version at once";
    problems.push({ what: "no parameters are published", remedy });
  }
  const counts = {
    lost: partitions.reduce((sum, { counts }) => sum + counts.lost, 0),
    misplaced: partitions.reduce((sum, { counts }) => sum + counts.misplaced, 0),
    unlearnt: learners.reduce((sum, { lost }) => sum + lost, 0),
    uncounted: existing.has(topics.figures) ? await lostFigures(log, topics) : 0,
  };
  problems.push(...countProblems(topics, counts, options.known ?? {}));
  const experiments = existing.has(topics.experiments) ? await experimentsOf(log, topics) : [];
  problems.push(...learnerProblems(learners, learntModels(experiments)));
  problems.push(...await monitorProblems(log, topics, experiments));
  return { topics: topicViews, partitions, learners, problems };
}

/** Partitions that were added, of which tasks know nothing. @param log not split */
async function unreadProblems(log: Log, { events, items }: Topics): Promise<Problem[]> {
  const problems: Problem[] = [];
  for (const topic of [events, items]) {
    const { partitions = 0, unread = 0 } = await log.identify(topic) ?? {};
    let records = 0;
    for (let p = partitions; p < partitions + unread; p++) {
      const { start, end } = await log.bounds(topic, p);
      records += end - start;
    }
    if (unread === 0) continue;
    problems.push({
      what:
        `${topic} has ${
          partitions + unread
        } partitions, of which tasks read only ${partitions}; the others have ` +
        `${records} records, which wait there until retention drops them`,
      remedy: `Kafka cannot remove partitions; ${remedyByNewPrefix(topic)}`,
    });
  }
  return problems;
}

/** Topics that a log with its own retention keeps for ever, including erased users. */
async function keepingProblems(
  { log, topics: { events, recommendations, samples, signals, rejected }, existing }: SeenDeployment,
  views: readonly PartitionView[],
  known = 0,
): Promise<Problem[]> {
  const users = views.reduce((sum, { forgotten }) => sum + forgotten, 0);
  if (users <= known || !hasRetention(log)) return [];
  const kept: string[] = [];
  for (const topic of [events, recommendations, samples, signals, rejected]) {
    if (existing.has(topic) && await log.keepMs(topic) === null) kept.push(topic);
  }
  if (kept.length === 0) return [];
  return [{
    what: `erased users (${users} so far) have records that stay for ever on ${kept.join(", ")}`,
    remedy:
      "set retention.ms of these topics, longer than learners and tasks are ever down: kafka-configs.sh --alter " +
      "--entity-type topics --entity-name <topic> --add-config retention.ms=<milliseconds>; " +
      `or, if they may stay there, accept it: --known kept=${users}`,
  }];
}

/** Counts that are not acknowledged. */
function countProblems(
  { events, samples }: Topics,
  counts: Readonly<Record<Lost, number>>,
  known: Readonly<Partial<Record<CountName, number>>>,
): Problem[] {
  const words: Readonly<Record<Lost, readonly [what: string, remedy: string]>> = {
    lost: [
      `offsets of ${events} were dropped before they were applied`,
      "repeat erasures that were requested in between, and let the topic keep events for longer than tasks may be down",
    ],
    misplaced: [
      `events arrived in partitions of ${events} other than their users', which splits their states`,
      `key events by user, or ${remedyByNewPrefix(events)}`,
    ],
    unlearnt: [
      `offsets of ${samples} were dropped before learners learnt them`,
      "repeat erasures that were requested in between, and let the topic keep samples for longer than learners may be down",
    ],
    uncounted: [
      "offsets of answers and samples were dropped before the monitor counted them",
      "experiments that ran then lack them: start those again, and keep both topics for longer than it may be down",
    ],
  };
  return LOSSES.flatMap((name) => {
    const count = counts[name];
    if (count <= (known[name] ?? 0)) return [];
    const [what, remedy] = words[name];
    return [{
      what: `${count} ${what}`,
      remedy: `${remedy}; then accept it: --known ${name}=${count}`,
    }];
  });
}
