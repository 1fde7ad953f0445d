// deno-lint-ignore-file camelcase -- the columns of Open Bandit
import assert from "node:assert/strict";
import fc from "fast-check";
import * as movielens from "../../src/adapters/movielens.ts";
import * as bandit from "../../src/adapters/open_bandit.ts";
import * as taobao from "../../src/adapters/taobao.ts";
import { ratingsToUData, toBehavior, toRows } from "./to_files.ts";
import { checkEvent, checkItem } from "../../src/events/check.ts";

const seconds = fc.integer({ min: 631_152_000, max: 4_102_444_799 });
const integer = fc.nat().map((n) => n + 1);

Deno.test("ratingEvents() round-trips rows of MovieLens without loss", () => {
  const rating = fc.record({ user: integer, item: integer, rating: fc.integer({ min: 1, max: 5 }), seconds });
  fc.assert(fc.property(fc.array(rating, { maxLength: 5 }), (ratings) => {
    const rows = ratings.map(({ user, item, rating, seconds }) => [user, item, rating, seconds].join("\t"));
    const events = rows.flatMap((row, i) => {
      const fields = row.split("\t").map((field, column) => [movielens.RATING_COLUMNS[column], field]);
      return movielens.ratingEvents(movielens.parseRating(Object.fromEntries(fields)), `r${i}`);
    });
    for (const event of events) assert.ok(checkEvent(event).ok);
    assert.deepEqual([...ratingsToUData(events)], rows);
  }));
});

Deno.test("parseBehavior() round-trips rows of Taobao without loss", () => {
  const behavior = fc.constantFrom("pv", "cart", "fav", "buy");
  const row = fc.record({
    user: integer.map(String),
    item: integer.map(String),
    category: integer.map(String),
    behavior,
    seconds: seconds.map(String),
  }, { noNullPrototype: true });
  fc.assert(fc.property(row, (row) => {
    const { item, event } = taobao.parseBehavior(row);
    assert.ok(checkItem(item).ok && checkEvent(event).ok);
    assert.deepEqual(toBehavior(event, item), row);
  }));
});

Deno.test("parseImpression() round-trips rows of Open Bandit to the millisecond", () => {
  const hash = fc.stringMatching(/^[0-9a-f]{32}$/);
  const time = seconds.map((s) =>
    new Date(s * 1000 + 123).toISOString().replace("T", " ").replace("Z", "000+00:00")
  );
  const row = fc.tuple(
    fc.record({
      index: integer.map(String),
      timestamp: time,
      item_id: fc.nat(80).map(String),
      position: fc.integer({ min: 1, max: 3 }).map(String),
      click: fc.constantFrom("0", "1"),
      propensity_score: fc.double({ min: 1e-5, max: 1, noNaN: true }).map(String),
      user_feature_0: hash,
      user_feature_1: hash,
      user_feature_2: hash,
      user_feature_3: hash,
    }, { noNullPrototype: true }),
    fc.double({ min: 0, max: 100, noNaN: true }),
  ).map(([row, affinity]) => ({ ...row, [`user-item_affinity_${row.item_id}`]: String(affinity) }));
  fc.assert(fc.property(fc.uniqueArray(row, { selector: (row) => row.index, maxLength: 5 }), (rows) => {
    const events = rows.flatMap((row) => [bandit.parseUser(row), ...bandit.parseImpression(row)]);
    for (const event of events) assert.ok(checkEvent(event).ok, JSON.stringify(event));
    assert.deepEqual([...toRows(events)], rows);
  }));
});

Deno.test("parseImpression() of open_bandit truncates microseconds and refuses times that are not UTC", () => {
  const row = { index: "0", item_id: "2", position: "3", click: "0", propensity_score: "0.5" };
  const user = { user_feature_0: "a", user_feature_1: "b", user_feature_2: "c", user_feature_3: "d" };
  const time = (timestamp: string) => bandit.parseImpression({ ...row, ...user, timestamp })[0].time;
  assert.equal(time("2019-11-24 00:01:03.979999+00:00"), Date.UTC(2019, 10, 24, 0, 1, 3, 979));
  assert.equal(time("2019-11-24 00:01:03+00:00"), Date.UTC(2019, 10, 24, 0, 1, 3));
  for (const bad of ["2019-11-24", "2019-13-24 00:01:03+00:00", "2019-11-24 00:01:03+09:00", ""]) {
    assert.throws(() => time(bad), SyntaxError, bad);
  }
});

Deno.test("ageGroup() uses the age bounds of MovieLens", () => {
  const groups = [[0, "0-17"], [17, "0-17"], [18, "18-24"], [24, "18-24"], [25, "25-34"], [
    35,
    "35-44",
  ]] as const;
  const older = [[45, "45-49"], [50, "50-55"], [55, "50-55"], [56, "56+"], [99, "56+"]] as const;
  for (const [age, group] of [...groups, ...older]) assert.equal(movielens.ageGroup(age), group);
});

Deno.test("parseMovie() of movielens reads genres from the flags and the year from the release date", () => {
  const flags = Object.fromEntries(movielens.GENRES.map((genre) => [genre, genre === "Drama" ? "1" : "0"]));
  const row = {
    item: "9",
    title: "A Film (1950)",
    released: "23-Feb-1951",
    videoReleased: "",
    url: "",
    ...flags,
  };
  assert.deepEqual(movielens.parseMovie(row, 5), {
    item: "9",
    time: 5,
    categories: ["Drama"],
    title: "A Film (1950)",
    attributes: { year: "1951", decade: "1950s" },
  });
  assert.ok(!("attributes" in movielens.parseMovie({ ...row, released: "" }, 5)));
  assert.throws(() => movielens.parseMovie({ ...row, Drama: "2" }, 5), /column Drama as an integer 0..1/);
});
