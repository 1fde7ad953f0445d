/** The progress of a partition's task. */

import type { Log } from "../log/log.ts";
import type { RestoreStatus } from "../task/restoring/restore_meter.ts";
import type { Task } from "../task/task.ts";
import { tasksGroup, type Topics } from "../topics/topics.ts";
import type { PartitionStatus } from "./status.ts";

/** What is known about a partition in this process. */
export interface PartitionProgress {
  /** Its task; `undefined` while it is restored. */
  readonly task: Task | undefined;
  readonly restore: RestoreStatus | null;
  /** Where the partitions of `signals` end; empty where no task reads them. */
  readonly signalsEnds: readonly number[];
}

/** The status of a partition of `events`. */
export async function partitionStatus(
  { log, topics }: { readonly log: Log; readonly topics: Topics },
  partition: number,
  { task, restore, signalsEnds }: PartitionProgress,
): Promise<PartitionStatus> {
  const { events } = topics;
  const { end } = await log.bounds(events, partition);
  const committed = task?.committed ?? await log.committed(tasksGroup(topics), events, partition) ?? 0;
  const watermark = task?.state.watermark ?? -Infinity;
  let othersLag = 0;
  for (const [other, next] of task?.others.positions ?? []) {
    othersLag += Math.max(0, (signalsEnds[other] ?? 0) - next);
  }
  return {
    partition,
    restoring: task === undefined,
    committed,
    lag: Math.max(0, end - committed),
    watermark: watermark === -Infinity ? null : watermark,
    users: task?.state.users.size ?? 0,
    othersLearnt: task?.others.learnt ?? 0,
    othersLag,
    restore,
    snapshot: task?.store?.status ?? null,
  };
}
