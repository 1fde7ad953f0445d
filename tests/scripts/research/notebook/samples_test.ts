import assert from "node:assert/strict";
import {
  GENRES,
  readNotebookSamples,
  standardise,
  UNKNOWN_GENRE,
} from "../../../../scripts/research/notebook/samples.ts";

const HEADER =
  "movieId,userId,label,releaseYear,movieGenre1,movieRatingCount,movieAvgRating,movieRatingStddev," +
  "userRatedMovie1,userRatedMovie2,userRatedMovie3,userRatedMovie4,userRatedMovie5,userRatingCount,userAvgRating," +
  "userRatingStddev,userGenre1";

async function read(...lines: readonly string[]): ReturnType<typeof readNotebookSamples> {
  const path = await Deno.makeTempFile({ suffix: ".csv" });
  try {
    await Deno.writeTextFile(path, [HEADER, ...lines].join("\n"));
    return await readNotebookSamples(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("readNotebookSamples() takes empty fields as none", async () => {
  const samples = await read('1,14887,0,1995,Adventure,10759,3.91,0.89,349,590,"","","",6,3.67,0.52,""');
  assert.equal(samples.rows, 1);
  assert.deepEqual([...samples.history], [349, 590, 0, 0, 0]);
  assert.deepEqual([...samples.movieGenre], [GENRES.indexOf("Adventure")]);
  assert.deepEqual([...samples.userGenre], [UNKNOWN_GENRE]);
  assert.deepEqual([...samples.movieNumbers], [1995, 10759, 3.91, 0.89].map(Math.fround));
});

Deno.test("readNotebookSamples() names column, row and file of a bad number", async () => {
  const good = "1,2,0,1995,Drama,1,3,0,0,0,0,0,0,1,3,0,Drama";
  await assert.rejects(read(good, good.replace("1,2,", "1,30001,")), {
    name: "RangeError",
    message: /^Cannot read userId of row 2 of .*\.csv: current value is 30001$/,
  });
  await assert.rejects(read(good.replace("1995", "MCM")), /Cannot read releaseYear of row 1/);
});

Deno.test("standardise() scales by the first set and leaves constant columns at zero", async () => {
  const row = (year: number): string => `1,2,0,${year},Drama,5,3,0,0,0,0,0,0,1,3,0,Drama`;
  const [train, test] = [await read(row(1990), row(2000)), await read(row(2005))];
  standardise(train, test);
  assert.deepEqual([...train.movieNumbers], [-1, 0, 0, 0, 1, 0, 0, 0]);
  assert.deepEqual([...test.movieNumbers], [2, 0, 0, 0]);
});
