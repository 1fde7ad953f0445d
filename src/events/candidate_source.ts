/**
 * Where a candidate may come from, as answers on the log name it.
 *
 * @module
 */

/** Sources that score items, in the order of their features. */
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

/**
 * Where a candidate comes from: the request (`given`), one of {@linkcode SCORED_SOURCES}, the new items (`new`), or a
 * draw from the catalogue.
 */
export type CandidateSource = "given" | "new" | "drawn" | (typeof SCORED_SOURCES)[number];
