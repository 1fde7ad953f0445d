/**
 * The users of a task: those in memory, and those that are only committed records.
 *
 * ```text
 *   state.users    ■■■■■■□□            ■ as committed   □ changed, or new, since the last commit
 *   records        ■■■■■■▪▪▪▪▪▪▪▪▪x    ▪ only here      x erased since the last commit: no longer counts
 * ```
 */

import type { TaskState } from "../../src/engine/task_state.ts";
import type { UserState } from "../../src/users/user_state.ts";
import { atOnce, inPortions, type Portions } from "../../src/values/portions.ts";
import type { NewRecord } from "../log/log.ts";
import type { Outbox } from "./outbox.ts";
import { PENDING, type RestoreOptions, restoring } from "./restoring/changelog_reader.ts";
import type { UserIndex } from "./store/users.ts";

/** Reads the users of a task, in memory or not, and changes nothing. */
export interface UserReader {
  /** Number of users that have a committed record. */
  readonly size: number;
  /** See {@linkcode UserTable.idsAfter}. */
  idsAfter(after: string, count?: number): Portions<readonly string[]>;
  /** The records of all users as of now, by id; for digests and exports. */
  records(): AsyncGenerator<readonly [user: string, record: Uint8Array]>;
  /**
   * Reads a user; `undefined` for an unknown one.
   *
   * @param view extracts what is needed from the state, which is not valid afterwards
   */
  peek<View>(id: string, view: (user: UserState) => View): Promise<View | undefined>;
}

/** The users of a task; loads those who have events. */
export class UserTable implements UserReader {
  readonly #state: TaskState;
  /** A record that it returns is valid only until the next look-up, so nothing may be awaited in between. */
  readonly #index: UserIndex;
  readonly #outbox: Pick<Outbox, "isForgotten">;

  readonly #place: Pick<RestoreOptions, "log" | "topics" | "partition">;
  /** Users with pending deadlines who are not in memory, with the event time from which each must be. */
  readonly #late: Map<string, number>;
  /** The earliest of these times. */
  #lateFrom: number;

  /**
   * The users of a state and those in the index.
   *
   * @param restored the index, and users who have to be loaded later
   * @param outbox holds the users who were erased since the last commit
   * @param place where the records of the index are, for errors
   */
  constructor(
    state: TaskState,
    { users, late = new Map() }: { readonly users: UserIndex; readonly late?: ReadonlyMap<string, number> },
    outbox: Pick<Outbox, "isForgotten">,
    place: Pick<RestoreOptions, "log" | "topics" | "partition">,
  ) {
    this.#place = place;
    this.#state = state;
    this.#index = users;
    this.#late = new Map(late);
    this.#lateFrom = earliest(late);
    this.#outbox = outbox;
  }

  get size(): number {
    return this.#index.size;
  }

  /**
   * The first ids after one, sorted. Users may change in between, so those who come or go may be missing.
   *
   * @param count maximum number of ids
   */
  *idsAfter(after: string, count = Infinity): Portions<readonly string[]> {
    const first = new FirstIds(after, count);
    yield* inPortions(this.#state.users.keys(), (id) => first.add(id));
    yield* inPortions(this.#index.ids(), (id) => this.#outbox.isForgotten(id) || first.add(id));
    return first.sorted();
  }

  async *records(): AsyncGenerator<readonly [user: string, record: Uint8Array]> {
    for (const id of atOnce(this.idsAfter(""))) {
      const user = this.#state.users.get(id);
      const found = user === undefined ? this.#index.get(id) : this.#state.memory.record(user);
      const record = found instanceof Promise ? await found : found;
      if (record !== null) yield [id, record.slice()];
    }
  }

  async peek<View>(id: string, view: (user: UserState) => View): Promise<View | undefined> {
    const { users } = this.#state;
    const known = users.get(id);
    if (known !== undefined) return view(known);
    const found = this.#index.get(id);
    const record = found instanceof Promise ? await found : found;
    const meanwhile = users.get(id);
    if (meanwhile !== undefined) return view(meanwhile);
    if (record === null || this.#outbox.isForgotten(id)) return undefined;
    return this.#state.memory.view(id, record, view);
  }

  /** Loads those of these users who have a record and are not in memory. */
  async warm(ids: Iterable<string>): Promise<void> {
    for (const id of ids) {
      if (this.#state.users.has(id) || this.#outbox.isForgotten(id)) continue;
      const found = this.#index.get(id);
      const record = found instanceof Promise ? await found : found;
      if (record !== null) await restoring(this.#place, id, () => this.#state.restoreUser(id, record));
    }
  }

  /** Loads the users who may have something due by an event time. */
  async warmDue(time: number): Promise<void> {
    if (time < this.#lateFrom) return;
    const due = [...this.#late].filter(([, from]) => from <= time).map(([id]) => id);
    await this.warm(due);
    for (const id of due) this.#late.delete(id);
    this.#lateFrom = earliest(this.#late);
  }

  /** Loads all users with pending deadlines. */
  async warmAll(): Promise<void> {
    await this.warmDue(Infinity);
  }

  /** Updates the index with the users' records of a commit. */
  note(records: readonly NewRecord[]): void {
    for (const { key, value, headers } of records) {
      if (key === null) continue;
      if (value === null) this.#index.delete(key);
      else this.#index.put(key, value, headers?.[PENDING] !== undefined);
    }
  }
}

function earliest(late: ReadonlyMap<string, number>): number {
  let earliest = Infinity;
  for (const from of late.values()) earliest = Math.min(earliest, from);
  return earliest;
}

/** The first of many ids, each of which may be added more than once. */
class FirstIds {
  readonly #after: string;
  readonly #count: number;
  /** Those that may be among them, at most twice as many. */
  #ids: string[] = [];
  /** The last of them, once there are enough. */
  #last: string | undefined;

  constructor(after: string, count: number) {
    this.#after = after;
    this.#count = count;
  }

  add(id: string): void {
    if (id <= this.#after || this.#last !== undefined && id >= this.#last) return;
    this.#ids.push(id);
    if (this.#ids.length >= 2 * this.#count) this.sorted();
  }

  sorted(): readonly string[] {
    this.#ids = [...new Set(this.#ids)].sort().slice(0, this.#count);
    if (this.#ids.length === this.#count) this.#last = this.#ids.at(-1);
    return this.#ids;
  }
}
