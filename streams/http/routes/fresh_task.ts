/** The tasks of this process, caught up with the log: clients read their own writes. */

import { setTimeout as delay } from "node:timers/promises";
import { partitionOf } from "../../log/partitioner.ts";
import type { Task } from "../../task/task.ts";
import type { ApiContext } from "../context.ts";
import { within } from "../deadline.ts";
import { Problem } from "../contract/problem.ts";
import { statusOf } from "./status.ts";

const POLL_MS = 2;

/** The task of a user. @throws Problem `elsewhere` or `unavailable` */
export async function taskOf({ service, partitions }: ApiContext, user: string): Promise<Task> {
  const partition = partitionOf(user, partitions);
  const task = service?.tasks.get(partition);
  if (task !== undefined) return task;
  const here = (await statusOf({ service }))?.partitions.some((one) => one.partition === partition) ?? false;
  if (here) throw new Problem("unavailable", `Partition ${partition} is being restored`);
  throw new Problem("elsewhere", `Partition ${partition} is not in this process`, { more: { partition } });
}

/** The task of a user, caught up with the log. @throws Problem `answer-timeout` and those of {@linkcode taskOf} */
export async function freshTask(context: ApiContext, user: string): Promise<Task> {
  await taskOf(context, user);
  const end = await endOf(context, partitionOf(user, context.partitions));
  return await caughtUp(context, end, () => taskOf(context, user));
}

/** All tasks, caught up with the log. @throws Problem `elsewhere` when some are in other processes */
export async function freshTasks(context: ApiContext): Promise<readonly Task[]> {
  const { service, partitions } = context;
  const tasks = [...service?.tasks ?? []];
  if (tasks.length < partitions) {
    throw new Problem("elsewhere", `This process has ${tasks.length} of ${partitions} partitions`);
  }
  return await Promise.all(tasks.map(async ([partition, task]) => {
    const end = await endOf(context, partition);
    return await caughtUp(context, end, () => Promise.resolve(service?.tasks.get(partition) ?? task));
  }));
}

/**
 * Waits until a user's task has committed an event; returns at once if another process has the task.
 *
 * @throws Problem `answer-timeout`
 */
export async function committed(context: ApiContext, user: string, offset: number): Promise<void> {
  const find = () => Promise.resolve(context.service?.tasks.get(partitionOf(user, context.partitions)));
  await caughtUp(context, offset + 1, find, (task) => task?.committed ?? Infinity);
}

async function endOf({ log, topics, answerTimeoutMs }: ApiContext, partition: number): Promise<number> {
  const { end } = await within(
    log.bounds(topics.events, partition),
    answerTimeoutMs,
    () => new Problem("answer-timeout", `The log has not answered for ${answerTimeoutMs} ms`),
  );
  return end;
}

/**
 * Waits for a task to reach an offset.
 *
 * @param find finds the task: another generation's may take over meanwhile
 * @param placeOf the offset that it has reached. @default {that of the next event to apply}
 */
async function caughtUp<T extends Task | undefined>(
  { clock, answerTimeoutMs }: ApiContext,
  end: number,
  find: () => Promise<T>,
  placeOf: (task: T) => number = (task) => task?.next ?? Infinity,
): Promise<T> {
  const deadline = clock() + answerTimeoutMs;
  for (;;) {
    const task = await find();
    if (placeOf(task) >= end) return task;
    if (clock() > deadline) {
      throw new Problem("answer-timeout", `Earlier events were not applied within ${answerTimeoutMs} ms`);
    }
    await delay(POLL_MS);
  }
}
