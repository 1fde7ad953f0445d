/**
 * The newest record of a key, on any log.
 *
 * @module
 */

import type { Log, LogRecord } from "./log.ts";
import { readAll } from "./read_all.ts";

/**
 * The newest record of a key, a tombstone too; `null` when there is none. Where the log has no index, it is looked for from
 * the end: cheap for what is written often.
 */
export async function newestOf(
  log: Pick<Log, "latest" | "read" | "bounds">,
  topic: string,
  partition: number,
  key: string,
): Promise<LogRecord | null> {
  if (log.latest !== undefined) return await log.latest(topic, partition, key);
  const { start, end } = await log.bounds(topic, partition);
  // Offsets have holes, such as the marker that ends a transaction.
  for (let back = 2;; back *= 4) {
    const from = Math.max(start, end - back);
    let last: LogRecord | null = null;
    for await (const record of readAll(log, topic, partition, from)) {
      if (record.key === key) last = record;
    }
    if (last !== null || from === start) return last;
  }
}
