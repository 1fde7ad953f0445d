/**
 * Rows of a CSV file, with the numbers of their lines, going on after a malformed one.
 *
 * None of the formats read here has line breaks within a field. So a line is a row, and a quote that is never closed
 * costs one line and not the rest of the file.
 *
 * @module
 */

import { CsvParseStream } from "@std/csv";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import type { Row } from "../../src/adapters/fields.ts";
import { type Line, readLines } from "./lines.ts";

/** A row, or a line that is none. */
export type CsvLine =
  | { readonly ok: true; readonly line: Line; readonly row: Row }
  | { readonly ok: false; readonly line: Line; readonly rejected: Rejected };

/** Options of {@linkcode readCsv}. */
export interface CsvOptions {
  /** Names of the columns; of a file with a header, those that it must have. */
  readonly columns: readonly string[];
  /** Whether the first line names the columns. @default {false} */
  readonly header?: boolean;
  /** Name for a column whose name in the header is empty. */
  readonly unnamed?: string;
  /** Character between fields. @default {","} */
  readonly separator?: string;
  /** Whether a field may stand in quotes; if not, a quote is a character like any other. @default {true} */
  readonly quotes?: boolean;
  /** Encoding of the text. @default {"utf-8"} */
  readonly encoding?: "utf-8" | "latin1";
  /** Stops reading. */
  readonly signal?: AbortSignal;
}

/**
 * Reads the rows of a file, `.gz` or not. @throws SyntaxError when the header lacks a column
 */
export async function* readCsv(path: string, options: CsvOptions): AsyncGenerator<CsvLine> {
  const { separator = ",", quotes = true, encoding = "utf-8", signal } = options;
  const decoder = new TextDecoder(encoding, { fatal: true });
  let columns = options.header === true ? undefined : options.columns;
  for await (const lines of readLines(path, signal)) {
    const plain = columns === undefined ? null : plainRows(lines, columns, { separator, quotes, decoder });
    if (plain !== null) {
      yield* plain;
      continue;
    }
    const texts: Text[] = [];
    for (const line of lines) {
      const text = decode(line, decoder);
      if (!text.ok) yield text;
      else if (columns === undefined) columns = await readHeader(path, text, options);
      else texts.push(text);
    }
    if (columns === undefined) continue;
    if (quotes) yield* parseRows(texts, columns, separator);
    else for (const text of texts) yield splitRow(text, columns, separator);
  }
}

const QUOTE = 0x22, LF = 0x0a, CR = 0x0d, BOM = 0xef;

/**
 * The rows of lines without a quote, which need no parser: a field ends where the separator is. `null` when there is
 * anything among them that must be looked at line by line.
 */
function plainRows(
  lines: readonly Line[],
  columns: readonly string[],
  { separator, quotes, decoder }: {
    readonly separator: string;
    readonly quotes: boolean;
    readonly decoder: TextDecoder;
  },
): readonly CsvLine[] | null {
  let size = 0;
  for (const { bytes, rejected } of lines) {
    if (rejected !== undefined || bytes[0] === BOM) return null;
    size += bytes.length + 1;
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const { bytes } of lines) {
    whole.set(bytes, at);
    at += bytes.length;
    whole[at++] = LF;
  }
  if (quotes && (whole.includes(QUOTE) || whole.includes(CR))) return null;
  const texts = decodeAll(whole, decoder)?.split("\n");
  if (texts === undefined) return null;
  const rows: CsvLine[] = [];
  for (const [i, line] of lines.entries()) {
    const fields = texts[i]!.split(separator);
    if (fields.length !== columns.length) return null;
    rows.push({ ok: true, line, row: rowOf(fields, columns) });
  }
  return rows;
}

function rowOf(fields: readonly string[], columns: readonly string[]): Row {
  const row: Record<string, string> = {};
  for (let c = 0; c < columns.length; c++) row[columns[c]!] = fields[c]!;
  return row;
}

