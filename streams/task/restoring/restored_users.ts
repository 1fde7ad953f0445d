/**
 * What a task restores from the topic `state`: the records of its users; in memory only those for whom something waits.
 *
 * @module
 */

import { shown } from "../../../src/events/rejected.ts";
import type { TaskState } from "../../../src/engine/task_state.ts";
import type { LogRecord } from "../../log/log.ts";
import { unreadable } from "../../log/unreadable.ts";
import type { UserIndex } from "../store/users.ts";
import { decoding, isId, PENDING, type RestoreOptions, restoring } from "./changelog_reader.ts";

/** Takes records of `state` into an index and a state. */
export class RestoredUsers {
  readonly #options: Pick<RestoreOptions, "log" | "topics" | "partition">;
  readonly #index: UserIndex;
  /** Whether records may come from a local snapshot, which may be to blame. */
  readonly #isRead: boolean;
  readonly #waiting: Set<string>;
  /** Those of them who have changed since they were loaded. */
  readonly #due: Set<string>;
  readonly #gathered = new Map<string, LogRecord>();

  /** @param waiting users of the index for whom something waits */
  constructor(
    options: Pick<RestoreOptions, "log" | "topics" | "partition">,
    index: UserIndex,
    { waiting, isRead }: { readonly waiting: Iterable<string>; readonly isRead: boolean },
  ) {
    this.#options = options;
    this.#index = index;
    this.#isRead = isRead;
    this.#waiting = new Set(waiting);
    this.#due = new Set(this.#waiting);
  }

  /** Gathers a record of the log. @returns the number of those that wait for {@linkcode takeGathered} */
  gather(record: LogRecord): number {
    const { key } = record;
    if (key === null) return this.#gathered.size;
    if (!isId(key)) {
      unreadable.leaveOut(record, `its key is ${shown(key)}`, "no user has it");
      return this.#gathered.size;
    }
    this.#gathered.delete(key); // in the order of the newest records, as when the log is compacted
    return this.#gathered.set(key, record).size;
  }

  /** Takes the newest record of each user who was gathered into the index. */
  takeGathered(state: TaskState): void {
    for (const [id, { value, headers }] of this.#gathered) {
      const waits = value !== null && headers[PENDING] !== undefined;
      if (value === null) this.#index.delete(id);
      else this.#index.put(id, value, waits);
      if (waits) {
        this.#waiting.add(id);
        this.#due.add(id);
      } else {
        this.#waiting.delete(id);
        this.#due.delete(id);
        state.dropUser(id);
      }
    }
    this.#gathered.clear();
  }

  /** Loads all users for whom something waits, with the next {@linkcode load}: for another state. */
  loadAgain(): void {
    for (const id of this.#waiting) this.#due.add(id);
  }

  /** Loads users for whom something waits. @throws LogError `corrupt`, or SyntaxError, when a record cannot be read */
  async load(state: TaskState): Promise<void> {
    for (const id of this.#due) {
      const found = this.#index.get(id);
      const record = found instanceof Promise ? await found : found;
      if (record === null) continue;
      const restoreUser = () => state.restoreUser(id, record);
      if (this.#isRead) decoding(this.#options, undefined, restoreUser);
      else await restoring(this.#options, id, restoreUser);
    }
    this.#due.clear();
  }
}
