/**
 * SparrowRecSys samples: MovieLens ratings with features that were computed beforehand.
 *
 * As events, a sample is an impression of its movie and an interaction `rating`, without its features, since ours are
 * computed from the stream. {@linkcode SparrowSample} has them all, for benchmarks on the published features.
 *
 * @module
 */

import type { ImpressionEvent, InteractionEvent, ItemRecord } from "../events/event.ts";
import { integerOf, numberOf, type Row, textOf } from "./fields.ts";
import { yearAttributes } from "./movielens.ts";

/** Columns of `movies.csv`. */
export const MOVIE_COLUMNS = ["movieId", "title", "genres"] as const;

/** Columns of a file of samples. */
export const SAMPLE_COLUMNS: readonly string[] = (
  "movieId userId rating timestamp label releaseYear movieGenre1 movieGenre2 movieGenre3 " +
  "movieRatingCount movieAvgRating movieRatingStddev " +
  "userRatedMovie1 userRatedMovie2 userRatedMovie3 userRatedMovie4 userRatedMovie5 " +
  "userRatingCount userAvgReleaseYear userReleaseYearStddev userAvgRating userRatingStddev " +
  "userGenre1 userGenre2 userGenre3 userGenre4 userGenre5"
).split(" ");

/** A row of samples, typed. */
export interface SparrowSample {
  readonly movieId: number;
  readonly userId: number;
  /** Stars, 0.5..5 in halves. */
  readonly rating: number;
  /** Seconds since the epoch. */
  readonly timestamp: number;
  /** Whether the rating is 3.5 or more. */
  readonly label: 0 | 1;
  /** Year in which the movie came out. */
  readonly releaseYear: number;
  /** Up to three genres. */
  readonly movieGenres: readonly string[];
  /** Number of ratings of the movie, over all time. */
  readonly movieRatingCount: number;
  /** Mean rating of the movie, over all time, including the future. */
  readonly movieAvgRating: number;
  /** Standard deviation of the movie's ratings, over all time. */
  readonly movieRatingStddev: number;
  /** Up to five liked movies before this one, **oldest first** (the file has the newest first). */
  readonly userRatedMovies: readonly number[];
  /** Number of the user's ratings before this one. */
  readonly userRatingCount: number;
  /** Mean release year of the movies that the user rated before, cut to an integer. */
  readonly userAvgReleaseYear: number;
  /** Standard deviation of those years. */
  readonly userReleaseYearStddev: number;
  /** Mean of the user's ratings before this one. */
  readonly userAvgRating: number;
  /** Standard deviation of the user's ratings before this one. */
  readonly userRatingStddev: number;
  /** Up to five favourite genres, best first. */
  readonly userGenres: readonly string[];
}

/** Parses a row of samples. @throws SyntaxError when it is invalid */
export function parseSample(row: Row): SparrowSample {
  const filled = (columns: readonly string[]) => columns.filter((column) => row[column] !== "");
  return {
    movieId: integerOf(row, "movieId", 1),
    userId: integerOf(row, "userId", 1),
    rating: numberOf(row, "rating", 0.5, 5),
    timestamp: integerOf(row, "timestamp"),
    label: integerOf(row, "label", 0, 1) === 1 ? 1 : 0,
    releaseYear: integerOf(row, "releaseYear"),
    movieGenres: filled(MOVIE_GENRES).map((column) => textOf(row, column)),
    movieRatingCount: integerOf(row, "movieRatingCount"),
    movieAvgRating: numberOf(row, "movieAvgRating", 0, 5),
    movieRatingStddev: numberOf(row, "movieRatingStddev", 0),
    userRatedMovies: filled(RATED_MOVIES).map((column) => integerOf(row, column, 1)),
    userRatingCount: integerOf(row, "userRatingCount"),
    userAvgReleaseYear: integerOf(row, "userAvgReleaseYear"),
    userReleaseYearStddev: numberOf(row, "userReleaseYearStddev", 0),
    userAvgRating: numberOf(row, "userAvgRating", 0, 5),
    userRatingStddev: numberOf(row, "userRatingStddev", 0),
    userGenres: filled(USER_GENRES).map((column) => textOf(row, column)),
  };
}

const MOVIE_GENRES = SAMPLE_COLUMNS.filter((column) => column.startsWith("movieGenre"));
const USER_GENRES = SAMPLE_COLUMNS.filter((column) => column.startsWith("userGenre"));
const RATED_MOVIES = SAMPLE_COLUMNS.filter((column) => column.startsWith("userRatedMovie")).reverse();

/** The impression and the interaction of a sample; `request` joins them. */
export function sampleEvents(
  sample: Pick<SparrowSample, "movieId" | "userId" | "rating" | "timestamp">,
  request: string,
): readonly [ImpressionEvent, InteractionEvent] {
  const user = String(sample.userId);
  const item = String(sample.movieId);
  const time = sample.timestamp * 1000;
  return [
    { type: "impression", user, time, request, items: [item] },
    { type: "interaction", user, time, item, action: "rating", value: sample.rating, request },
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
