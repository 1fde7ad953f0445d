/**
 * The newest record of a key, on any log.
 *
 * @module
 */

import type { Log, LogRecord } from "./log.ts";
import { readAll } from "./read_all.ts";

/**
 * The newest record of a key, which may be a tombstone, or `null`. On a log without an index it is searched from the
 * end: cheap for keys that are written often.
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
