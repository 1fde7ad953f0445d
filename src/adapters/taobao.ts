/**
 * Taobao's UserBehavior: actions of users, without impressions.
 *
 * Data: Alibaba, Tianchi data set 649.
 */

import type { InteractionEvent, ItemRecord } from "../events/event.ts";
import { integerOf, type Row, textOf } from "./fields.ts";

/** Columns of the file, which has no header. */
export const BEHAVIOR_COLUMNS = ["user", "item", "category", "behavior", "seconds"] as const;

/** Actions by the words of the file. */
export const ACTIONS: ReadonlyMap<string, string> = new Map([
  ["pv", "view"],
  ["cart", "cart"],
  ["fav", "like"],
  ["buy", "purchase"],
]);

/**
 * Parses a row into the interaction and its item. @throws SyntaxError when it is invalid
 *
 * @example
 * ```ts
 * import { parseBehavior } from "./taobao.ts";
 * import assert from "node:assert/strict";
 *
 * const row = { user: "1", item: "5", category: "36", behavior: "fav", seconds: "1511848894" };
 * assert.deepEqual(parseBehavior(row), {
 *   item: { item: "5", time: 1511848894000, category: "36" },
 *   event: { type: "interaction", user: "1", time: 1511848894000, item: "5", action: "like" },
 * });
 * ```
 */
export function parseBehavior(row: Row): { readonly item: ItemRecord; readonly event: InteractionEvent } {
  const user = textOf(row, "user");
  const item = textOf(row, "item");
  const action = ACTIONS.get(textOf(row, "behavior"));
  if (action === undefined) {
    const got = JSON.stringify(row["behavior"]);
    throw new SyntaxError(`Cannot take column behavior as pv, cart, fav or buy: current value is ${got}`);
  }
  const time = integerOf(row, "seconds") * 1000;
  return {
    item: { item, time, category: textOf(row, "category") },
    event: { type: "interaction", user, time, item, action },
  };
}
