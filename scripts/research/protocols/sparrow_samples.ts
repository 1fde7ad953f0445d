/** The rows of SparrowRecSys' samples with their published features. */

import { integerOf, numberOf, type Row, textOf } from "../../../src/adapters/fields.ts";
import { readCsv } from "../../../streams/sources/csv.ts";

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

/**
 * The samples of one file, typed, in the order of its rows.
 *
 * @throws SyntaxError at the first invalid row, since a benchmark must not lose rows silently
 */
export async function* readSparrowSamples(path: string): AsyncGenerator<SparrowSample> {
  for await (const read of readCsv(path, { header: true, columns: SAMPLE_COLUMNS })) {
    const place = `${path}:${read.line.number}`;
    if (!read.ok) throw new SyntaxError(`${place}: ${read.rejected.reason}`);
    yield sampleAt(place, read.row);
  }
}

function sampleAt(place: string, row: Row): SparrowSample {
  try {
    return parseSample(row);
  } catch (cause) {
    throw cause instanceof SyntaxError ? new SyntaxError(`${place}: ${cause.message}`, { cause }) : cause;
  }
}
