/**
 * SparrowRecSys samples: a folder with `movies.csv` and files of samples, or one file of samples.
 *
 * @module
 */

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
import { mapRow, rejectedRecord, type SourceOptions, type SourceRecord, withCatalogue } from "./source.ts";

/** Files of samples that a folder may have, training before test. */
const SAMPLE_FILES = [
  "trainingSamples.csv",
  "trainSamples.csv",
  "trainSamples.substitute.csv",
  "testSamples.csv",
];

/**
 * Items first, then the samples file by file in the order of their rows. A published test file is not in the order of
 * time, and its times overlap with those of training: what follows must not mind late events.
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
  yield* movies === undefined ? samples : withCatalogue(samples, (time) => readMovies(movies, time, options));
}

/**
 * The samples of one file, typed, in the order of its rows.
 *
 * @throws SyntaxError at the first row that is none, since a benchmark must not lose rows silently
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
    for await (const read of readCsv(file, { header: true, columns: SAMPLE_COLUMNS, ...options })) {
      const { line } = read;
      if (!read.ok) yield rejectedRecord(file, line, read.rejected);
      else {yield* mapRow(
          file,
          line,
          () => ({ events: sampleEvents(parseSample(read.row), `${stem}:${line.number}`) }),
        );}
    }
  }
}

async function* readMovies(file: string, time: number, options: SourceOptions): AsyncGenerator<SourceRecord> {
  for await (const read of readCsv(file, { header: true, columns: MOVIE_COLUMNS, ...options })) {
    if (!read.ok) yield rejectedRecord(file, read.line, read.rejected);
    else yield* mapRow(file, read.line, () => ({ items: [parseMovie(read.row, time)] }));
  }
}
