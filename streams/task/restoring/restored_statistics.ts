/**
 * What a task restores from the topic `statistics`: items and their numbers, what retrieval has learnt, erasures, and
 * the task's own numbers.
 */

import { shown } from "../../../src/events/rejected.ts";
import { isSnapshot } from "../../../src/retrieval/signals/changelog.ts";
import { DamagedChange, RETRIEVAL_KEY } from "../../../src/retrieval/signals/records.ts";
import { decodeItem, itemKey, itemOfKey } from "../../../src/items/item_codec.ts";
import type { CatalogueItem } from "../../../src/items/catalogue.ts";
import { NUMBERS_KEY } from "../../../src/engine/item_numbers.ts";
import { decodeTask, TASK_KEY } from "../../../src/engine/task_codec.ts";
import type { TaskState } from "../../../src/engine/task_state.ts";
import { isErasedKey } from "../../../src/users/erased_users.ts";
import { LogError, type LogRecord } from "../../log/log.ts";
import { unreadable } from "../../log/unreadable.ts";
import type { StateStore } from "../store/state_store.ts";
import { decoding, isId, rest, type RestoreOptions, withRests } from "./changelog_reader.ts";

interface StatisticsRecord {
  readonly value: Uint8Array;
  /** The log record; absent when the value comes from the local snapshot. */
  readonly record?: LogRecord | undefined;
}

/** Takes records of `statistics` into a state: that of the task only at the end. */
export class RestoredStatistics {
  readonly #options: Pick<RestoreOptions, "partition" | "giveWay" | "signal">;
  readonly #state: TaskState;
  #own: StatisticsRecord | null = null;
  /** Records of retrieval since the last {@linkcode RestoredStatistics.settle}. */
  readonly #retrieval = new Map<string, StatisticsRecord>();
  /** Items that have changed since then. */
  readonly #items = new Set<CatalogueItem>();
  #hasSettled = false;
  #hasTaken = false;
  /** Records of the log that are not taken yet. */
  readonly #gathered = new Map<string, StatisticsRecord>();
  /** Errors of records, by key; a later record may replace one that cannot be read. */
  readonly #damaged = new Map<string, LogError>();

  /** @param state an empty state */
  constructor(options: Pick<RestoreOptions, "partition" | "giveWay" | "signal">, state: TaskState) {
    this.#options = options;
    this.#state = state;
  }

  /** Whether records were taken into the state, which cannot be taken out again. */
  get hasTaken(): boolean {
    return this.#hasTaken;
  }

  /** Takes a record. @throws LogError `corrupt` for an invalid one of the log, SyntaxError for one of the snapshot */
  take(key: string, { value, record }: StatisticsRecord): void {
    this.#hasTaken = true;
    const { catalogue, erased, numbers } = this.#state;
    const decode = (into: () => void) => decoding(this.#options, record, into);
    const item = itemOfKey(key);
    if (key === TASK_KEY) this.#own = { value: value.slice(), record };
    else if (isErasedKey(key)) decode(() => erased.restore(key, value));
    else if (key.startsWith(RETRIEVAL_KEY)) this.#retrieval.set(key, { value: value.slice(), record });
    else if (key.startsWith(NUMBERS_KEY)) {
      decode(() => numbers.restore(key, value).forEach((item) => this.#items.add(item)));
    } else if (key === itemKey(item) && isId(item)) {
      decode(() => this.#items.add(decodeItem(item, value, catalogue)));
    } else if (record !== undefined) {
      unreadable.leaveOut(record, `its key is ${shown(key)}`, "no task has it");
    }
  }

  /** Gathers a record of the log. @returns the number of records that wait for {@linkcode takeGathered} */
  gather(key: string, record: LogRecord): number {
    const { value } = record;
    if (value !== null) return this.#gathered.set(key, { value, record }).size;
    this.#gathered.delete(key);
    this.#damaged.delete(key);
    this.#retrieval.delete(key);
    if (key === TASK_KEY) this.#own = null;
    return this.#gathered.size;
  }

  /** Takes the newest record of each gathered key, and puts it into the local snapshot unless it cannot be read. */
  async takeGathered(store: StateStore | null): Promise<void> {
    await withRests(this.#gathered, this.#options, ([key, one]) => {
      this.#damaged.delete(key);
      try {
        this.take(key, one);
        store?.putStatistic(key, one.value);
      } catch (error) {
        if (!(error instanceof LogError)) throw error;
        this.#damaged.set(key, error);
      }
    });
    this.#gathered.clear();
  }

  /**
   * Brings lists of items and retrieval up to date with what was taken.
   *
   * @returns false when a snapshot of retrieval has replaced journals that were not read, so that everything has to be
   * taken again, into an empty state
   * @throws as {@linkcode take}
   */
  async settle(): Promise<boolean> {
    for (const error of this.#damaged.values()) throw error;
    const { retrieval } = this.#state;
    const changed = [...this.#retrieval];
    if (this.#hasSettled && changed.some(([key, { value }]) => isSnapshot(key, value))) return false;
    this.#hasSettled = true;
    await withRests(this.#items, this.#options, (item) => retrieval.lists.add(item));
    this.#items.clear();
    const records = new Map(changed.map(([key, { value }]) => [key, value]));
    const portions = retrieval.state.restoring(records);
    while (!this.#decodePortion(portions).done) await rest(this.#options);
    this.#retrieval.clear();
    return true;
  }

  #decodePortion(portions: Iterator<void>): IteratorResult<void> {
    try {
      return portions.next();
    } catch (cause) {
      const record = cause instanceof DamagedChange ? this.#retrieval.get(cause.key)?.record : undefined;
      return decoding(this.#options, record, () => {
        throw cause;
      });
    }
  }

  /** Takes the task's own record, once all is settled. @returns the catalogue position @throws as {@linkcode take} */
  end(): number {
    this.#state.numbers.endRestore();
    const own = this.#own;
    return own === null ? 0 : decoding(this.#options, own.record, () => decodeTask(own.value, this.#state));
  }
}
