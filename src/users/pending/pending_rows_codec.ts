/**
 * The items of an open impression within its user's record.
 *
 * ```text
 * rows = count, numeric features of a row, those of all rows, then of each row: item, categories, fields, marks, logit,
 *        and the values that the marks flag as unusual
 * ```
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import { creditCode, creditOf } from "../../assignment/credit.ts";
import type { Read, Written } from "./impression_context.ts";
import { type ItemFeatures, Rows } from "../../samples/rows.ts";

/** Marks: two bits for the label, where {@linkcode OPEN} means none, then flags. */
const OPEN = 2, CLOSED = 4, LATE = 8;
/** The offset equals that of the previous row; it equals neither that nor the usual one, the first numeric. */
const OFFSET_BEFORE = 16, OFFSET = 32;
/** Propensity is not 1; the oracle is known; the reward is not 0; the position is not the place in the list. */
const PROPENSITY = 64, ORACLE = 128, REWARD = 256, POSITION = 512;
/** Which of two teams is credited, as a `creditCode`. */
const TEAM = 1024;

export function writeRows(
  to: ByteWriter,
  rows: Rows,
  { numberOf, lists }: Pick<Written, "numberOf" | "lists">,
): void {
  const { length, width, numerics } = rows;
  to.uint(length).uint(width).f32s(numerics, 0, length * width);
  for (let row = 0; row < length; row++) {
    const { index, categories, fields } = rows.items[row]!;
    to.uint(numberOf(index)).uint(lists.index(categories)).uint(lists.index(fields));
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

function marksOf(rows: Rows, row: number): number {
  const offset = rows.offset(row);
  return (rows.isOpen(row) ? OPEN : rows.label(row)) + (rows.isClosed(row) ? CLOSED : 0) +
    (rows.isLate(row) ? LATE : 0) +
    (Object.is(offset, rows.numerics[row * rows.width])
      ? 0
      : row > 0 && Object.is(offset, rows.offset(row - 1))
      ? OFFSET_BEFORE
      : OFFSET) +
    (rows.propensity(row) === 1 ? 0 : PROPENSITY) + (Number.isNaN(rows.oracle(row)) ? 0 : ORACLE) +
    (Object.is(rows.reward(row), 0) ? 0 : REWARD) + (rows.position(row) === row ? 0 : POSITION) +
    TEAM * creditCode(rows.team(row));
}

export function readRows(from: ByteReader, read: Pick<Read, "itemAt" | "lists">): Rows {
  const length = from.count();
  const width = from.uint();
  const numerics = from.f32s(length * width);
  const rows = new Rows(length, width, numerics);
  for (let row = 0; row < length; row++) {
    const item = readItem(from, read);
    const marks = from.uint();
    const logit = from.f64();
    const offset = marks & OFFSET
      ? from.f64()
      : marks & OFFSET_BEFORE
      ? rows.offset(row - 1)
      : numerics[row * width] ?? NaN;
    rows.add(item, offset, logit);
    setOutcome(rows, row, marks);
    const propensity = marks & PROPENSITY ? from.f64() : 1;
    rows.setOracle(row, marks & ORACLE ? from.f64() : NaN);
    rows.setReward(row, marks & REWARD ? from.f64() : 0);
    rows.place(row, marks & POSITION ? from.uint() : row, propensity);
    setTeam(rows, row, Math.floor(marks / TEAM));
  }
  return rows;
}

function readItem(from: ByteReader, { itemAt, lists }: Pick<Read, "itemAt" | "lists">): ItemFeatures {
  const item = from.uint();
  // Lists of categories have no nulls; those of field values, which are in the same dictionary, may.
  const categories = lists(from.uint()) as readonly string[];
  return itemAt(item, categories, lists(from.uint()));
}

function setOutcome(rows: Rows, row: number, marks: number): void {
  if ((marks & OPEN) === 0) rows.answer(row, { label: (marks & 1) === 0 ? 0 : 1, explicit: false });
  if ((marks & CLOSED) !== 0) rows.close(row);
  if ((marks & LATE) !== 0) rows.clickLate(row);
}

function setTeam(rows: Rows, row: number, code: number): void {
  const team = creditOf(code);
  if (team !== undefined) rows.draft(row, team);
}
