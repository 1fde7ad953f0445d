/**
 * Whom a partition has erased, as its records on the log say.
 *
 * @module
 */

import { erasedKey, ErasedUsers } from "../../src/users/erased_users.ts";
import type { Log } from "../log/log.ts";
import { newestOf } from "../log/reading.ts";

/** Reads them. @param statistics name of the topic */
export async function erasedOn(
  log: Pick<Log, "latest" | "read" | "bounds">,
  statistics: string,
  partition: number,
): Promise<ErasedUsers> {
  const erased = new ErasedUsers();
  for (let number = 0;; number++) {
    const value = (await newestOf(log, statistics, partition, erasedKey(number)))?.value ?? null;
    if (value === null) return erased;
    erased.restore(erasedKey(number), value);
  }
}
