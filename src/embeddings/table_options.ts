/** When ids get rows of their own, and when they lose them. */

import { absent, count, positive } from "../options/option.ts";

/** The options of an `EmbeddingTable` that a configuration may set. */
export const TABLE_OPTIONS = {
  admitAfter: count(1, "uses before an id gets a row"),
  expireAfterMs: positive(absent("never", Infinity), "event time after which an unused row is dropped"),
};