/** The row of a line in which a quote means nothing. */
function splitRow({ line, text }: Text, columns: readonly string[], separator: string): CsvLine {
  const fields = text.split(separator);
  if (fields.length === columns.length) return { ok: true, line, row: rowOf(fields, columns) };
  const reason = `Cannot split line ${line.number} into ${columns.length} fields: it has ${fields.length}`;
  return { ok: false, line, rejected: reject("malformed-row", reason) };
}

function decodeAll(bytes: Uint8Array, decoder: TextDecoder): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

type Text = { readonly ok: true; readonly line: Line; readonly text: string };

function decode(line: Line, decoder: TextDecoder): Text | (CsvLine & { readonly ok: false }) {
  if (line.rejected !== undefined) return { ok: false, line, rejected: line.rejected };
  try {
    // A mark of byte order is no part of a row, however often it is there: the parser takes one from its first row.
    return { ok: true, line, text: decoder.decode(line.bytes).replace(/^\ufeff+/, "") };
  } catch {
    const rejected = reject("invalid-utf8", "Cannot decode the row as UTF-8: it has bytes that are none");
    return { ok: false, line, rejected };
  }
}

async function readHeader(path: string, text: Text, options: CsvOptions): Promise<readonly string[]> {
  const { separator = ",", unnamed = "" } = options;
  const rows = await Array.fromAsync(
    ReadableStream.from([text.text]).pipeThrough(new CsvParseStream({ separator })),
  );
  const columns = rows.flat().map((name) => name === "" ? unnamed : name);
  const absent = options.columns.find((name) => !columns.includes(name));
  if (absent === undefined) return columns;
  throw new SyntaxError(`Cannot read ${path}: column ${absent} is missing in line ${text.line.number}`);
}

// A batch is parsed in one go. When the parser refuses it, its halves are tried, so a bad line among n costs about
// log n further passes and nothing else.
async function* parseRows(
  texts: readonly Text[],
  columns: readonly string[],
  separator: string,
): AsyncGenerator<CsvLine> {
  if (texts.length === 0) return;
  const outcome = await parse(texts, columns, separator);
  if (!(outcome instanceof SyntaxError)) {
    for (const [i, text] of texts.entries()) {
      const row = outcome[i];
      if (row !== undefined) yield { ok: true, line: text.line, row };
    }
    return;
  }
  const [first] = texts;
  if (texts.length === 1 && first !== undefined) {
    const { line } = first;
    const reason = outcome.message.replace("line 1", `line ${line.number}`);
    return yield {
      ok: false,
      line,
      rejected: reject("malformed-row", `Cannot parse the row as CSV: ${reason}`),
    };
  }
  const half = texts.length >>> 1;
  yield* parseRows(texts.slice(0, half), columns, separator);
  yield* parseRows(texts.slice(half), columns, separator);
}

/** The rows of all texts, or why there is not one for each. */
async function parse(
  texts: readonly Text[],
  columns: readonly string[],
  separator: string,
): Promise<readonly Row[] | SyntaxError> {
  const whole = texts.map(({ text }) => text).join("\n");
  // The first line break that the parser meets says what it takes for one: a lone CR must not speak for other lines.
  if (texts.length > 1 && whole.includes("\r")) return new SyntaxError("a carriage return within a row");
  try {
    // Not by `columns`: what is thrown for a row of another length is then no SyntaxError.
    const rows = await Array.fromAsync(
      ReadableStream.from([whole]).pipeThrough(
        new CsvParseStream({ separator, fieldsPerRecord: columns.length }),
      ),
    );
    if (rows.length === texts.length) return rows.map((fields) => rowOf(fields, columns));
    return new SyntaxError(`Syntax error on line 1: expected ${texts.length} rows but got ${rows.length}`);
  } catch (error) {
    if (error instanceof SyntaxError) return error;
    throw error;
  }
}
