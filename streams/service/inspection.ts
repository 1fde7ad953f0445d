/**
 * Inspects a deployment from outside, by its log alone, without writing.
 *
 * @module
 */

import { decodeTaskCounters } from "../../src/engine/task_codec.ts";
import { lostFigures } from "../experiments/figures.ts";
import { hasRetention } from "../log/capabilities.ts";
import {
  type Bounds,
  type GroupMember,
  type Log,
  LogError,
  type LogRecord,
  type TopicSpec,
} from "../log/log.ts";
import { ownRecord, positionIn } from "../task/inputs/inputs.ts";
import { type OwnPosition, positionOf } from "../task/inputs/position.ts";
import { servingTopics } from "../topics/serving.ts";
import { tasksGroup, type Topics } from "../topics/topics.ts";
import {
  experimentsOf,
  learnerProblems,
  type LearnerView,
  learntModels,
  lookAtLearners,
  monitorProblems,
} from "./learners_view.ts";
import type { Problem } from "./problem.ts";
import { lookAtTopics, type TopicView } from "./topics_view.ts";

/** A partition of `events`, seen from outside. */
export interface PartitionView {
  readonly partition: number;
  /** Offset after the last event. */
  readonly end: number;
  /** Offset up to which its task has committed; `null` = no task ever did. */
  readonly committed: number | null;
  /** Events that no task has committed, including holes in the log. */
  readonly lag: number;
  /** Offset of the next event by the task's own record; `null` = it has none. */
  readonly next: number | null;
  /** Events that were lost or arrived in the wrong partition, since the beginning of the log. */
  readonly counts: Readonly<Record<"lost" | "misplaced", number>>;
  /** Users whom its task has erased. */
  readonly forgotten: number;
  /** Newest event time that its task has committed, milliseconds since the epoch, or `null`. */
  readonly eventTime: number | null;
  /** The member of the group that has it; `null` = no member, `undefined` = unknown to the log. */
  readonly member: GroupMember | null | undefined;
}

/** A partition, and what its view was made of. */
interface SeenPartition {
  readonly view: PartitionView;
  readonly own: OwnPosition | null;
  readonly bounds: Bounds;
  /** Whether `statistics` has the partition. */
  readonly hasRecord: boolean;
}

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
 * Counts of what should not happen, and of erased users that topics keep for ever. They cannot be undone, or are
 * intended, so an operator can acknowledge them.
 */
export const COUNT_NAMES = ["lost", "misplaced", "unlearnt", "uncounted", "unfed", "kept"] as const;

/** One of {@linkcode COUNT_NAMES}. */
export type CountName = (typeof COUNT_NAMES)[number];

/** Options of {@linkcode inspect}. */
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
const NO_REMEDY = "see docs/explanation/exactly-once.md, positions and identity";
/** Looks at both positions of a task that keeps committing. */
const MOST_READS = 3;
const NO_COUNTS = { lost: 0, misplaced: 0, forgotten: 0 };

/** Inspects a deployment. */
export async function inspect(log: Log, options: InspectionOptions = {}): Promise<Inspection> {
  const names = await servingTopics(log, options.prefix);
  const existing = await log.topics();
  const problems: Problem[] = [];
  const topics = await lookAtTopics(options.whole ?? log, names, existing, problems);
  const members = existing.has(names.events) ? await log.members?.(tasksGroup(names)) : undefined;
  const seen: SeenPartition[] = [];
  for (let partition = 0; partition < (existing.get(names.events)?.partitions ?? 0); partition++) {
    seen.push(await lookAtPartition(log, names, existing, partition, members));
  }
  const partitions = seen.map(({ view }) => view);
  problems.push(...await positionProblems(log, names, existing, seen));
  problems.push(...await keepingProblems(log, names, existing, partitions, options.known?.kept));
  problems.push(...partitions.flatMap((view) => problemsOf(view, options.maxLag ?? Infinity)));
  const isPublished = existing.has(names.parameters);
  const learners = isPublished ? await lookAtLearners(log, names, existing) : [];
  if (isPublished && learners.length === 0) {
    const remedy = "run a process with the role `learner`: it publishes a first version at once";
    problems.push({ what: "no parameters are published", remedy });
  }
  const counts = {
    lost: partitions.reduce((sum, { counts }) => sum + counts.lost, 0),
    misplaced: partitions.reduce((sum, { counts }) => sum + counts.misplaced, 0),
    unlearnt: learners.reduce((sum, { lost }) => sum + lost, 0),
    uncounted: existing.has(names.figures) ? await lostFigures(log, names) : 0,
  };
  problems.push(...countProblems(names, counts, options.known ?? {}));
  const experiments = existing.has(names.experiments) ? await experimentsOf(log, names) : [];
  problems.push(...learnerProblems(learners, learntModels(experiments)));
  problems.push(...await monitorProblems(log, names, experiments));
  return { topics, partitions, learners, problems };
}

