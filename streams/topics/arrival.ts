/** The arrival time of an event, from its record. */

import { MAX_TIME_MS, MIN_TIME_MS } from "../../src/events/limits.ts";
import type { Arrival } from "../../src/users/event_clock.ts";
import type { LogRecord } from "../log/log.ts";

const ARRIVED = "arrived";

/** Headers of a record whose time is when its event arrived, by the clock of one of our servers. */
export const ARRIVED_HEADERS: Readonly<Record<string, string>> = Object.freeze({ [ARRIVED]: "1" });

const MENDED = "mended";

/** Headers of a record that was rejected before and is tried again, however late it is; and of its next rejection. */
export const MENDED_HEADERS: Readonly<Record<string, string>> = Object.freeze({ [MENDED]: "1" });

/** Whether a record was rejected before. */
export function isMended({ headers }: Pick<LogRecord, "headers">): boolean {
  return headers[MENDED] !== undefined;
}

/** Whether one of our servers has let an event in, whose time was then not far ahead of that server's clock. */
export function isLetIn({ headers }: Pick<LogRecord, "headers">): boolean {
  return headers[ARRIVED] !== undefined;
}

/** When a record arrived; `null` when its time is invalid, such as Kafka's −1, or a time in seconds or microseconds. */
export function arrivalOf(
  record: Pick<LogRecord, "time" | "headers" | "isLogTime">,
): Arrival | null {
  const { time, isLogTime } = record;
  if (!(time >= MIN_TIME_MS && time < MAX_TIME_MS)) return null;
  return { time, isSure: isLogTime === true || isLetIn(record), isMended: isMended(record) };
}
