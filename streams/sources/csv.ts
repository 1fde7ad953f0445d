/**
 * Reads the rows of a CSV file with their line numbers and continues after malformed ones.
 *
 * A quoted field may contain line breaks, within bounds: an unclosed quote costs one line rather than the rest of the
 * file.
 */

import type { Row } from "../../src/adapters/fields.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";
import { checkHeader, separatorOf, splitRow, UNCLOSED } from "../mapping/row.ts";
import { type Line, readLines } from "./lines.ts";

/** A row, or a line that is not a valid row. */
export type CsvLine =
  | { readonly ok: true; readonly line: Line; readonly row: Row }
  | { readonly ok: false; readonly line: Line; readonly rejected: Rejected };

export interface CsvOptions {
  /** Names of the columns; for a file with a header, the required ones. */
  readonly columns: readonly string[];
  /** Whether the first line names the columns. @default {false} */
  readonly header?: boolean | undefined;
  /** Name of the column whose header is empty. */
  readonly unnamed?: string | undefined;
  /** Character between fields. @default {detected in the header; "," without one} */
  readonly separator?: string | undefined;
  /** Whether fields may be quoted; otherwise a quote is an ordinary character. @default {true} */
  readonly quotes?: boolean | undefined;
  /** Encoding of the text. @default {"utf-8"} */
  readonly encoding?: "utf-8" | "latin1" | undefined;
  /** Stops reading. */
  readonly signal?: AbortSignal | undefined;
}

/** A line and its text; `undefined` = it cannot be decoded. */
interface Decoded {
  readonly line: Line;
  readonly text: string | undefined;
}

/** The most lines of a row. */
const MAX_LINES = 1000;
const NOT_UTF8 = reject("invalid-utf8", "Cannot decode the row as UTF-8: it contains invalid bytes");
const LF = 0x0a;

/** Reads the rows of a file, `.gz` or not. @throws SyntaxError when the header is malformed or lacks a column */
export async function* readCsv(path: string, options: CsvOptions): AsyncGenerator<CsvLine> {
  const decoder = new TextDecoder(options.encoding ?? "utf-8", { fatal: true, ignoreBOM: true });
  let rows = options.header === true ? undefined : new CsvRows(options.columns, options.separator, options);
  for await (const lines of readLines(path, options.signal)) {
    for (const line of decode(lines, decoder)) {
      if (rows === undefined) rows = withHeader(`${path}:${line.line.number}`, line, options);
      else yield* rows.take(line);
    }
  }
  if (rows !== undefined) yield* rows.end();
}

/** @throws SyntaxError when the header is malformed or lacks a column */
function withHeader(place: string, { line, text }: Decoded, options: CsvOptions): CsvRows {
  const { separator = separatorOf(text ?? ""), quotes = true } = options;
  const fields = line.rejected ?? (text === undefined ? NOT_UTF8 : splitRow(text, separator, quotes));
  if (!isFields(fields)) throw new SyntaxError(`Cannot read ${place} as the header: ${fields.reason}`);
  checkHeader(place, fields);
  const columns = fields.map((name) => name === "" ? options.unnamed ?? "" : name);
  const absent = options.columns.find((name) => !columns.includes(name));
  if (absent !== undefined) {
    throw new SyntaxError(`Cannot read ${place} as the header: column ${absent} is missing`);
  }
  return new CsvRows(columns, separator, options);
}

/** Makes rows from lines. */
class CsvRows {
  readonly #columns: readonly string[];
  readonly #separator: string;
  readonly #quotes: boolean;
  /** The lines of a row whose last quote is not closed yet. */
  #open: Decoded[] = [];
  #openBytes = 0;

  constructor(
    columns: readonly string[],
    separator: string = ",",
    { quotes = true }: Pick<CsvOptions, "quotes"> = {},
  ) {
    this.#columns = columns;
    this.#separator = separator;
    this.#quotes = quotes;
  }

