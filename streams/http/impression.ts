/** Records the items that were really shown; without this, a task assumes that the whole list was shown. */

import type { Recommendation } from "../../src/events/recommendation.ts";
import type { ApiContext } from "./context.ts";
import type { ArrivingRecord } from "./contract/arriving.ts";
import { arrivedRecord } from "./intake.ts";

/** The impression of these items of a recommendation, in this order; no record when there are none. */
export function impressionRecords(
  { topics, now }: Pick<ApiContext, "topics" | "now">,
  { request, user, time }: Pick<Recommendation, "request" | "user" | "time">,
  items: readonly string[],
): readonly ArrivingRecord[] {
  if (items.length === 0) return [];
  const event = { type: "impression", user, time, request, items } as const;
  const record = arrivedRecord(topics, { kind: "event", event }, now());
  return "ok" in record ? [] : [record]; // no list is that large
}
