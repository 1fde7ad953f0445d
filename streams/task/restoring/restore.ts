/**
 * Restores a task's state from its local snapshot, if there is a valid one, and the changelogs after it.
 *
 * ```text
 *   statistics  ░░░░░░░░░░ snapshot ░░░░░░░░░░│▓▓ tail ▓▓│▓│▓▓│▓   items, and the task's own numbers: all in memory
 *   state       ░░░░░░░░░░ snapshot ░░░░░░░░░░│▓▓ tail ▓▓│▓│▓▓│▓   users: in memory only those with pending deadlines
 *                                                        └ while another owner of the partition writes
 * ```
 *
 * A restore may begin while another owner works, and follow it: it then lags behind only by what was committed since,
 * however costly those states were to compute. Users who change in the meantime are loaded when their task needs them,
 * because active users change faster than they can be decoded. A restore ends once the partition is fenced, so that
 * neither changelog grows any more. It takes constant memory in addition to what it restores.
 */

import type { TaskState } from "../../../src/engine/task_state.ts";
import { TASK_KEY } from "../../../src/engine/task_codec.ts";
import { indexesKeys } from "../../log/capabilities.ts";
import { LogError } from "../../log/log.ts";
import { StateStore } from "../store/state_store.ts";
import type { StateStoreOptions } from "../store/store_options.ts";
import { LogUsers, PackedUsers, type UserIndex } from "../store/users.ts";
import { GATHERED, LINEAGE, readBehind, type RestoreOptions, withRests } from "./changelog_reader.ts";
import { RestoredStatistics } from "./restored_statistics.ts";
import { RestoredUsers } from "./restored_users.ts";

/** What was restored for a task. */
export interface Restored {
  readonly state: TaskState;
  /** The records of its users. */
  readonly users: UserIndex;
  /** The local snapshot, if there is one. */
  readonly store: StateStore | null;
  /** Position in the catalogue topic. */
  readonly itemsApplied: number;
  /** See {@linkcode LINEAGE}; `null` on a log without a commit. */
  readonly lineage: string | null;
  /** Users with pending deadlines who are not in memory, with the event time from which each must be. */
  readonly late: ReadonlyMap<string, number>;
}

/** A restore in progress, until a task takes over what it has restored. */
export class Restore implements AsyncDisposable {
  readonly #options: RestoreOptions;
  readonly #store: StateStore | null;
  readonly #index: UserIndex;
  /** Whether a local snapshot was read. */
  readonly #isRead: boolean;
  readonly #users: RestoredUsers;
  #state: TaskState;
  #statistics: RestoredStatistics;
  /** Positions from which to continue reading. */
  readonly #next: { state: number; statistics: number };
  /** Keys of `statistics` that were deleted after an older record was taken, with the offsets of the deletions. */
  readonly #deleted = new Map<string, number>();
  /** Offset of the task's newest record, and its lineage. */
  #task: number;
  #lineage: string | null;
  /** Whether users have been loaded into the state. */
  #isLoaded = false;
  #isTaken = false;

