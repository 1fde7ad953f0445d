/**
 * Open Bandit: impressions of a fashion shop with their position, the true probability of the policy, and clicks.
 *
 * Users are anonymous: the tuple of four hashed features, joined by dots, is the user's id, and the four are attributes
 * of the profile. The affinity of the tuple to the shown item goes into the context of the impression. Times lose their
 * microseconds.
 *
 * Data: Y. Saito, S. Aihara, M. Matsutani, Y. Narita, "Open Bandit Dataset and Pipeline", arXiv 2008.07146, 2020.
 */

import type { ImpressionEvent, InteractionEvent, ItemRecord, ProfileEvent } from "../events/event.ts";
import { integerOf, numberOf, type Row, textOf } from "./fields.ts";
import { given } from "./mapped.ts";

/** The columns of a log that are read; `index` is the unnamed first one. */
export const BANDIT_COLUMNS = [
  "index",
  "timestamp",
  "item_id",
  "position",
  "click",
  "propensity_score",
  "user_feature_0",
  "user_feature_1",
  "user_feature_2",
  "user_feature_3",
] as const;

/** The columns of `item_context.csv` that are read. */
export const ITEM_COLUMNS = [
  "item_id",
  "item_feature_0",
  "item_feature_1",
  "item_feature_2",
  "item_feature_3",
] as const;

const USER_FEATURES = BANDIT_COLUMNS.filter((column) => column.startsWith("user_feature_"));
const AFFINITY = "user-item_affinity_";

/** Parses a row of a log into the impression, and the click if there is one. @throws SyntaxError when it is invalid */
export function parseImpression(
  row: Row,
): readonly [ImpressionEvent] | readonly [ImpressionEvent, InteractionEvent] {
  const item = String(integerOf(row, "item_id"));
  const user = userOf(row);
  const time = timeOf(row);
  const request = `r${integerOf(row, "index")}`;
  const column = AFFINITY + item;
  const impression: ImpressionEvent = {
    type: "impression",
    user,
    time,
    request,
    items: [item],
    propensities: [numberOf(row, "propensity_score", Number.MIN_VALUE, 1)],
    positions: [integerOf(row, "position", 1, 3) - 1],
    ...given({ context: row[column] === undefined ? undefined : { affinity: numberOf(row, column) } }),
  };
  if (integerOf(row, "click", 0, 1) === 0) return [impression];
  return [impression, { type: "interaction", user, time, item, action: "click", request }];
}

/** The profile of the user of a row. @throws SyntaxError when the row has none. */
export function parseUser(row: Row): ProfileEvent {
  const attributes = Object.fromEntries(USER_FEATURES.map((column) => [column, textOf(row, column)]));
  return { type: "profile", user: userOf(row), time: timeOf(row), attributes };
}

/** Parses a row of `item_context.csv`; the item exists from `time` on. @throws SyntaxError when it is invalid */
export function parseItem(row: Row, time: number): ItemRecord {
  return {
    item: String(integerOf(row, "item_id")),
    time,
    category: textOf(row, "item_feature_1"),
    attributes: {
      item_feature_0: numberOf(row, "item_feature_0"),
      item_feature_2: textOf(row, "item_feature_2"),
      item_feature_3: textOf(row, "item_feature_3"),
    },
  };
}

function userOf(row: Row): string {
  const features = USER_FEATURES.map((column) => textOf(row, column));
  if (features.some((feature) => feature.includes("."))) {
    throw new SyntaxError("Cannot join the user features with dots: one of them contains a dot");
  }
  return features.join(".");
}

function timeOf(row: Row): number {
  const text = textOf(row, "timestamp");
  const parts = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d{1,9})?\+00:00$/.exec(text);
  const time = Date.parse(`${parts?.[1]}T${parts?.[2]}${(parts?.[3] ?? "").slice(0, 4)}Z`);
  if (Number.isFinite(time)) return time;
  throw new SyntaxError(
    `Cannot take column timestamp as a UTC time: current value is ${JSON.stringify(text)}`,
  );
}