  /** The rows that a line completes. */
  take(next: Decoded): readonly CsvLine[] {
    if (this.#open.length === 0) {
      const fields = this.#split([next]);
      if (fields !== UNCLOSED) return [this.#row([next], fields)];
      this.#add(next);
      return [];
    }
    if (!this.#hasRoomFor(next)) return this.#giveUp([next]);
    // Within quotes, an even number of them leaves the row open.
    if (next.text!.split('"').length % 2 === 1) {
      this.#add(next);
      return [];
    }
    const lines = [...this.#open, next];
    const fields = this.#split(lines);
    if (!isFields(fields) || fields.length !== this.#columns.length) return this.#giveUp([next]);
    this.#clear();
    return [this.#row(lines, fields)];
  }

  /** The rows of the lines that are still open at the end. */
  end(): readonly CsvLine[] {
    const rows: CsvLine[] = [];
    while (this.#open.length > 0) rows.push(...this.#giveUp([]));
    return rows;
  }

  #hasRoomFor({ line, text }: Decoded): boolean {
    return line.rejected === undefined && text !== undefined && this.#open.length < MAX_LINES &&
      this.#openBytes + line.bytes.length < MAX_RECORD_BYTES;
  }

  #add(next: Decoded): void {
    this.#open.push(next);
    this.#openBytes += next.line.bytes.length + 1;
  }

  #clear(): void {
    this.#open = [];
    this.#openBytes = 0;
  }

  /** Rejects the first open line alone, and takes the others again. */
  #giveUp(following: readonly Decoded[]): readonly CsvLine[] {
    const [first, ...others] = this.#open;
    this.#clear();
    const rejected: CsvLine = { ok: false, line: first!.line, rejected: UNCLOSED };
    return [rejected, ...[...others, ...following].flatMap((other) => this.take(other))];
  }

  #row(lines: readonly Decoded[], fields: readonly string[] | Rejected): CsvLine {
    const line = joined(lines);
    if (!isFields(fields)) return { ok: false, line, rejected: fields };
    const columns = this.#columns;
    if (fields.length === columns.length) return { ok: true, line, row: rowOf(fields, columns) };
    return { ok: false, line, rejected: malformed(line, columns.length, fields.length) };
  }

  #split(lines: readonly Decoded[]): readonly string[] | Rejected {
    const { line, text } = lines[0]!;
    if (line.rejected !== undefined) return line.rejected;
    if (text === undefined) return NOT_UTF8;
    return splitRow(textOf(lines), this.#separator, this.#quotes);
  }
}

/** The text of a row's lines, with the blank lines between them. */
function textOf(lines: readonly Decoded[]): string {
  let whole = lines[0]!.text!;
  for (let n = 1; n < lines.length; n++) {
    const { line, text } = lines[n]!;
    whole += "\n".repeat(line.number - lines[n - 1]!.line.number) + text!;
  }
  return whole;
}

function joined(lines: readonly Decoded[]): Line {
  const { line } = lines[0]!;
  if (lines.length === 1) return line;
  const bytes = new TextEncoder().encode(textOf(lines));
  return { number: line.number, bytes, size: bytes.length };
}

function isFields(fields: readonly string[] | Rejected): fields is readonly string[] {
  return !("ok" in fields);
}

function rowOf(fields: readonly string[], columns: readonly string[]): Row {
  const row: Record<string, string> = {};
  for (let c = 0; c < columns.length; c++) row[columns[c]!] = fields[c]!;
  return row;
}

function malformed({ number }: Line, wanted: number, got: number): Rejected {
  return reject("malformed-row", `Cannot split line ${number} into ${wanted} fields: it has ${got}`);
}

/** Decodes all lines at once, which is faster. */
function decode(lines: readonly Line[], decoder: TextDecoder): readonly Decoded[] {
  const whole = new Uint8Array(lines.reduce((size, { bytes }) => size + bytes.length + 1, 0));
  let at = 0;
  for (const { bytes } of lines) {
    whole.set(bytes, at);
    at += bytes.length;
    whole[at++] = LF;
  }
  const texts = decodeOne(whole, decoder)?.split("\n") ?? lines.map(({ bytes }) => decodeOne(bytes, decoder));
  // Byte order marks are not part of a row, however many there are.
  return lines.map((line, n) => {
    const text = texts[n];
    return { line, text: text?.startsWith("\ufeff") ? text.replace(/^\ufeff+/, "") : text };
  });
}

function decodeOne(bytes: Uint8Array, decoder: TextDecoder): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined; // the caller reports it
  }
}
