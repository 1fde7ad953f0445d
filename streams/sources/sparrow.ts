/** SparrowRecSys samples: a folder with `movies.csv` and files of samples, or one file of samples. */

import { MOVIE_COLUMNS, parseMovie, SAMPLE_COLUMNS, sampleEvents } from "../../src/adapters/sparrow.ts";
import { fileIn, isFolder } from "./files.ts";
import { readRows, type SourceOptions, type SourceRecord, withCatalogue } from "./source.ts";

/** Sample files that a folder may contain, training before test. */
const SAMPLE_FILES = [
  "trainingSamples.csv",
  "trainSamples.csv",
  "trainSamples.substitute.csv",
  "testSamples.csv",
];

/**
 * Items first, then the samples, file by file in the order of their rows. The published test file is not sorted by time
 * and overlaps with training, so events arrive late.
 */
export async function* openSparrow(path: string, options: SourceOptions): AsyncGenerator<SourceRecord> {
  if (!await isFolder(path)) {
    yield* readSamples([path], options);
    return;
  }
  const found = await Promise.all(SAMPLE_FILES.map((name) => fileIn(path, [name])));
  const files = found.filter((file) => file !== undefined);
  if (files.length === 0) {
    throw new Deno.errors.NotFound(
      `Cannot open ${path} as sparrow: it has none of ${SAMPLE_FILES.join(", ")}`,
    );
  }
  const movies = await fileIn(path, ["movies.csv"]);
  const samples = readSamples(files, options);
  yield* movies === undefined
    ? samples
    : withCatalogue(samples, (time) =>
      readRows(movies, { header: true, columns: MOVIE_COLUMNS, ...options }, (row) => ({
        items: [parseMovie(row, time)],
      })));
}

async function* readSamples(files: readonly string[], options: SourceOptions): AsyncGenerator<SourceRecord> {
  for (const file of files) {
    const stem = file.replace(/^.*[/\\]/, "").replace(/\.csv(?:\.gz)?$/, "");
    yield* readRows(file, { header: true, columns: SAMPLE_COLUMNS, ...options }, (row, { number }) => ({
      events: sampleEvents(row, `${stem}:${number}`),
    }));
  }
}
