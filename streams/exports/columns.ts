/** Fields with a column of their own in exported tables. All others are in the column `more`. */

import type { ContentName } from "./contents.ts";

/** The kind of a column; `time` is in milliseconds since the epoch. */
export type ColumnKind = "text" | "time" | "whole" | "number" | "json";

export type Columns = Readonly<Record<string, ColumnKind>>;

const RECOMMENDATION: Columns = {
  request: "text",
  user: "text",
  time: "time",
  items: "json",
  model: "text",
  version: "whole",
  orderedBy: "text",
  scoreKind: "text",
  experiment: "text",
  variant: "text",
  tookMicros: "whole",
};

export const COLUMNS: Readonly<Record<ContentName, Columns>> = {
  events: {
    type: "text",
    id: "text",
    user: "text",
    time: "time",
    item: "text",
    action: "text",
    value: "number",
    request: "text",
    surface: "text",
    count: "whole",
    items: "json",
    context: "json",
    attributes: "json",
  },
  items: {
    item: "text",
    time: "time",
    category: "text",
    categories: "json",
    title: "text",
    attributes: "json",
    expires: "time",
  },
  recommendations: RECOMMENDATION,
  lists: RECOMMENDATION,
  samples: {
    request: "text",
    user: "text",
    time: "time",
    closedTime: "time",
    model: "text",
    version: "whole",
    next: "text",
    rows: "json",
  },
  experiments: { name: "text", status: "text", metric: "text", traffic: "number", variants: "json" },
};

/** The last time that a `Date` can hold, milliseconds. */
const LAST_TIME = 8.64e15;

/** Whether a value is of a kind. */
export function isOfKind(value: unknown, kind: ColumnKind): boolean {
  if (value === null || value === undefined) return false;
  switch (kind) {
    case "json":
      return true;
    case "text":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "whole":
      return Number.isSafeInteger(value);
    case "time":
      return typeof value === "number" && Number.isSafeInteger(value) && Math.abs(value) <= LAST_TIME;
  }
}
