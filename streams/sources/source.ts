/** The records of an event source, independent of its file format. */

import type { Mapped } from "../../src/adapters/mapped.ts";
import type { OwnRecord } from "../../src/events/own_record.ts";
import type { Rejected } from "../../src/events/rejected.ts";
import { type FilePlace, type Rejection, rejectionOf } from "../../src/events/rejection.ts";
import { MIN_TIME_MS } from "../../src/events/limits.ts";
import type { Row } from "../../src/adapters/fields.ts";
import type { MappedRecords } from "../../src/mapping/entries.ts";
import { adapt } from "../mapping/adapt.ts";
import { type CsvOptions, readCsv } from "./csv.ts";
import type { Line } from "./lines.ts";

/** An event, an item or a rejection, with its position in the source. */
export type SourceRecord =
  | OwnRecord & FilePlace
  | { readonly kind: "rejected"; readonly rejection: Rejection } & FilePlace;

/** Options of a source. */
export interface SourceOptions {
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
}

function rejectedRecord(
  file: string,
  line: Line,
  rejected: Rejected,
  source: string | undefined,
): SourceRecord {
  const place = { file, line: line.number };
  const from = source === undefined ? place : { ...place, source };
  return { kind: "rejected", rejection: rejectionOf(from, rejected, line.bytes, line.size), ...place };
}

/** Maps the rows of a CSV file; malformed rows and rows that cannot be mapped are rejected. */
export async function* readRows(
  file: string,
  options: CsvOptions,
  map: (row: Row, line: Line) => Mapped,
): AsyncGenerator<SourceRecord> {
  for await (const read of readCsv(file, options)) {
    yield* placed(file, read.line, read.ok ? adapt(() => map(read.row, read.line)) : read.rejected);
  }
}

/** The records mapped from a line of a file, with its position. @param source the format or source for rejections */
export function placed(
  file: string,
  line: Line,
  adapted: MappedRecords,
  source?: string,
): readonly SourceRecord[] {
  if (!adapted.ok) return [rejectedRecord(file, line, adapted, source)];
  const rejected = (adapted.rejected ?? []).map((one) => rejectedRecord(file, line, one, source));
  return [...adapted.records.map((record) => ({ ...record, file, line: line.number })), ...rejected];
}

/** Yields the catalogue before the events, with the time of the first event: item files have no times. */
export async function* withCatalogue(
  events: AsyncIterable<SourceRecord>,
  catalogue: (time: number) => AsyncIterable<SourceRecord>,
): AsyncGenerator<SourceRecord> {
  let known = false;
  for await (const record of events) {
    if (!known && record.kind === "event") {
      known = true;
      yield* catalogue(record.event.time);
    }
    yield record;
  }
  if (!known) yield* catalogue(MIN_TIME_MS);
}
