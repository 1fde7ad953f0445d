/**
 * Reading a partition from its start to its end.
 *
 * @module
 */

import type { Log, LogRecord } from "./log.ts";

/** Yields every record of a partition from `from` to the end it had when the reading began. */
export async function* readAll(
  log: Log,
  topic: string,
  partition: number,
  from = 0,
): AsyncGenerator<LogRecord> {
  const { end } = await log.bounds(topic, partition);
  for (let next = from; next < end;) {
    const result = await log.read(topic, partition, next);
    yield* result.records;
    if (result.next === next) return;
    next = result.next;
  }
}
