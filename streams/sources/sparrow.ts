/** SparrowRecSys samples: a folder with `movies.csv` and files of samples, or one file of samples. @module */

import {
  MOVIE_COLUMNS,
  parseMovie,
  parseSample,
  SAMPLE_COLUMNS,
  sampleEvents,
  type SparrowSample,
} from "../../src/adapters/sparrow.ts";
import type { Row } from "../../src/adapters/fields.ts";
import { readCsv } from "./csv.ts";
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

/**
 * The samples of one file, typed, in the order of its rows.
 *
 * @throws SyntaxError at the first invalid row, since a benchmark must not lose rows silently
 */
export async function* readSparrowSamples(
  path: string,
  options: SourceOptions = {},
): AsyncGenerator<SparrowSample> {
  for await (const read of readCsv(path, { header: true, columns: SAMPLE_COLUMNS, ...options })) {
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

async function* readSamples(files: readonly string[], options: SourceOptions): AsyncGenerator<SourceRecord> {
  for (const file of files) {
    const stem = file.replace(/^.*[/\\]/, "").replace(/\.csv(?:\.gz)?$/, "");
    yield* readRows(file, { header: true, columns: SAMPLE_COLUMNS, ...options }, (row, { number }) => ({
      events: sampleEvents(parseSample(row), `${stem}:${number}`),
    }));
  }
}
