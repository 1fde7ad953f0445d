import assert from "node:assert/strict";
import { readSparrow, shuffled, SPARROW_SCHEMA } from "../../../../scripts/research/protocols/sparrow.ts";
import { numericNames } from "../../../../src/features/schema.ts";
import { FeatureStatistics } from "../../../../src/features/statistics.ts";
import {
  parseSample,
  readSparrowSamples,
  SAMPLE_COLUMNS,
} from "../../../../scripts/research/protocols/sparrow_samples.ts";

async function read(row: Readonly<Record<string, string>>) {
  const folder = await Deno.makeTempDir();
  try {
    const movies = 'movieId,title,genres\n7,A (1990),Drama|War|Crime|Western\n8,"B, C (1991)",Comedy\n';
    await Deno.writeTextFile(`${folder}/movies.csv`, movies);
    const values = SAMPLE_COLUMNS.map((name) => row[name] ?? (/Genre|Rated/.test(name) ? "" : "1"));
    await Deno.writeTextFile(`${folder}/rows.csv`, `${SAMPLE_COLUMNS.join(",")}\n${values.join(",")}\n`);
    return await readSparrow(folder, "rows.csv");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readSparrow() makes an impression of one movie without a position", async () => {
  const samples = await read({
    movieId: "8",
    userId: "5",
    timestamp: "100",
    label: "0",
    releaseYear: "1991",
    movieGenre1: "Comedy",
    userRatedMovie1: "9",
    userRatedMovie2: "7",
    userGenre1: "War",
    userGenre2: "Drama",
  });
  assert.equal(samples.length, 1);
  const [sample] = samples;
  assert.equal(sample?.user, "5");
  assert.equal(sample?.time, 100_000);
  // Oldest first; a movie that the catalogue lacks has no genres, one with many keeps three.
  assert.deepEqual(sample?.history.items, ["7", "9"]);
  assert.deepEqual(sample?.history.categories, [["Drama", "War", "Crime"], []]);
  assert.deepEqual(sample?.userFields, ["War", "Drama", null, null, null]);
  const row = sample?.rows.at(0);
  assert.deepEqual([row?.item, row?.label, row?.position], ["8", 0, -1]);
  assert.deepEqual(row?.categories, ["Comedy"]);
  assert.deepEqual([...row?.numerics ?? []], [1991, 1, 1, 1, 1, 1, 1, 1, 1]);
});

Deno.test("readSparrow() names the line of a bad row", async () => {
  await assert.rejects(read({ label: "2" }), /rows\.csv:2: .*label/);
});

Deno.test("shuffled() keeps all values, in an order that the seed decides", () => {
  const values = Array.from({ length: 100 }, (_, i) => i);
  const order = shuffled(values, 1);
  assert.deepEqual([...order].sort((a, b) => a - b), values);
  assert.deepEqual(shuffled(values, 1), order);
  assert.notDeepEqual(shuffled(values, 2), order);
});

Deno.test("FeatureStatistics throws for a schema that names numeric features of its own", () => {
  assert.equal(numericNames(SPARROW_SCHEMA)[2], "movieAvgRating");
  assert.throws(() => new FeatureStatistics(SPARROW_SCHEMA), {
    name: "RangeError",
    message: /movieAvgRating/,
  });
});

Deno.test("parseSample() has the history oldest first, and drops what is empty", () => {
  const row = Object.fromEntries(SAMPLE_COLUMNS.map((column) => [column, ""]));
  const numbers = {
    movieId: "1",
    userId: "2",
    rating: "3.5",
    timestamp: "825006653",
    label: "1",
    releaseYear: "1995",
  };
  const movie = {
    movieRatingCount: "7",
    movieAvgRating: "3.91",
    movieRatingStddev: "0.89",
    movieGenre1: "War",
  };
  const user = { userRatingCount: "6", userAvgReleaseYear: "1995", userReleaseYearStddev: "0.00" };
  const means = {
    userAvgRating: "4.00",
    userRatingStddev: "1.26",
    userRatedMovie1: "10",
    userRatedMovie2: "9",
  };
  const sample = parseSample({ ...row, ...numbers, ...movie, ...user, ...means, userGenre1: "War" });
  assert.deepEqual(sample.userRatedMovies, [9, 10]);
  assert.deepEqual(sample.movieGenres, ["War"]);
  assert.deepEqual(sample.userGenres, ["War"]);
  assert.equal(sample.movieAvgRating, 3.91);
  assert.throws(() => parseSample({ ...row, ...numbers }), SyntaxError);
});

Deno.test("readSparrowSamples() rejects a bad row", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const values = SAMPLE_COLUMNS.map((name) => name === "rating" ? "x" : "1");
    await Deno.writeTextFile(`${folder}/b.csv`, `${SAMPLE_COLUMNS.join(",")}\n${values.join(",")}\n`);
    await assert.rejects(
      Array.fromAsync(readSparrowSamples(`${folder}/b.csv`)),
      /b\.csv:2: Cannot take column rating/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
