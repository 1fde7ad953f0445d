/**
 * Where a candidate may come from, as answers on the log name it.
 *
 * @module
 */

/** Places that score items, in the order of their features. */
export const SCORED_SOURCES = [
  "co-visited",
  "same-page",
  "closest",
  "liked",
  "together",
  "linear",
  "sessions",
  "category",
  "next-category",
  "popular",
  "trending",
  "re-visit",
] as const;

/** Where a candidate came from: the request, one of {@linkcode SCORED_SOURCES}, the new items, or a draw from all. */
export type CandidateSource = "given" | "new" | "drawn" | (typeof SCORED_SOURCES)[number];
