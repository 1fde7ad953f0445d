/** The newest record of each user of a generation, while others may write more. */

import type { TaskState } from "../../../src/engine/task_state.ts";
import type { UserState } from "../../../src/users/user_state.ts";
import type { Log, LogRecord } from "../../log/log.ts";
import { endsEarly, readAll } from "../../log/reading.ts";
import { unreadable } from "../../log/unreadable.ts";

/** Looks at a user, which is not valid afterwards; `undefined` when the record cannot be read. */
export type UserView = <Seen>(see: (user: UserState) => Seen) => Seen | undefined;

/** The users of a generation whose newest records are wanted. */
export async function* usersOf(
  log: Log,
  topic: string,
  state: TaskState,
  isWanted: (id: string, value: Uint8Array) => boolean,
): AsyncGenerator<UserView> {
  for await (const { key, value, record } of newestUsers(log, topic)) {
    if (!isWanted(key, value)) continue;
    yield (see) => {
      try {
        return state.memory.view(key, value, see);
      } catch (cause) {
        unreadable.leaveOut(record, cause, "the user is not carried over");
        return undefined;
      }
    };
  }
}

/** Each user's newest record, once. */
async function* newestUsers(
  log: Log,
  topic: string,
): AsyncGenerator<{ readonly key: string; readonly value: Uint8Array; readonly record: LogRecord }> {
  const partitions = (await log.identify(topic))?.partitions ?? 0;
  for (let partition = 0; partition < partitions; partition++) {
    const newest = new Map<string, number>();
    for await (const { key, offset } of readAll(log, topic, partition)) {
      if (key !== null) newest.set(key, offset);
    }
    const { end } = await log.bounds(topic, partition);
    // Beyond that end, too: on a compacted log a record that was replaced meanwhile is there alone.
    for (let next = 0;;) {
      const result = await log.read(topic, partition, next);
      for (const record of result.records) {
        const { key, value, offset } = record;
        // A later record has replaced it.
        if (key === null || offset < (newest.get(key) ?? 0)) continue;
        newest.set(key, Infinity);
        if (value !== null) yield { key, value, record };
      }
      if (result.next === next && next < end) throw endsEarly(topic, partition, next, end);
      if (result.next === next) break;
      next = result.next;
    }
  }
}
