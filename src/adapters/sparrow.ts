/**
 * SparrowRecSys samples: MovieLens ratings with features that were computed beforehand.
 *
 * A sample is an impression of its movie and an interaction `rating`, without its features, since ours are computed
 * from the stream.
 */

import type { ImpressionEvent, InteractionEvent, ItemRecord } from "../events/event.ts";
import { integerOf, numberOf, type Row, textOf } from "./fields.ts";
import { yearAttributes } from "./movielens.ts";

/** Columns of `movies.csv`. */
export const MOVIE_COLUMNS = ["movieId", "title", "genres"] as const;

/** The columns of a file of samples that are read. */
export const SAMPLE_COLUMNS = ["movieId", "userId", "rating", "timestamp"] as const;

/** The impression and the interaction of a row of samples; `request` joins them. @throws SyntaxError when it is invalid */
export function sampleEvents(row: Row, request: string): readonly [ImpressionEvent, InteractionEvent] {
  const item = String(integerOf(row, "movieId", 1));
  const user = String(integerOf(row, "userId", 1));
  const value = numberOf(row, "rating", 0.5, 5); // stars, in halves
  const time = integerOf(row, "timestamp") * 1000;
  return [
    { type: "impression", user, time, request, items: [item] },
    { type: "interaction", user, time, item, action: "rating", value, request },
  ];
}

/**
 * Parses a row of `movies.csv`; the item exists from `time` on. @throws SyntaxError when it is invalid
 *
 * @example
 * ```ts
 * import { parseMovie } from "./sparrow.ts";
 * import assert from "node:assert/strict";
 *
 * const row = { movieId: "1", title: "Toy Story (1995)", genres: "Animation|Comedy" };
 * assert.deepEqual(parseMovie(row, 0), {
 *   item: "1",
 *   time: 0,
 *   categories: ["Animation", "Comedy"],
 *   title: "Toy Story (1995)",
 *   attributes: { year: "1995", decade: "1990s" },
 * });
 * ```
 */
export function parseMovie(row: Row, time: number): ItemRecord {
  const title = textOf(row, "title");
  const genres = textOf(row, "genres");
  const categories = genres === "(no genres listed)" ? [] : genres.split("|");
  const year = /\(([0-9]{4})\)\s*$/.exec(title)?.[1];
  const movie = { item: String(integerOf(row, "movieId", 1)), time, categories, title };
  return year === undefined ? movie : { ...movie, attributes: yearAttributes(year) };
}
