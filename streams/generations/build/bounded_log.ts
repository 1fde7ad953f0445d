/** A log that ends before it does. */

import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "../../log/log.ts";
import { layered } from "../../log/metered_log.ts";

/** Longest wait at the end of a bounded log. */
export const END_WAIT_MS = 20;

/** The log with a topic that ends at given offsets, which may move. */
export function boundedLog(log: Log, topic: string, until: readonly number[]): Log {
  return layered(log, {
    async read(name, partition, from, options = {}) {
      if (name !== topic) return await log.read(name, partition, from, options);
      const endOf = () => until[partition] ?? 0;
      const { waitMs = 0 } = options;
      if (from >= endOf()) {
        if (waitMs > 0) await delay(Math.min(waitMs, END_WAIT_MS));
        return { records: [], next: from };
      }
      const result = await log.read(name, partition, from, {
        ...options,
        waitMs: endOf() === Infinity ? waitMs : 0,
      });
      const end = Math.max(from, endOf()); // it may have moved before `from` during the read
      if (result.next <= end) return result;
      return { ...result, records: result.records.filter(({ offset }) => offset < end), next: end };
    },
  });
}
