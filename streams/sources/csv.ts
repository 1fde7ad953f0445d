/**
 * Reads the rows of a CSV file with their line numbers and continues after malformed ones.
 *
 * None of the supported formats has line breaks within a field. A line is therefore a row, and an unclosed quote costs
 * one line rather than the rest of the file.
 *
 * @module
 */

import type { Row } from "../../src/adapters/fields.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { checkHeader, splitRow } from "../mapping/row.ts";
import { type Line, readLines } from "./lines.ts";

/** A row, or a line that is not a valid row. */
export type CsvLine =
  | { readonly ok: true; readonly line: Line; readonly row: Row }
  | { readonly ok: false; readonly line: Line; readonly rejected: Rejected };

/** Options of {@linkcode readCsv}. */
export interface CsvOptions {
  /** Names of the columns; for a file with a header, the required ones. */
  readonly columns: readonly string[];
  /** Whether the first line names the columns. @default {false} */
  readonly header?: boolean | undefined;
  /** Name of the column whose header is empty. */
  readonly unnamed?: string | undefined;
  /** Character between fields. @default {","} */
  readonly separator?: string | undefined;
  /** Whether fields may be quoted; otherwise a quote is an ordinary character. @default {true} */
  readonly quotes?: boolean | undefined;
  /** Encoding of the text. @default {"utf-8"} */
  readonly encoding?: "utf-8" | "latin1" | undefined;
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
}

/** Reads the rows of a file, `.gz` or not. @throws SyntaxError when the header is malformed or lacks a column */
export async function* readCsv(path: string, options: CsvOptions): AsyncGenerator<CsvLine> {
  const { separator = ",", quotes = true, encoding = "utf-8", signal } = options;
  const decoder = new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  let columns = options.header === true ? undefined : options.columns;
  for await (const lines of readLines(path, signal)) {
    const texts = decode(lines, decoder);
    for (const [i, line] of lines.entries()) {
      const text = texts[i];
      const fields = line.rejected ?? (text === undefined ? NOT_UTF8 : splitRow(text, separator, quotes));
      if (columns === undefined) columns = headerOf(`${path}:${line.number}`, fields, options);
      else if (!isFields(fields)) yield { ok: false, line, rejected: fields };
      else if (fields.length === columns.length) yield { ok: true, line, row: rowOf(fields, columns) };
      else yield { ok: false, line, rejected: malformed(line, columns.length, fields.length) };
    }
  }
}

const NOT_UTF8 = reject("invalid-utf8", "Cannot decode the row as UTF-8: it has bytes that are none");
const LF = 0x0a;

function isFields(fields: readonly string[] | Rejected): fields is readonly string[] {
  return !("ok" in fields);
}

function rowOf(fields: readonly string[], columns: readonly string[]): Row {
  const row: Record<string, string> = {};
  for (let c = 0; c < columns.length; c++) row[columns[c]!] = fields[c]!;
  return row;
}

function headerOf(
  place: string,
  fields: readonly string[] | Rejected,
  options: CsvOptions,
): readonly string[] {
  if (!isFields(fields)) throw new SyntaxError(`Cannot read ${place} as the header: ${fields.reason}`);
  checkHeader(place, fields);
  const columns = fields.map((name) => name === "" ? options.unnamed ?? "" : name);
  const absent = options.columns.find((name) => !columns.includes(name));
  if (absent === undefined) return columns;
  throw new SyntaxError(`Cannot read ${place} as the header: column ${absent} is missing`);
}

function malformed({ number }: Line, wanted: number, got: number): Rejected {
  return reject("malformed-row", `Cannot split line ${number} into ${wanted} fields: it has ${got}`);
}

/** Decodes all lines at once, which is faster; `undefined` for a line that cannot be decoded. */
function decode(lines: readonly Line[], decoder: TextDecoder): readonly (string | undefined)[] {
  const whole = new Uint8Array(lines.reduce((size, { bytes }) => size + bytes.length + 1, 0));
  let at = 0;
  for (const { bytes } of lines) {
    whole.set(bytes, at);
    at += bytes.length;
    whole[at++] = LF;
  }
  const texts = decodeOne(whole, decoder)?.split("\n") ?? lines.map(({ bytes }) => decodeOne(bytes, decoder));
  // Byte order marks are not part of a row, however many there are.
  return texts.map((text) => text?.startsWith("\ufeff") ? text.replace(/^\ufeff+/, "") : text);
}

function decodeOne(bytes: Uint8Array, decoder: TextDecoder): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined; // the caller reports it
  }
}
