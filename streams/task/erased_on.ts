/** The users that a partition has erased, according to its records on the log. */

import { erasedKey, ErasedUsers, isErasedKey } from "../../src/users/erased_users.ts";
import { indexesKeys } from "../log/capabilities.ts";
import type { Log } from "../log/log.ts";
import { readAll } from "../log/reading.ts";
import { servingGeneration } from "../topics/serving.ts";
import { firstTopics, generationTopics, type Topics } from "../topics/topics.ts";

/** Reads the erased users of a partition. @param statistics the topic, which is read whole if the log has no index */
export async function erasedOn(
  log: Log,
  statistics: string,
  partition: number,
): Promise<ErasedUsers> {
  const erased = new ErasedUsers();
  for (const { key, value } of await recordsOn(log, statistics, partition)) erased.restore(key, value);
  return erased;
}

interface ErasedRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly offset: number;
}

/** The newest record and the full ones; with an index, in this order. @param full number of full ones to leave out, on a log with an index */
async function recordsOn(log: Log, statistics: string, partition: number, full = 0): Promise<ErasedRecord[]> {
  const records = new Map<string, ErasedRecord>();
  if (indexesKeys(log)) {
    // In this order, because in the meantime erasures may move from the newest record to a full one.
    for (let number = 0;; number = Math.max(full, number) + 1) {
      const key = erasedKey(number);
      const { value, offset } = await log.latest(statistics, partition, key) ?? NONE;
      if (value === null) return [...records.values()];
      records.set(key, { key, value, offset });
    }
  }
  for await (const { key, value, offset } of readAll(log, statistics, partition)) {
    if (key === null || !isErasedKey(key)) continue;
    if (value === null) records.delete(key);
    else records.set(key, { key, value, offset });
  }
  return [...records.values()];
}

const NONE = { value: null, offset: -1 };

/** Takes over erasures of the serving generation, whose events may have been dropped, for a task of another one. */
export class CarriedErasures {
  readonly #log: Log;
  readonly #topics: Topics;
  readonly #task: number;
  readonly #erased: ErasedUsers;
  /** How far erasures were taken over, by partition: offset of the newest record, and number of full ones. */
  readonly #taken = new Map<string, { readonly newest: number; readonly full: number }>();

  /** @param topics the topics of the task's generation @param erased receives the erasures */
  constructor(log: Log, topics: Topics, task: number, erased: ErasedUsers) {
    this.#log = log;
    this.#topics = topics;
    this.#task = task;
    this.#erased = erased;
  }

  /** Takes over erasures since the last call. */
  async follow(): Promise<void> {
    const log = this.#log, { statistics } = this.#topics;
    const first = firstTopics(this.#topics);
    const serving = generationTopics(first, await servingGeneration(log, first)).statistics;
    if (serving === statistics) return;
    const partitions = (await log.identify(serving))?.partitions ?? 0;
    const tasks = (await log.identify(statistics))?.partitions ?? 1;
    for (let partition = 0; partition < partitions; partition++) {
      if ((partition - this.#task) % commonDivisor(partitions, tasks) !== 0) continue; // has no users of this task
      const place = `${serving}/${partition}`;
      const { newest, full } = this.#taken.get(place) ?? { newest: -1, full: 0 };
      const records = await recordsOn(log, serving, partition, full);
      for (const { value, offset } of records) if (offset !== newest) this.#erased.carry(value);
      const last = records[0]?.offset ?? newest;
      this.#taken.set(place, { newest: last, full: full + Math.max(0, records.length - 1) });
    }
  }
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}
