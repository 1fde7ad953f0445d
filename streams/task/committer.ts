/** Commits a task: outputs, states and position become visible together, and the caches are updated. @module */

import type { NewRecord, Writer } from "../log/log.ts";
import { commitRecords, type Uncommitted } from "./commit_records.ts";
import type { StateStore } from "./store/state_store.ts";
import type { UserTable } from "./user_table.ts";

/** The parts of a commit that differ from one to the next. */
type Progress = Pick<Uncommitted, "itemsApplied" | "others" | "committed" | "next" | "round">;

/** The parts that all commits share. */
export interface CommitterOptions extends Omit<Uncommitted, keyof Progress> {
  readonly writer: Writer;
  /** The consumer group in which the position is stored as well. */
  readonly group: string;
  readonly users: Pick<UserTable, "note">;
  /** The local snapshot, if there is one. */
  readonly store: StateStore | null;
}

/** Commits the state of a task, its outbox and its position together. */
export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Commits everything; afterwards nothing is dirty or pending. */
  async commit(progress: Progress): Promise<void> {
    const { topics, partition, state, outbox, writer, group } = this.#options;
    const { namesForgotten } = state.retrieval.state;
    const { outputs, users, statistics } = commitRecords({ ...this.#options, ...progress });
    const hasDropped = namesForgotten && !state.retrieval.state.namesForgotten;
    const offsets = await writer.commit({
      records: [...outputs, ...users, ...statistics],
      group,
      offsets: [{ topic: topics.events, partition, offset: progress.next }],
    });
    this.#note(users, statistics, { offsets: offsets.slice(outputs.length), hasDropped });
    outbox.clear(offsets);
    state.dirtyUsers.clear();
    state.dirtyItems.clear();
  }

  #note(
    users: readonly NewRecord[],
    statistics: readonly NewRecord[],
    { offsets, hasDropped }: { readonly offsets: readonly number[]; readonly hasDropped: boolean },
  ): void {
    const { store, lineage } = this.#options;
    this.#options.users.note(users);
    if (store === null) return;
    for (const { key, value } of statistics) {
      if (key !== null && value !== null) store.putStatistic(key, value);
    }
    if (hasDropped) store.purge(); // names of users of other partitions
    const state = users.length > 0 ? (offsets[users.length - 1] ?? 0) + 1 : store.position?.state ?? 0;
    store.setPosition({ state, task: offsets.at(-1) ?? 0, lineage });
    store.maintain();
  }
}
