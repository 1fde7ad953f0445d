/**
 * Saying what was shown, where it is not all that the task answered: a task takes its list for shown.
 *
 * @module
 */

import type { ImpressionEvent } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { ARRIVED_HEADERS } from "../topics/arrival.ts";
import type { NewRecord } from "../log/log.ts";
import type { ApiContext } from "./context.ts";

const encoder = new TextEncoder();

/** The record that these items of an answer were shown, at these places; none when there is nothing to say. */
export function impressionRecords(
  { topics, now }: Pick<ApiContext, "topics" | "now">,
  { request, user, time }: Pick<Recommendation, "request" | "user" | "time">,
  items: readonly string[],
): readonly NewRecord[] {
  if (items.length === 0) return [];
  const shown: ImpressionEvent = { type: "impression", user, time, request, items };
  return [{
    topic: topics.events,
    key: user,
    value: encoder.encode(JSON.stringify(shown)),
    time: now(),
    headers: ARRIVED_HEADERS,
  }];
}
