/** MovieLens 100K from its folder: `u.item`, `u.user` and `u.data`. */

import {
  MOVIE_COLUMNS,
  parseMovie,
  parseRating,
  parseUser,
  type Rating,
  RATING_COLUMNS,
  ratingEvents,
  USER_COLUMNS,
} from "../../src/adapters/movielens.ts";
import { MIN_TIME_MS } from "../../src/events/limits.ts";
import { fileIn, within } from "./files.ts";
import { readRows, type SourceOptions, type SourceRecord } from "./source.ts";

// Quotes have no meaning in these files: titles use them for inches and seconds.
const RATINGS = { separator: "\t", quotes: false, columns: RATING_COLUMNS } as const;
const MOVIES = { separator: "|", quotes: false, columns: MOVIE_COLUMNS, encoding: "latin1" } as const;
const USERS = { separator: "|", quotes: false, columns: USER_COLUMNS } as const;

/**
 * Items first, then the ratings by (time, user, item), ids compared as numbers. A user's profile comes right before the
 * first rating and has its time; the profile of a user without ratings comes before all ratings.
 *
 * `u.data` is not sorted, so all ratings are held in memory: about 100 bytes each.
 */
export async function* openMovieLens(folder: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  for (const name of ["u.data", "u.item", "u.user"]) {
    if (await fileIn(folder, [name]) !== undefined) continue;
    throw new Deno.errors.NotFound(`Cannot open ${folder} as ml-100k: it has no ${name}`);
  }
  const ratings: Rated[] = [];
  yield* readRatings(within(folder, "u.data"), ratings, options);
  ratings.sort(({ rating: a, line: one }, { rating: b, line: other }) =>
    a.seconds - b.seconds || a.user - b.user || a.item - b.item || one - other
  );
  const begin = ratings[0] === undefined ? MIN_TIME_MS : ratings[0].rating.seconds * 1000;
  yield* readRows(within(folder, "u.item"), { ...MOVIES, ...options }, (row) => ({
    items: [parseMovie(row, begin)],
  }));
  const firstTimes = new Map<string, number>();
  for (const { rating: { user, seconds } } of ratings.toReversed()) {
    firstTimes.set(String(user), seconds * 1000);
  }
  const profiles = new Map<string, SourceRecord>();
  const users = readRows(within(folder, "u.user"), { ...USERS, ...options }, (row) => ({
    events: [parseUser(row, firstTimes.get(row["user"] ?? "") ?? begin)],
  }));
  for await (const record of users) {
    const user = record.kind === "event" ? record.event.user : undefined;
    if (user !== undefined && firstTimes.has(user)) profiles.set(user, record);
    else yield record;
  }
  for (const { rating, line } of ratings) {
    const user = String(rating.user);
    const profile = profiles.get(user);
    if (profile !== undefined) yield profile;
    profiles.delete(user);
    for (const event of ratingEvents(rating, `r${line}`)) {
      yield { kind: "event", event, file: within(folder, "u.data"), line };
    }
  }
}

/** A rating with its line number. */
interface Rated {
  readonly rating: Rating;
  readonly line: number;
}

/** Collects the valid ratings and yields the rejected ones. */
async function* readRatings(
  file: string,
  into: Rated[],
  options: SourceOptions,
): AsyncGenerator<SourceRecord> {
  let rating: Rating | undefined;
  const records = readRows(file, { ...RATINGS, ...options }, (row) => {
    rating = parseRating(row);
    return { events: ratingEvents(rating, "r").slice(1) }; // validated by the caller
  });
  for await (const record of records) {
    if (record.kind === "rejected") yield record;
    else if (rating !== undefined) into.push({ rating, line: record.line });
  }
}
