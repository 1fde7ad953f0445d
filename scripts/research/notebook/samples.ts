/**
 * The notebook's view of the SparrowRecSys samples: the columns it feeds to its network, as typed arrays.
 *
 * @module
 */

import { readCsv } from "../../../streams/sources/csv.ts";

/** Behaviours of a row: `userRatedMovie1` (the newest) to `userRatedMovie5`. */
export const HISTORY = 5;
/** Largest user id of the samples. */
export const MAX_USER = 30_000;
/** Largest movie id of the samples; 0 is the padding of a short history. */
export const MAX_MOVIE = 1000;

/** The notebook's genre vocabulary; anything else has the id {@linkcode UNKNOWN_GENRE}. */
export const GENRES = [
  "Film-Noir",
  "Action",
  "Adventure",
  "Horror",
  "Romance",
  "War",
  "Comedy",
  "Western",
  "Documentary",
  "Sci-Fi",
  "Drama",
  "Thriller",
  "Crime",
  "Fantasy",
  "Animation",
  "IMAX",
  "Mystery",
  "Children",
  "Musical",
] as const;

/** Id of a genre that is missing or not in {@linkcode GENRES}: its vector is zero and stays so. */
export const UNKNOWN_GENRE = GENRES.length;

/** Numeric columns of the user profile. */
export const USER_NUMBERS = ["userRatingCount", "userAvgRating", "userRatingStddev"] as const;
/** Numeric columns of the movie. */
export const MOVIE_NUMBERS = [
  "releaseYear",
  "movieRatingCount",
  "movieAvgRating",
  "movieRatingStddev",
] as const;

/** Rows of a sample file, column by column; n rows. */
export interface NotebookSamples {
  /** n. */
  readonly rows: number;
  /** User ids [n]. */
  readonly user: Int32Array;
  /** Ids of `userGenre1` [n]. */
  readonly userGenre: Int32Array;
  /** Profile numbers [n, 3]. */
  readonly userNumbers: Float32Array;
  /** Movie ids [n]. */
  readonly movie: Int32Array;
  /** Ids of `movieGenre1` [n]. */
  readonly movieGenre: Int32Array;
  /** Movie numbers [n, 4]. */
  readonly movieNumbers: Float32Array;
  /** Movie ids of the behaviours, newest first, 0 = none [n, 5]. */
  readonly history: Int32Array;
  /** 1 = rated 3.5 or better [n]. */
  readonly labels: Float32Array;
}

/**
 * Reads a sample file of SparrowRecSys (`trainingSamples.csv`, `testSamples.csv`).
 *
 * @throws RangeError when a number or an id is not one that the network can take; names file and row.
 * @throws Deno.errors.NotFound when there is no such file.
 */
export async function readNotebookSamples(path: string): Promise<NotebookSamples> {
  const columns: Record<Exclude<keyof NotebookSamples, "rows">, number[]> = {
    user: [],
    userGenre: [],
    userNumbers: [],
    movie: [],
    movieGenre: [],
    movieNumbers: [],
    history: [],
    labels: [],
  };
  let row = 0;
  for await (const read of readCsv(path, { header: true, columns: [] })) {
    row++;
    if (!read.ok) throw new RangeError(`Cannot read row ${row} of ${path}: ${read.rejected.reason}`);
    const record = read.row;
    const number = (name: string, max = Infinity): number => {
      // Empty means "none": a user without a first rating, a history shorter than five.
      const value = Number(record[name] ?? NaN);
      if (Number.isFinite(value) && value >= 0 && value <= max) return value;
      throw new RangeError(`Cannot read ${name} of row ${row} of ${path}: current value is ${record[name]}`);
    };
    columns.user.push(number("userId", MAX_USER));
    columns.userGenre.push(genreId(record["userGenre1"]));
    for (const name of USER_NUMBERS) columns.userNumbers.push(number(name));
    columns.movie.push(number("movieId", MAX_MOVIE));
    columns.movieGenre.push(genreId(record["movieGenre1"]));
    for (const name of MOVIE_NUMBERS) columns.movieNumbers.push(number(name));
    for (let j = 1; j <= HISTORY; j++) columns.history.push(number(`userRatedMovie${j}`, MAX_MOVIE));
    columns.labels.push(number("label", 1));
  }
  return {
    rows: row,
    user: Int32Array.from(columns.user),
    userGenre: Int32Array.from(columns.userGenre),
    userNumbers: Float32Array.from(columns.userNumbers),
    movie: Int32Array.from(columns.movie),
    movieGenre: Int32Array.from(columns.movieGenre),
    movieNumbers: Float32Array.from(columns.movieNumbers),
    history: Int32Array.from(columns.history),
    labels: Float32Array.from(columns.labels),
  };
}

/** Scales the numeric columns of several sets, in place, by mean and deviation of the first. */
export function standardise(train: NotebookSamples, ...others: readonly NotebookSamples[]): void {
  for (const block of ["userNumbers", "movieNumbers"] as const) {
    const width = train[block].length / train.rows;
    for (let j = 0; j < width; j++) {
      const column = train[block].filter((_, o) => o % width === j);
      const mean = column.reduce((sum, x) => sum + x, 0) / train.rows;
      const deviation = Math.sqrt(column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / train.rows) || 1;
      for (const { [block]: values } of [train, ...others]) {
        for (let o = j; o < values.length; o += width) values[o] = (values[o]! - mean) / deviation;
      }
    }
  }
}

function genreId(name: string | undefined): number {
  const id = GENRES.findIndex((genre) => genre === name);
  return id < 0 ? UNKNOWN_GENRE : id;
}
