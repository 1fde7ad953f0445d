/** Commits a task: outputs, states and position become visible together, and the caches are updated. */

import { shrinkUser } from "../../src/engine/shrink_user.ts";
import { atOnce, withPauses } from "../../src/values/portions.ts";
import { type Commit, LogError, type NewRecord, type Writer } from "../log/log.ts";
import { type CommitRecords, commitRecords, type Uncommitted, userRecord } from "./commit_records.ts";
import { commitFitting, type Part } from "./fitting.ts";
import type { StateStore } from "./store/state_store.ts";
import type { UserTable } from "./user_table.ts";

/** The parts of a commit that differ from one to the next. */
interface Progress
  extends Pick<Uncommitted, "itemsApplied" | "others" | "committed" | "next" | "pieces" | "round"> {
  /** See `GroupOffset.epoch`, of `next`. */
  readonly epoch: number | undefined;
}

/** The parts that all commits share. */
export interface CommitterOptions extends Omit<Uncommitted, keyof Progress> {
  readonly writer: Writer;
  /** The consumer group in which the position is stored as well. */
  readonly group: string;
  readonly users: Pick<UserTable, "note">;
  /** The local snapshot, if there is one. */
  readonly store: StateStore | null;
  /** Yields the thread between portions of a commit. @default {the thread is not yielded} */
  readonly giveWay?: (() => Promise<unknown>) | undefined;
}

/** A record of a commit, and what is written for it. */
interface CommitPart extends Part {
  readonly record: NewRecord;
  readonly isLeftOut: boolean;
}

interface Written {
  /** Records of users, some perhaps shrunk to fit. */
  readonly users: readonly NewRecord[];
  /** Offsets of outputs, users and statistics, in order; -1 = it was left out. */
  readonly offsets: readonly number[];
}

/** Commits the state of a task, its outbox and its position together. */
export class Committer {
  readonly #options: CommitterOptions;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  /** Commits everything; afterwards nothing is dirty or pending. */
  async commit(progress: Progress): Promise<void> {
    const { topics, partition, state, outbox, group } = this.#options;
    const { giveWay } = this.#options;
    const portions = commitRecords({ ...this.#options, ...progress });
    const records = giveWay === undefined ? atOnce(portions) : await withPauses(portions, giveWay);
    const { users, offsets } = await this.#write(records, {
      records: [],
      group,
      offsets: [{ topic: topics.events, partition, offset: progress.next, epoch: progress.epoch }],
    });
    this.#note(users, records, offsets.slice(records.outputs.length));
    outbox.clear(offsets);
    state.dirtyUsers.clear();
    state.dirtyItems.clear();
  }

  async #write(records: CommitRecords, position: Commit): Promise<Written> {
    const { outputs, users, statistics } = records;
    const all = [...outputs, ...users, ...statistics];
    try {
      return { users, offsets: await this.#options.writer.commit({ ...position, records: all }) };
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== "too-large") throw error;
      return await this.#writeSmaller(records, position);
    }
  }

  /** Writes the commit without outputs that are too large for their topics, and with states shrunk to fit. */
  async #writeSmaller({ outputs, users, statistics }: CommitRecords, position: Commit): Promise<Written> {
    const { outbox, topics, writer } = this.#options;
    const all = [...outputs, ...users, ...statistics];
    const whole = all.map((record): CommitPart => ({ record, records: [record], isLeftOut: false }));
    const { parts, offsets } = await commitFitting(writer, whole, position, (part, reason) => {
      if (part.record.topic === topics.state) return this.#shrunk(part, reason);
      const [record = part.record] = part.records;
      const records = outbox.smaller(record, reason);
      return records && { ...part, records, isLeftOut: true };
    });
    return {
      users: parts.slice(outputs.length, outputs.length + users.length).map(({ record }) => record),
      offsets: parts.map(({ isLeftOut }, at) => isLeftOut ? -1 : offsets[at] ?? -1),
    };
  }

  /** A shrunk record of a user, and rejections that say what the user loses. */
  #shrunk({ record: { key }, records: [, ...rejections] }: CommitPart, reason: string): CommitPart | null {
    const { state, outbox, partition, topics } = this.#options;
    const user = state.users.get(key ?? "");
    const dropped = user === undefined ? null : shrinkUser(state, user);
    if (user === undefined || dropped === null) return null;
    const record = userRecord(this.#options, user);
    const place = { topic: topics.events, partition, offset: user.lastOffset };
    const loss = outbox.tooLarge(place, user.id, `${reason}; the user loses ${dropped}`, record.time);
    return { record, records: [record, ...rejections, ...loss], isLeftOut: false };
  }

  /** Updates the index of users and the local snapshot. @param offsets of users, then of statistics */
  #note(
    users: readonly NewRecord[],
    { statistics, dropsNames }: CommitRecords,
    offsets: readonly number[],
  ): void {
    const { store, lineage } = this.#options;
    this.#options.users.note(users);
    if (store === null) return;
    for (const { key, value } of statistics) {
      if (key !== null && value !== null) store.putStatistic(key, value);
    }
    if (dropsNames) store.purge(); // names of users of other partitions
    const state = users.length > 0 ? (offsets[users.length - 1] ?? 0) + 1 : store.position?.state ?? 0;
    store.setPosition({ state, task: offsets.at(-1) ?? 0, lineage });
    store.maintain();
  }
}
