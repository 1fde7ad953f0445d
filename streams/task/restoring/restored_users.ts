/** What a task restores from `state`: its users' records; in memory only those with pending deadlines. */

import { shown } from "../../../src/events/rejected.ts";
import type { TaskState } from "../../../src/engine/task_state.ts";
import type { LogRecord } from "../../log/log.ts";
import { unreadable } from "../../log/unreadable.ts";
import type { UserIndex } from "../store/users.ts";
import {
  decoding,
  isId,
  PENDING,
  rest,
  type RestoreOptions,
  restoring,
  withRests,
} from "./changelog_reader.ts";

/** Takes records of `state` into an index and a state. */
export class RestoredUsers {
  readonly #options: Pick<RestoreOptions, "log" | "topics" | "partition" | "giveWay" | "signal">;
  readonly #index: UserIndex;
  /** Whether records may come from a local snapshot, which may be to blame. */
  readonly #isRead: boolean;
  /** Users with pending deadlines, with the event time from which each must be in memory. */
  readonly #waiting: Map<string, number>;
  /** Those of them who are not in memory. */
  readonly #late: Map<string, number>;
  readonly #gathered = new Map<string, LogRecord>();

  /** @param waiting users of the index with pending deadlines */
  constructor(
    options: Pick<RestoreOptions, "log" | "topics" | "partition" | "giveWay" | "signal">,
    index: UserIndex,
    { waiting, isRead }: { readonly waiting: Iterable<string>; readonly isRead: boolean },
  ) {
    this.#options = options;
    this.#index = index;
    this.#isRead = isRead;
    this.#waiting = new Map(Array.from(waiting, (id) => [id, -Infinity]));
    this.#late = new Map(this.#waiting);
  }

  /** Gathers a record of the log. @returns the number of records that wait for {@linkcode takeGathered} */
  gather(record: LogRecord): number {
    const { key } = record;
    if (key === null) return this.#gathered.size;
    if (!isId(key)) {
      unreadable.leaveOut(record, `its key is ${shown(key)}`, "no user has it");
      return this.#gathered.size;
    }
    this.#gathered.delete(key); // keeps the order of the newest records, as on a compacted log
    return this.#gathered.set(key, record).size;
  }

  /** Takes the newest record of each gathered user into the index. */
  async takeGathered(state: TaskState): Promise<void> {
    await withRests(this.#gathered, this.#options, ([id, { value, headers }]) => {
      const due = value === null ? undefined : headers[PENDING];
      if (value === null) this.#index.delete(id);
      else this.#index.put(id, value, due !== undefined);
      state.dropUser(id);
      for (const users of [this.#waiting, this.#late]) {
        if (due === undefined) users.delete(id);
        else users.set(id, Number(due));
      }
    });
    this.#gathered.clear();
  }

  /** Users with pending deadlines who are not loaded, with the event time from which each must be. */
  get late(): ReadonlyMap<string, number> {
    return this.#late;
  }

  /** To be called when no user is in memory any more. */
  dropAll(): void {
    for (const [id, due] of this.#waiting) this.#late.set(id, due);
  }

  /** Loads users with pending deadlines. @throws LogError `corrupt`, or SyntaxError, when a record cannot be read */
  async load(state: TaskState): Promise<void> {
    for (const id of this.#late.keys()) {
      await rest(this.#options);
      const found = this.#index.get(id);
      const record = found instanceof Promise ? await found : found;
      if (record === null) continue;
      const restoreUser = () => state.restoreUser(id, record);
      if (this.#isRead) decoding(this.#options, undefined, restoreUser);
      else await restoring(this.#options, id, restoreUser);
    }
    this.#late.clear();
  }
}