  private constructor(options: RestoreOptions, store: StateStore | null) {
    const { log, topics, partition } = options;
    const { state = 0, task = 0, lineage = null } = store?.position ?? {};
    this.#options = options;
    this.#store = store;
    this.#isRead = store !== null && store.position !== null;
    this.#index = store ??
      (indexesKeys(log) ? new LogUsers(log.latest.bind(log), topics.state, partition) : new PackedUsers());
    this.#users = new RestoredUsers(options, this.#index, {
      waiting: store?.waitingIds() ?? [],
      isRead: this.#isRead,
    });
    this.#next = { state, statistics: task };
    [this.#task, this.#lineage] = [task, lineage];
    this.#state = options.makeState();
    this.#statistics = new RestoredStatistics(options, this.#state);
  }

  /** Opens the local snapshot. */
  static async open(options: RestoreOptions): Promise<Restore> {
    const { log, snapshot } = options;
    const store = snapshot === undefined || indexesKeys(log) ? null : await openSnapshot(snapshot, options);
    const restore = new Restore(options, store);
    await restore.#guarded(() => restore.#takeStore());
    return restore;
  }

  /**
   * Takes in what the changelogs contain by now.
   *
   * @throws LogError `corrupt` when a record on the log cannot be read, `closed` when the snapshot is to blame
   */
  async follow(): Promise<void> {
    await this.#guarded(async () => {
      await this.#readStatistics();
      await this.#readUsers();
    });
  }

  /** Ends the restore. The caller has fenced the partition, and closes the store. @throws as {@linkcode follow} */
  async end(): Promise<Restored> {
    await this.follow();
    return await this.#guarded(() => {
      const itemsApplied = this.#statistics.end();
      this.#isTaken = true;
      return {
        state: this.#state,
        users: this.#index,
        store: this.#store,
        itemsApplied,
        lineage: this.#lineage,
        late: this.#users.late,
      };
    });
  }

  /** Closes the local snapshot, unless a task has taken it over. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isTaken) await this.#store?.close();
  }

  async #takeStore(): Promise<void> {
    const records = this.#store?.statistics() ?? [];
    await withRests(records, this.#options, ([key, value]) => this.#statistics.take(key, { value }));
  }

  /** Takes items, and the task's own numbers. */
  async #readStatistics(): Promise<void> {
    const { meter, topics } = this.#options;
    let isOutdated = false;
    meter.begin("statistics");
    for await (
      const { records, next } of readBehind(this.#options, topics.statistics, this.#next.statistics)
    ) {
      this.#next.statistics = next;
      let gathered = 0;
      for (const record of records) {
        const { key, value, headers, offset } = record;
        if (key === null) continue;
        if (offset < (this.#deleted.get(key) ?? 0)) continue;
        if (value === null) isOutdated = this.#delete(key, offset) || isOutdated;
        gathered = this.#statistics.gather(key, record);
        if (key !== TASK_KEY || value === null) continue;
        this.#lineage = headers[LINEAGE] ?? this.#lineage;
        this.#task = offset;
      }
      if (gathered >= GATHERED) await this.#statistics.takeGathered(this.#store);
    }
    await this.#statistics.takeGathered(this.#store);
    if (!isOutdated && await this.#statistics.settle()) return;
    this.#state = this.#options.makeState();
    this.#statistics = new RestoredStatistics(this.#options, this.#state);
    this.#users.dropAll();
    this.#isLoaded = false;
    if (this.#store === null) this.#next.statistics = 0;
    else await this.#takeStore();
    await this.#readStatistics();
  }

  /**
   * Applies a deletion that an operator has made on the log.
   *
   * @returns whether everything has to be taken again, as the state may hold an older record of the key
   */
  #delete(key: string, offset: number): boolean {
    if (this.#deleted.get(key) === offset || !this.#statistics.hasTaken) return false;
    if (key === TASK_KEY && this.#isRead) {
      throw new SyntaxError("the log no longer has the record of the task");
    }
    this.#deleted.set(key, offset);
    this.#store?.deleteStatistic(key);
    return true;
  }

  /** Takes users' records, and loads users with pending deadlines. */
  async #readUsers(): Promise<void> {
    const { meter, topics } = this.#options;
    meter.begin("state");
    for await (const { records, next } of readBehind(this.#options, topics.state, this.#next.state)) {
      this.#next.state = next;
      let gathered = 0;
      for (const record of records) gathered = this.#users.gather(record);
      if (gathered >= GATHERED) await this.#keepUsers();
    }
    await this.#keepUsers();
    if (this.#isLoaded) return;
    await this.#users.load(this.#state);
    this.#isLoaded = true;
  }

  async #keepUsers(): Promise<void> {
    await this.#users.takeGathered(this.#state);
    const [store, lineage] = [this.#store, this.#lineage];
    if (store === null || lineage === null) return;
    store.setPosition({ state: this.#next.state, task: this.#task, lineage });
    store.maintain();
    await store.room();
  }

  /** Does a part of the restore; on a failure, closes the local snapshot, and sets it aside if it is to blame. */
  async #guarded<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      const { partition } = this.#options;
      if (cause instanceof SyntaxError && this.#isRead) {
        // The snapshot may be from another release; the log is authoritative.
        await this.#store?.setAside(cause.message);
        throw new LogError("closed", `Cannot restore task ${partition} from its snapshot: ${cause.message}`, {
          cause,
        });
      }
      await this.#store?.close();
      if (!(cause instanceof SyntaxError)) throw cause;
      throw new LogError("corrupt", `Cannot restore task ${partition}: ${cause.message}`, { cause });
    }
  }
}

/** Opens the snapshot of this log; sets a snapshot of another log aside. */
async function openSnapshot(
  snapshot: StateStoreOptions,
  options: RestoreOptions,
): Promise<StateStore | null> {
  const open = () => {
    let before = 0;
    return StateStore.open(snapshot, (bytes, of) => {
      options.meter.advance(0, bytes - before, bytes / of);
      before = bytes;
    });
  };
  const store = await open();
  if (store === null) return null;
  try {
    const misfit = await misfitOf(store, options);
    if (misfit === null) return store;
    await store.setAside(misfit);
  } catch (error) {
    await store.close();
    throw error;
  }
  return await open();
}

/** Why a snapshot cannot be used with this log; `null` when it can, or is empty. */
async function misfitOf(store: StateStore, options: RestoreOptions): Promise<string | null> {
  const { log, topics, partition } = options;
  const { position } = store;
  if (position === null) return store.size > 0 ? "it has no position" : null;
  if (store.isTooOld) return "it is so old that the log may no longer have all erasures since";
  const ends = await Promise.all(
    [topics.state, topics.statistics].map((topic) => log.bounds(topic, partition)),
  );
  if (position.state > (ends[0]?.end ?? 0) || position.task >= (ends[1]?.end ?? 0)) {
    return "the log ends before it";
  }
  for await (const { records } of readBehind(options, topics.statistics, position.task)) {
    const own = records.find(({ key }) => key === TASK_KEY);
    if (own === undefined) continue;
    return own.headers[LINEAGE] === position.lineage ? null : "it is of another log";
  }
  return "the log has no record of the task at or after its position";
}
