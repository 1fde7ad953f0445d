/**
 * The items of an open impression within its user's record.
 *
 * ```text
 * rows = count, numeric features of a row, those of all rows, then of each row: item, categories, fields, marks, logit,
 *        and what its marks say is not as nearly always
 * ```
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { creditCode, creditOf } from "../../assignment/credit.ts";
import type { Read, Written } from "./impression_context.ts";
import { type PendingRow, PendingRows, type RowOutcome } from "./pending_rows.ts";

/** In users' records up to this format a row has all there can be. */
const ALL_THERE = 10;

/** Bits of the marks behind a label in two, of which {@linkcode OPEN} is none. */
const OPEN = 2, CLOSED = 4, LATE = 8;
/** The offset: is not the first numeric feature, but that of the row before; is neither. */
const OFFSET_BEFORE = 16, OFFSET = 32;
/** Is not 1; is known; is not 0; is not the place in the list. */
const PROPENSITY = 64, ORACLE = 128, REWARD = 256, POSITION = 512;
/** Which of two teams is credited, as a `creditCode`. */
const TEAM = 1024;

/** Writes rows. */
export function writeRows(
  to: ByteWriter,
  rows: PendingRows,
  { numberOf, lists }: Pick<Written, "numberOf" | "lists">,
): void {
  const { length, width, numerics } = rows;
  to.uint(length).uint(width).f32s(numerics.subarray(0, length * width));
  for (let row = 0; row < length; row++) {
    to.uint(numberOf(rows.item(row)));
    to.uint(lists.index(rows.categories(row))).uint(lists.index(rows.fields(row)));
    const marks = marksOf(rows, row);
    to.uint(marks).f64(rows.logit(row));
    if (marks < OFFSET) continue;
    if (marks & OFFSET) to.f64(rows.offset(row));
    if (marks & PROPENSITY) to.f64(rows.propensity(row));
    if (marks & ORACLE) to.f64(rows.oracle(row));
    if (marks & REWARD) to.f64(rows.reward(row));
    if (marks & POSITION) to.uint(rows.position(row));
  }
}

function marksOf(rows: PendingRows, row: number): number {
  const offset = rows.offset(row);
  return (rows.label(row) ?? OPEN) + (rows.isClosed(row) ? CLOSED : 0) + (rows.isLate(row) ? LATE : 0) +
    (Object.is(offset, rows.numerics[row * rows.width])
      ? 0
      : row > 0 && Object.is(offset, rows.offset(row - 1))
      ? OFFSET_BEFORE
      : OFFSET) +
    (rows.propensity(row) === 1 ? 0 : PROPENSITY) + (Number.isNaN(rows.oracle(row)) ? 0 : ORACLE) +
    (Object.is(rows.reward(row), 0) ? 0 : REWARD) + (rows.position(row) === row ? 0 : POSITION) +
    TEAM * creditCode(rows.team(row));
}

/** Reads rows. */
export function readRows(from: ByteReader, read: Pick<Read, "format" | "itemAt" | "lists">): PendingRows {
  return read.format > ALL_THERE ? readShort(from, read) : PendingRows.of(readLong(from, read));
}

function readShort(from: ByteReader, { itemAt, lists }: Pick<Read, "itemAt" | "lists">): PendingRows {
  const length = from.count();
  const width = from.uint();
  const numerics = from.f32s(length * width);
  const rows = new PendingRows(length, width);
  for (let row = 0; row < length; row++) {
    const item = itemAt(from.uint());
    const categories = lists(from.uint()) as readonly string[];
    const fields = lists(from.uint());
    const marks = from.uint();
    const logit = from.f64();
    const features = numerics.subarray(row * width, (row + 1) * width);
    const offset = marks & OFFSET
      ? from.f64()
      : marks & OFFSET_BEFORE
      ? rows.offset(row - 1)
      : features[0] ?? NaN;
    rows.push({
      ...{ item, categories, fields, numerics: features, offset, logit },
      ...outcomeOf(marks),
      propensity: marks & PROPENSITY ? from.f64() : 1,
      oracle: marks & ORACLE ? from.f64() : NaN,
      reward: marks & REWARD ? from.f64() : 0,
      position: marks & POSITION ? from.uint() : row,
      ...teamOf(Math.floor(marks / TEAM)),
    });
  }
  return rows;
}

function readLong(
  from: ByteReader,
  { format, itemAt, lists }: Pick<Read, "format" | "itemAt" | "lists">,
): PendingRow[] {
  return Array.from({ length: from.count() }, () => ({
    item: itemAt(from.uint()),
    categories: lists(from.uint()) as readonly string[],
    fields: lists(from.uint()),
    numerics: from.f32s(from.uint()),
    offset: from.f64(),
    logit: from.f64(),
    ...outcomeOf(from.u8()),
    position: from.uint(),
    propensity: from.f64(),
    oracle: from.f64(),
    reward: format > 1 ? from.f64() : 0,
    ...teamOf(format > 1 ? from.u8() : 0),
  }));
}

function outcomeOf(marks: number): Pick<PendingRow, "label" | "closed" | "late"> {
  const label: RowOutcome["label"] | null = (marks & OPEN) !== 0 ? null : (marks & 1) !== 0 ? 1 : 0;
  return { label, closed: (marks & CLOSED) !== 0, late: (marks & LATE) !== 0 };
}

function teamOf(code: number): Pick<PendingRow, "team"> {
  const team = creditOf(code);
  return team === undefined ? {} : { team };
}
