/**
 * MovieLens 100K from its folder: `u.item`, `u.user` and `u.data`.
 *
 * @module
 */

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
import { readCsv } from "./csv.ts";
import { fileIn, within } from "./files.ts";
import { mapRow, rejectedRecord, type SourceOptions, type SourceRecord } from "./source.ts";

// None of the files knows quotes: they stand in titles, for inches and seconds.
const RATINGS = { separator: "\t", quotes: false, columns: RATING_COLUMNS } as const;
const MOVIES = { separator: "|", quotes: false, columns: MOVIE_COLUMNS, encoding: "latin1" } as const;
const USERS = { separator: "|", quotes: false, columns: USER_COLUMNS } as const;

/**
 * Items first, then the ratings by (time, user, item), ids compared as numbers. The profile of a user stands right
 * before the user's first rating and has its time; that of a user without ratings stands before all.
 *
 * `u.data` is not sorted, so its ratings are all held in memory: about 40 bytes each.
 */
export async function* openMovieLens(folder: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  for (const name of ["u.data", "u.item", "u.user"]) {
    if (await fileIn(folder, [name]) !== undefined) continue;
    throw new Deno.errors.NotFound(`Cannot open ${folder} as ml-100k: it has no ${name}`);
  }
  const ratings = new Ratings();
  yield* readRatings(within(folder, "u.data"), ratings, options);
  const firstTimes = ratings.firstTimes();
  const start = Math.min(...firstTimes.values());
  const begin = Number.isFinite(start) ? start : MIN_TIME_MS;
  yield* readMovies(within(folder, "u.item"), begin, options);

  const profiles = new Map<string, SourceRecord>();
  for await (const record of readUsers(within(folder, "u.user"), firstTimes, begin, options)) {
    const user = record.kind === "event" ? record.event.user : undefined;
    if (user !== undefined && firstTimes.has(user)) profiles.set(user, record);
    else yield record;
  }
  for (const { rating, line } of ratings.sorted()) {
    const user = String(rating.user);
    const profile = profiles.get(user);
    if (profile !== undefined) {
      yield profile;
      profiles.delete(user);
    }
    for (const event of ratingEvents(rating, `r${line}`)) {
      yield { kind: "event", event, file: within(folder, "u.data"), line };
    }
  }
}

/** Puts the good ratings into the table; yields the bad ones. */
async function* readRatings(
  file: string,
  into: Ratings,
  options: SourceOptions,
): AsyncGenerator<SourceRecord> {
  for await (const read of readCsv(file, { ...RATINGS, ...options })) {
    if (!read.ok) {
      yield rejectedRecord(file, read.line, read.rejected);
      continue;
    }
    let rating: Rating | undefined;
    const records = mapRow(file, read.line, () => {
      rating = parseRating(read.row);
      return { events: ratingEvents(rating, "r") };
    });
    if (records[0]?.kind === "rejected" || rating === undefined) yield* records;
    else into.push(rating, read.line.number);
  }
}

async function* readMovies(file: string, time: number, options: SourceOptions): AsyncGenerator<SourceRecord> {
  for await (const read of readCsv(file, { ...MOVIES, ...options })) {
    if (!read.ok) yield rejectedRecord(file, read.line, read.rejected);
    else yield* mapRow(file, read.line, () => ({ items: [parseMovie(read.row, time)] }));
  }
}

async function* readUsers(
  file: string,
  firstTimes: ReadonlyMap<string, number>,
  begin: number,
  options: SourceOptions,
): AsyncGenerator<SourceRecord> {
  for await (const read of readCsv(file, { ...USERS, ...options })) {
    if (!read.ok) {
      yield rejectedRecord(file, read.line, read.rejected);
      continue;
    }
    const time = firstTimes.get(read.row["user"] ?? "") ?? begin;
    yield* mapRow(file, read.line, () => ({ events: [parseUser(read.row, time)] }));
  }
}

/** Ratings by column, with the numbers of their lines. */
class Ratings {
  readonly #users: number[] = [];
  readonly #items: number[] = [];
  readonly #stars: number[] = [];
  readonly #seconds: number[] = [];
  readonly #lines: number[] = [];

  push(rating: Rating, line: number): void {
    this.#users.push(rating.user);
    this.#items.push(rating.item);
    this.#stars.push(rating.rating);
    this.#seconds.push(rating.seconds);
    this.#lines.push(line);
  }

  /** Time of each user's first rating, milliseconds since the epoch. */
  firstTimes(): Map<string, number> {
    const first = new Map<string, number>();
    for (let i = 0; i < this.#users.length; i++) {
      const user = String(this.#users[i]!);
      const time = this.#seconds[i]! * 1000;
      if (time < (first.get(user) ?? Infinity)) first.set(user, time);
    }
    return first;
  }

  /** By (time, user, item); what is equal in all three stays in the order of the file. */
  *sorted(): Generator<{ readonly rating: Rating; readonly line: number }> {
    const users = this.#users, items = this.#items, seconds = this.#seconds;
    const order = Uint32Array.from(users.keys());
    order.sort((a, b) =>
      seconds[a]! - seconds[b]! || users[a]! - users[b]! || items[a]! - items[b]! || a - b
    );
    for (const i of order) {
      const rating = { user: users[i]!, item: items[i]!, rating: this.#stars[i]!, seconds: seconds[i]! };
      yield { rating, line: this.#lines[i]! };
    }
  }
}
