/**
 * The offsets from which a deployment's topics are still needed, and by whom.
 *
 * ```text
 *   events            the task of the partition, from its committed position, and that of one built alongside
 *   recommendations   the monitor, from its figures' position
 *   samples           the monitor, and the learner of each model, from the position of its checkpoint
 *   signals           the tasks of all other partitions, from what each has committed of them, and as long as what
 *                     they have written names a user that it erases
 * ```
 */

import { checkpointedSamples } from "../../learning/learner_records.ts";
import type { Log } from "../../log/log.ts";
import { readAll } from "../../log/reading.ts";
import type { Task } from "../../task/task.ts";
import { ownRecord } from "../../task/inputs/inputs.ts";
import { NAMED_FROM } from "../../task/inputs/position.ts";
import { CLEARED, decodeNote, NOTHING_SHARED } from "../../task/others.ts";
import { monitorGroup, prefixOf, tasksGroup, type Topics, variantTopics } from "../../topics/topics.ts";

/** What a service runs and where. */
export interface Deployment {
  /** The log. */
  readonly log: Log;
  /** The topics. */
  readonly topics: Topics;
  /** Number of partitions of `events`. */
  readonly partitions: number;
  /** Names of the models that are trained. */
  readonly models: readonly string[];
  /** @internal The running tasks, by partition. */
  readonly tasks: () => ReadonlyMap<number, Pick<Task, "others" | "openedAt" | "lastErasure">>;
  /** @internal The topics of a generation that is built alongside from the same events; `null` = there is none. */
  readonly beside?: () => Topics | null;
}

/** The topics with the versions of the running models. */
export async function parameterTopics({ log, topics, models }: Deployment): Promise<string[]> {
  const existing = await log.topics(prefixOf(topics));
  const own = models.map((model) => variantTopics(topics, model).parameters);
  return [topics.parameters, ...own].filter((topic) => existing.has(topic));
}

/** Smallest offset of `events` that is still to be applied. */
export async function neededEvents(
  { log, topics, beside }: Deployment,
  partition: number,
): Promise<number> {
  const readers = [topics, beside?.() ?? topics];
  const positions = readers.map((of) => log.committed(tasksGroup(of), topics.events, partition));
  return Math.min(...(await Promise.all(positions)).map((position) => position ?? 0));
}

/** Smallest offset of `recommendations` that figures of experiments do not include. */
export async function neededAnswers(deployment: Deployment, partition: number): Promise<number> {
  return await neededByMonitor(deployment, deployment.topics.recommendations, partition);
}

/** Smallest offset of `samples` that a learner or the monitor has not handled for good. */
export async function neededSamples(deployment: Deployment, partition: number): Promise<number> {
  const { log, topics, models } = deployment;
  const learners = models.map(async (model) =>
    (await checkpointedSamples(log, topics, model))?.[partition] ?? 0
  );
  return Math.min(
    await neededByMonitor(deployment, topics.samples, partition),
    ...await Promise.all(learners),
  );
}

/** Smallest offset of `signals` that a task of another partition has not learnt for good. */
export function neededSignals({ partitions, tasks }: Deployment, partition: number): number {
  const here = tasks();
  let needed = Infinity;
  for (let other = 0; other < partitions; other++) {
    if (other === partition) continue;
    const { others } = here.get(other) ?? {};
    if (others === undefined) return 0; // no process here knows its position
    if (others.isShared) needed = Math.min(needed, others.committed.get(partition) ?? 0);
  }
  return needed;
}

/** Offset of `signals` up to which tasks of other partitions no longer name users that this partition has erased. */
export async function clearedSignals(
  { log, topics, partitions }: Deployment,
  partition: number,
): Promise<number> {
  let cleared = Infinity;
  for (let other = 0; other < partitions; other++) {
    if (other === partition) continue;
    const note = (await ownRecord(log, topics, other))?.headers[CLEARED];
    if (note !== NOTHING_SHARED) cleared = Math.min(cleared, new Map(decodeNote(note)).get(partition) ?? 0);
  }
  return cleared;
}

/** Offset of the first erasing event whose user the task of the partition may still name; `Infinity` = there is none. */
export async function namedFrom({ log, topics }: Deployment, partition: number): Promise<number> {
  return Number((await ownRecord(log, topics, partition))?.headers[NAMED_FROM] ?? Infinity);
}

/** Offset after the last journal of a partition of `signals`; a record without one only notes what was learnt. */
export async function journalsEnd({ log, topics }: Deployment, partition: number): Promise<number> {
  const { start, end } = await log.bounds(topics.signals, partition);
  for (let back = 16;; back *= 4) {
    const from = Math.max(start, end - back);
    let behind = 0;
    for await (const { offset, value } of readAll(log, topics.signals, partition, from)) {
      if (value !== null && value.length > 0) behind = offset + 1;
    }
    if (behind > 0 || from === start) return behind;
  }
}

/** Without experiments nothing is needed: the first one starts with the records that exist. */
async function neededByMonitor(
  { log, topics }: Deployment,
  topic: string,
  partition: number,
): Promise<number> {
  const { end } = await log.bounds(topics.experiments, 0);
  return end === 0 ? Infinity : await log.committed(monitorGroup(topics), topic, partition) ?? 0;
}
