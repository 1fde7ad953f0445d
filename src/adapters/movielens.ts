/**
 * MovieLens 100K: ratings as events, movies as items, people as profiles.
 *
 * A rating becomes an impression of the movie and, at the same time, an interaction `rating` that names it. The
 * configuration of actions says from which rating on the outcome is positive, so one stream serves any threshold.
 *
 * Data: F. M. Harper, J. A. Konstan, "The MovieLens Datasets", ACM TiiS 5(4), 2015, doi 10.1145/2827872.
 */

import type {
  Attributes,
  ImpressionEvent,
  InteractionEvent,
  ItemRecord,
  ProfileEvent,
} from "../events/event.ts";
import { integerOf, numberOf, type Row, textOf } from "./fields.ts";

/** Columns of `u.data`, separated by tabs. */
export const RATING_COLUMNS = ["user", "item", "rating", "seconds"] as const;

/** Genres in the order of their flags in `u.item`. */
export const GENRES: readonly string[] = [
  "unknown",
  "Action",
  "Adventure",
  "Animation",
  "Children's",
  "Comedy",
  "Crime",
  "Documentary",
  "Drama",
  "Fantasy",
  "Film-Noir",
  "Horror",
  "Musical",
  "Mystery",
  "Romance",
  "Sci-Fi",
  "Thriller",
  "War",
  "Western",
];

/** Columns of `u.item`, separated by `|`, in Latin-1. */
export const MOVIE_COLUMNS: readonly string[] = [
  "item",
  "title",
  "released",
  "videoReleased",
  "url",
  ...GENRES,
];

/** Columns of `u.user`, separated by `|`. */
export const USER_COLUMNS = ["user", "age", "gender", "occupation", "zip"] as const;

/** A row of `u.data`. */
export interface Rating {
  readonly user: number;
  readonly item: number;
  /** Stars, 0.5..5; MovieLens 100K has whole ones, later editions halves. */
  readonly rating: number;
  /** Seconds since the epoch. */
  readonly seconds: number;
}

/** Parses a row of `u.data`. @throws SyntaxError when it is invalid */
export function parseRating(row: Row): Rating {
  return {
    user: integerOf(row, "user", 1),
    item: integerOf(row, "item", 1),
    rating: numberOf(row, "rating", 0.5, 5),
    seconds: integerOf(row, "seconds"),
  };
}

/**
 * The impression and the interaction of a rating; `request` joins them.
 *
 * @example
 * ```ts
 * import { ratingEvents } from "./movielens.ts";
 * import assert from "node:assert/strict";
 *
 * const [impression, interaction] = ratingEvents({ user: 196, item: 242, rating: 3, seconds: 881250949 }, "r1");
 * assert.deepEqual(impression.items, ["242"]);
 * assert.equal(interaction.value, 3);
 * assert.equal(interaction.time, 881250949000);
 * ```
 */
export function ratingEvents(rating: Rating, request: string): readonly [ImpressionEvent, InteractionEvent] {
  const user = String(rating.user);
  const item = String(rating.item);
  const time = rating.seconds * 1000;
  return [
    { type: "impression", user, time, request, items: [item] },
    { type: "interaction", user, time, item, action: "rating", value: rating.rating, request },
  ];
}

/** Parses a row of `u.item`; the item exists from `time` on. @throws SyntaxError when it is invalid */
export function parseMovie(row: Row, time: number): ItemRecord {
  const categories = GENRES.filter((genre) => integerOf(row, genre, 0, 1) === 1);
  const item = String(integerOf(row, "item", 1));
  const year = /-([0-9]{4})$/.exec(row["released"] ?? "")?.[1];
  const movie = { item, time, categories, title: textOf(row, "title") };
  return year === undefined ? movie : { ...movie, attributes: yearAttributes(year) };
}

/** The attributes `year` ("1995") and `decade` ("1990s") of a year of four digits. */
export function yearAttributes(year: string): Attributes {
  return { year, decade: `${year.slice(0, 3)}0s` };
}

const AGE_BOUNDS = [18, 25, 35, 45, 50, 56];

/** The age group of an age: `0-17`, `18-24`, `25-34`, `35-44`, `45-49`, `50-55` or `56+`, MovieLens's own groups. */
export function ageGroup(age: number): string {
  const next = AGE_BOUNDS.findIndex((bound) => age < bound);
  if (next < 0) return `${AGE_BOUNDS.at(-1)}+`;
  return `${AGE_BOUNDS[next - 1] ?? 0}-${(AGE_BOUNDS[next] ?? 0) - 1}`;
}

/** Parses a row of `u.user` into a profile at `time`, without the zip code. @throws SyntaxError when it is invalid */
export function parseUser(row: Row, time: number): ProfileEvent {
  const age = ageGroup(integerOf(row, "age", 0, 150));
  return {
    type: "profile",
    user: String(integerOf(row, "user", 1)),
    time,
    attributes: { age, gender: textOf(row, "gender"), occupation: textOf(row, "occupation") },
  };
}
