/**
 * Partitions of `events`, seen from outside: the progress of their tasks, and what keeps tasks from opening.
 */

import { decodeTaskCounters } from "../../src/engine/task_codec.ts";
import { type Bounds, type GroupMember, LogError, type LogRecord } from "../log/log.ts";
import { ownRecord, positionIn } from "../task/inputs/inputs.ts";
import { type OwnPosition, positionOf } from "../task/inputs/position.ts";
import { tasksGroup } from "../topics/topics.ts";
import type { Problem } from "./problem.ts";
import type { SeenDeployment } from "./topics_view.ts";

const NO_COUNTS = { lost: 0, misplaced: 0, forgotten: 0 };
/** Most attempts to read both positions as of one commit, while a task keeps committing. */
const MOST_READS = 3;
const NO_REMEDY = "see docs/explanation/exactly-once.md, positions and identity";

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

/** A partition, and the facts behind its view. */
export interface SeenPartition {
  readonly view: PartitionView;
  readonly own: OwnPosition | null;
  readonly bounds: Bounds;
  /** Whether `statistics` has the partition. */
  readonly hasRecord: boolean;
}

export async function lookAtPartitions(deployment: SeenDeployment): Promise<readonly SeenPartition[]> {
  const { log, topics, existing } = deployment;
  const { partitions } = existing.get(topics.events) ?? { partitions: 0 };
  const members = partitions === 0 ? undefined : await log.members?.(tasksGroup(topics));
  const seen: SeenPartition[] = [];
  for (let partition = 0; partition < partitions; partition++) {
    seen.push(await lookAtPartition(deployment, partition, members));
  }
  return seen;
}

/** Looks at a partition. @param members those of the group of the tasks; `undefined` = unknown to the log */
async function lookAtPartition(
  { log, topics, existing }: SeenDeployment,
  partition: number,
  members: readonly GroupMember[] | undefined,
): Promise<SeenPartition> {
  const { events, statistics } = topics;
  // Each commit of a task ends with the task's own record, at its newest event time.
  const hasRecord = partition < (existing.get(statistics)?.partitions ?? 0);
  const { last, own, committed } = await positionsOf({ log, topics }, partition, hasRecord);
  const { start, end } = await log.bounds(events, partition); // after the positions, which may move in the meantime
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

/** A task's own record and the position of its group, as of the same commit; while the task commits, they count as equal. */
async function positionsOf(
  { log, topics }: Pick<SeenDeployment, "log" | "topics">,
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

/** What keeps tasks from opening. */
export async function positionProblems(
  { log, topics, existing }: SeenDeployment,
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
            "run a process with the role `task`, and let the topic keep events for longer than it may be down",
        });
      }
      if (remark !== null) {
        const remedy =
          "nothing is lost; if the offset expired, raise offsets.retention.minutes of the brokers for the sake of your tools";
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

/** The problem of a partition that is further behind than it may be. */
export function behind(partition: number, lag: number): Problem {
  return {
    what: `partition ${partition} is ${lag} events behind`,
    remedy:
      "add processes with the role `task`, up to one per partition, or give the learner a process of its own",
  };
}

/** What is wrong with a partition. */
export function partitionProblems(
  { partition, committed, end, lag, member }: PartitionView,
  maxLag: number,
): Problem[] {
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
