/**
 * P2: the published SparrowRecSys samples as our samples.
 *
 * The numeric features are those of the files. Three of them are figures of a movie over all time, so they leak
 * the future: results compare only with others on these files.
 */

import { MOVIE_COLUMNS, parseMovie } from "../../../src/adapters/sparrow.ts";
import type { FeatureSchema } from "../../../src/features/schema.ts";
import { Rows } from "../../../src/samples/rows.ts";
import type { Sample } from "../../../src/samples/sample.ts";
import { mulberry32 } from "../../../src/draws/random.ts";
import { readCsv } from "../../../streams/sources/csv.ts";
import { readSparrowSamples, type SparrowSample } from "./sparrow_samples.ts";

const NUMERICS = [
  "releaseYear",
  "movieRatingCount",
  "movieAvgRating",
  "movieRatingStddev",
  "userRatingCount",
  "userAvgReleaseYear",
  "userReleaseYearStddev",
  "userAvgRating",
  "userRatingStddev",
] as const satisfies readonly (keyof SparrowSample)[];

const USER_GENRES = 5;

/** Features of the files; ids and genres of the movies are always features. */
export const SPARROW_SCHEMA: FeatureSchema = {
  userFields: Array.from({ length: USER_GENRES }, (_, j) => `userGenre${j + 1}`),
  itemFields: [],
  contextFields: [],
  crosses: [],
  // They depend on the times of behaviours, which the files do not have.
  transitions: null,
  numerics: NUMERICS,
};

/** The samples of one file, in the order of its rows; a movie's genres are those of `movies.csv`. */
export async function readSparrow(folder: string, file: string): Promise<readonly Sample[]> {
  const genres = await readGenres(`${folder}/movies.csv`);
  const samples: Sample[] = [];
  for await (const row of readSparrowSamples(`${folder}/${file}`)) {
    samples.push(toSample(row, genres, `${file}:${samples.length + 1}`));
  }
  return samples;
}

/** A copy in an order that depends only on the seed (Fisher and Yates). */
export function shuffled<T>(values: readonly T[], seed: number): T[] {
  const random = mulberry32(seed);
  const out = [...values];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

/** A row as an impression of its movie alone, without a position. */
export function toSample(
  row: SparrowSample,
  genres: ReadonlyMap<string, readonly string[]>,
  request: string,
): Sample {
  const items = row.userRatedMovies.map(String);
  const time = row.timestamp * 1000;
  return {
    request,
    user: String(row.userId),
    time,
    closedTime: time,
    version: 0,
    newUser: items.length === 0,
    history: {
      items,
      categories: items.map((item) => genres.get(item) ?? []),
      actions: items.map(() => "rating"),
      // The files do not say when the behaviours were.
      times: new Float64Array(items.length).fill(time),
      strengths: new Float32Array(items.length).fill(1),
    },
    userFields: Array.from({ length: USER_GENRES }, (_, j) => row.userGenres[j] ?? null),
    contextFields: [],
    rows: Rows.of([{
      item: String(row.movieId),
      categories: row.movieGenres,
      fields: [],
      numerics: Float32Array.from(NUMERICS, (name) => row[name]),
      offset: 0,
      label: row.label,
      position: -1,
      prediction: NaN,
    }]),
  };
}

/** How many of a movie's genres, the first ones, the samples have. */
const GENRES_KEPT = 3;

async function readGenres(path: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const genres = new Map<string, readonly string[]>();
  for await (const read of readCsv(path, { header: true, columns: MOVIE_COLUMNS })) {
    if (!read.ok) throw new SyntaxError(`${path}:${read.line.number}: ${read.rejected.reason}`);
    const { item, categories = [] } = parseMovie(read.row, 0);
    genres.set(item, categories.slice(0, GENRES_KEPT));
  }
  return genres;
}
