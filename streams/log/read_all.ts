/**
 * Reading a partition from its start to its end.
 *
 * @module
 */

import { type Log, LogError, type LogRecord } from "./log.ts";

/**
 * Yields every record of a partition from `from` to the end it had when the reading began.
 *
 * @throws LogError `closed` when the log has less now
 */
export async function* readAll(
  log: Pick<Log, "bounds" | "read">,
  topic: string,
  partition: number,
  from = 0,
): AsyncGenerator<LogRecord> {
  const { end } = await log.bounds(topic, partition);
  for (let next = from; next < end;) {
    const result = await log.read(topic, partition, next);
    yield* result.records;
    if (result.next === next) throw endsEarly(topic, partition, next, end);
    next = result.next;
  }
}

/** The error of a log that has nothing before the end that it gave: its broker lags behind the one that gave it. */
export function endsEarly(topic: string, partition: number, next: number, end: number): LogError {
  return new LogError("closed", `Cannot read ${topic}/${partition} from ${next} to its end at ${end} now`);
}
