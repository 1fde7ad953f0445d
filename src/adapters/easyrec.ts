/**
 * The behaviour table of EasyRec and TorchEasyRec: `request_id, user_id, item_id, event_type, event_time, duration`.
 *
 * An `exposure` is an impression of one item. Its request id joins request and item, as does that of an outcome, so
 * each outcome finds its exposure, in any order and at any distance. `buy` is our `purchase`; other words are actions
 * unchanged; `duration` (seconds) is the value. Times are seconds or milliseconds since the epoch, or dates. `scene_id`
 * is the surface.
 */

import { fieldError, given, type JsonObject, type Mapped, objectOf, parseDate, stringIn } from "./mapped.ts";

/** Columns that a CSV file must have. */
export const EASYREC_COLUMNS = ["user_id", "item_id", "event_type", "event_time"] as const;

/** Smaller times are seconds: as milliseconds they would be before 1973. */
const FIRST_MS = 1e11;

/**
 * Maps a row of EasyRec's tables, from JSON or text.
 *
 * @throws SyntaxError when it is not such a row
 *
 * @example
 * ```ts
 * import { parseEasyRec } from "@meander/meander/core";
 * import assert from "node:assert/strict";
 *
 * const row = { request_id: "r1", user_id: "ann", item_id: "tent", event_type: "buy", event_time: 1700000000 };
 * const { events = [] } = parseEasyRec(row);
 * assert.deepEqual(events, [
 *   {
 *     type: "interaction", user: "ann", time: 1_700_000_000_000, item: "tent", action: "purchase",
 *     request: "r1/tent", list: "r1",
 *   },
 * ]);
 * ```
 */
export function parseEasyRec(value: unknown): Mapped {
  const row = objectOf(value, "the row");
  const user = idIn(row, "user_id");
  const item = idIn(row, "item_id");
  const list = row["request_id"] === "" ? undefined : optionalIdIn(row, "request_id");
  const base = { user, time: timeIn(row) };
  const event = stringIn(row, "event_type");
  if (event === undefined) throw fieldError("event_type", "a word", event);
  const shared = given({
    request: list === undefined ? undefined : `${list}/${item}`,
    list,
    surface: row["scene_id"] === "" ? undefined : optionalIdIn(row, "scene_id"),
  });
  const duration = durationIn(row);
  if (event === "exposure") {
    return {
      events: [{ type: "impression", ...base, items: [item], ...shared, ...given({ duration }) }],
    };
  }
  const action = event === "buy" ? "purchase" : event;
  return {
    events: [{ type: "interaction", ...base, item, action, ...given({ value: duration }), ...shared }],
  };
}

function idIn(row: JsonObject, field: string): string {
  const id = optionalIdIn(row, field);
  if (id !== undefined) return id;
  throw new SyntaxError(`Cannot take field ${field} as an id: it is missing`);
}

/** An id; tables often have whole numbers as ids. */
function optionalIdIn(row: JsonObject, field: string): string | undefined {
  const value = row[field] ?? undefined;
  if (value === undefined || typeof value === "string") return value;
  if (Number.isSafeInteger(value)) return String(value);
  throw fieldError(field, "an id", value);
}

function durationIn({ duration }: JsonObject): number | undefined {
  if (duration === undefined || duration === null || duration === "") return undefined;
  const value = typeof duration === "string" ? Number(duration) : duration;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw fieldError("duration", "a number of seconds", duration);
}

function timeIn({ event_time: value }: JsonObject): number {
  const text = typeof value === "string" ? value : "";
  const number = typeof value === "number" ? value : /^\d{1,16}(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (!Number.isNaN(number)) return number < FIRST_MS ? Math.round(number * 1000) : number;
  const time = parseDate(text);
  if (!Number.isNaN(time)) return time;
  throw fieldError("event_time", "seconds, milliseconds or a date", value);
}