async function lookAtPartition(
  log: Log,
  topics: Topics,
  existing: ReadonlyMap<string, TopicSpec>,
  partition: number,
  members: readonly GroupMember[] | undefined,
): Promise<SeenPartition> {
  const { events, statistics } = topics;
  // Each commit of a task ends with the task's own record, at its newest event time.
  const hasRecord = partition < (existing.get(statistics)?.partitions ?? 0);
  const { last, own, committed } = await positionsOf(log, topics, partition, hasRecord);
  const { start, end } = await log.bounds(events, partition); // after the positions, which may move meanwhile
  const next = own?.next ?? null;
  const { lost, misplaced, forgotten } = last?.value == null ? NO_COUNTS : decodeTaskCounters(last.value);
  const view = {
    partition,
    end,
    committed,
    next,
    counts: { lost, misplaced },
    forgotten,
    lag: Math.max(0, end - (next ?? committed ?? start)),
    eventTime: last === null || last.time === 0 ? null : last.time,
    member: members === undefined
      ? undefined
      : members.find(({ partitions }) => partitions.includes(partition)) ?? null,
  };
  return { view, own, bounds: { start, end }, hasRecord };
}

/** What keeps tasks from opening. */
async function positionProblems(
  log: Log,
  topics: Topics,
  existing: ReadonlyMap<string, TopicSpec>,
  seen: readonly SeenPartition[],
): Promise<Problem[]> {
  const { events, statistics, state } = topics;
  const now = await log.identify(events);
  if (now === null) return [];
  const problems: Problem[] = [];
  for (const { view: { partition, committed }, own, bounds, hasRecord } of seen) {
    if (!hasRecord) continue;
    const group = tasksGroup(topics);
    const partitions = existing.get(state)?.partitions ?? now.partitions;
    try {
      const sides = { topic: events, partition, statistics, group, own, committed, now, bounds };
      const { next, remark } = positionOf(sides);
      if (own !== null && next < bounds.start) {
        problems.push({
          what:
            `${events}/${partition} has dropped ${bounds.start - next} offsets, ${next} to ${
              bounds.start - 1
            }, ` +
            "before they were applied",
          remedy:
            "run a process with the role `task`, and let the topic keep events for longer than it may be away",
        });
      }
      if (remark !== null) {
        const remedy =
          "nothing is lost; if it expired, raise offsets.retention.minutes of the brokers for your tools";
        problems.push({ what: `task ${partition} ${remark}`, remedy });
      }
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "topic-mismatch") throw error;
      const [what = "", remedy = NO_REMEDY] = error.message.split("; ");
      problems.push({ what: `task ${partition} has stopped: ${what}`, remedy });
      if (now.partitions !== partitions) break; // the same for all
    }
  }
  return problems;
}

/** A task's own record and the position of its group, as of the same commit; while the task commits, they count as equal. */
async function positionsOf(
  log: Log,
  topics: Topics,
  partition: number,
  hasRecord: boolean,
): Promise<{
  readonly last: LogRecord | null;
  readonly own: OwnPosition | null;
  readonly committed: number | null;
}> {
  const ofGroup = () => log.committed(tasksGroup(topics), topics.events, partition);
  let before = await ofGroup();
  if (!hasRecord) return { last: null, own: null, committed: before };
  for (let reads = 1;; reads++) {
    const last = await ownRecord(log, topics, partition);
    const own = positionIn(last, partition);
    const committed = await ofGroup();
    if (committed === before) return { last, own, committed };
    if (reads === MOST_READS) return { last, own, committed: own?.next ?? committed };
    before = committed;
  }
}

/** Topics that a log with its own retention keeps for ever, including erased users. */
async function keepingProblems(
  log: Log,
  { events, recommendations, samples, signals, rejected }: Topics,
  existing: ReadonlyMap<string, TopicSpec>,
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
      "set retention.ms of these topics, longer than learners and tasks are ever away: kafka-configs.sh --alter " +
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
      "repeat erasures that were requested in between, and let the topic keep events for longer than tasks may be away",
    ],
    misplaced: [
      `events arrived in partitions of ${events} other than their users', whose states are split by that`,
      `key events by user, or start afresh under another --prefix with --rekey-from ${events}`,
    ],
    unlearnt: [
      `offsets of ${samples} were dropped before learners learnt them`,
      "repeat erasures that were requested in between, and let the topic keep samples for longer than learners may be away",
    ],
    uncounted: [
      "offsets of answers and samples were dropped before the monitor counted them",
      "experiments that ran then lack them: start those again, and keep both topics for longer than it may be away",
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

/** The problem of a partition that is further behind than it may be. */
export function behind(partition: number, lag: number): Problem {
  return {
    what: `partition ${partition} is ${lag} events behind`,
    remedy:
      "add processes with the role `task`, up to one per partition, or give the learner a process of its own",
  };
}

function problemsOf({ partition, committed, end, lag, member }: PartitionView, maxLag: number): Problem[] {
  const problems: Problem[] = [];
  if (committed === null && end > 0) {
    problems.push({
      what: `no task has committed partition ${partition}`,
      remedy: "run a process with the role `task`; if there is one, look at its log",
    });
  }
  if (lag > maxLag) problems.push(behind(partition, lag));
  if (member === null) {
    const remedy = "run a process with the role `task`; after a crash, wait until the session has expired";
    problems.push({ what: `no process has partition ${partition}`, remedy });
  }
  return problems;
}
