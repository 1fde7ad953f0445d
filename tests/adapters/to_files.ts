/**
 * From events back to the files of data sets.
 *
 * @module
 */

import type { Row } from "../../src/adapters/fields.ts";
import { ACTIONS } from "../../src/adapters/taobao.ts";
import type { Event, ImpressionEvent, InteractionEvent, ItemRecord } from "../../src/events/event.ts";

/** Rows of MovieLens' `u.data`, without line ends. */
export function* ratingsToUData(events: Iterable<Event>): Generator<string> {
  for (const event of events) {
    if (event.type !== "interaction" || event.action !== "rating") continue;
    yield [event.user, event.item, event.value, event.time / 1000].join("\t");
  }
}

/** The row of an interaction in Taobao's file. */
export function toBehavior(event: InteractionEvent, item: ItemRecord): Row {
  const [behavior = ""] = [...ACTIONS].find(([, action]) => action === event.action) ?? [];
  const seconds = String(event.time / 1000);
  return { user: event.user, item: event.item, category: item.category ?? "", behavior, seconds };
}

const AFFINITY = "user-item_affinity_";

/** Rows of Open Bandit, one per impression; a click is expected right after its impression. */
export function* toRows(events: Iterable<Event>): Generator<Row> {
  let shown: ImpressionEvent | undefined;
  for (const event of events) {
    if (event.type === "interaction" && event.action === "click" && event.request === shown?.request) {
      if (shown !== undefined) yield toRow(shown, "1");
      shown = undefined;
    } else if (event.type === "impression") {
      if (shown !== undefined) yield toRow(shown, "0");
      shown = event;
    }
  }
  if (shown !== undefined) yield toRow(shown, "0");
}

function toRow(impression: ImpressionEvent, click: "0" | "1"): Row {
  const [date, clock] = new Date(impression.time).toISOString().replace("Z", "").split("T");
  const item = impression.items[0] ?? "";
  const affinity = impression.context?.["affinity"];
  return {
    index: (impression.request ?? "").slice(1),
    timestamp: `${date} ${clock}000+00:00`,
    item_id: item,
    position: String((impression.positions?.[0] ?? 0) + 1),
    click,
    propensity_score: String(impression.propensities?.[0] ?? 1),
    ...Object.fromEntries(impression.user.split(".").map((feature, i) => [`user_feature_${i}`, feature])),
    ...(affinity === undefined ? {} : { [AFFINITY + item]: String(affinity) }),
  };
}
