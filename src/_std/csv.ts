/**
 * The part of `@std/csv` that this project uses, over npm's csv-parse: the JSR registry is not reachable
 * from everywhere. Same names, same signatures, same errors; to use the real package, change its line in
 * deno.json.
 *
 * @module
 */

import { type CsvError, type Options, parse } from "csv-parse/stream";

/** Options of {@linkcode CsvParseStream}. */
export interface CsvParseStreamOptions {
  /** Character between fields. @default {","} */
  readonly separator?: string;
  /** Lines that begin with this character are skipped. */
  readonly comment?: string;
  /** Whether to drop white space before a field. @default {false} */
  readonly trimLeadingSpace?: boolean;
  /** Whether a quote may stand in an unquoted field. @default {false} */
  readonly lazyQuotes?: boolean;
  /** Fields of each record: 0 = as many as the first record has; negative or absent = any. */
  readonly fieldsPerRecord?: number;
  /** Whether to skip the first row; without `columns`, it names the fields. @default {false} */
  readonly skipFirstRow?: boolean;
  /** Names of the fields; rows become objects. */
  readonly columns?: readonly string[];
}

/** What a {@linkcode CsvParseStream} with options `T` yields: arrays, or objects when fields have names. */
export type RowType<T> = T extends { readonly columns: readonly (infer C extends string)[] }
  ? Record<C, string>
  : T extends { readonly skipFirstRow: true } ? Record<string, string>
  : string[];

/**
 * Parses text chunks of CSV into rows; blank lines and a byte order mark are skipped.
 *
 * A malformed row errors the stream with a `SyntaxError` that names the line; rows before it that nobody has
 * read yet may be lost with it.
 *
 * @example Rows as objects
 * ```ts
 * import { CsvParseStream } from "./csv.ts";
 * import assert from "node:assert/strict";
 *
 * const rows = ReadableStream.from(["user,item\n", "u1,i1\n"])
 *   .pipeThrough(new CsvParseStream({ skipFirstRow: true }));
 * assert.deepEqual(await Array.fromAsync(rows), [{ user: "u1", item: "i1" }]);
 * ```
 */
export class CsvParseStream<const T extends CsvParseStreamOptions | undefined = undefined>
  implements TransformStream<string, RowType<T>> {
  /** The rows. */
  readonly readable: ReadableStream<RowType<T>>;
  /** Where the text goes in. */
  readonly writable: WritableStream<string>;

  /** Makes a parser; see {@linkcode CsvParseStreamOptions}. */
  constructor(options?: T) {
    const encoder = new TextEncoderStream(); // csv-parse wants bytes
    this.writable = encoder.writable;
    this.readable = encoder.readable.pipeThrough(parse(toCsvParse(options ?? {})));
  }
}

function toCsvParse(options: CsvParseStreamOptions): Options {
  const { columns, skipFirstRow = false, fieldsPerRecord = -1 } = options;
  const named = columns !== undefined || skipFirstRow;
  return {
    bom: true,
    skip_empty_lines: true,
    record_delimiter: ["\r\n", "\n"],
    delimiter: options.separator ?? ",",
    ltrim: options.trimLeadingSpace ?? false,
    relax_quotes: options.lazyQuotes ?? false,
    relax_column_count: !named && fieldsPerRecord !== 0,
    columns: columns !== undefined ? [...columns] : skipFirstRow,
    from: columns !== undefined && skipFirstRow ? 2 : 1,
    ...(options.comment === undefined ? {} : { comment: options.comment, comment_no_infix: true }),
    ...(fieldsPerRecord > 0 && !named ? { on_record: requireFields(fieldsPerRecord) } : {}),
    // "Skipping" a bad record is csv-parse's only hook for errors: throwing from it replaces the error.
    skip_records_with_error: true,
    on_skip: (error: CsvError | undefined) => {
      throw new SyntaxError(`Syntax error on line ${error?.["lines"] ?? "?"}: ${error?.message}`, {
        cause: error,
      });
    },
  };
}

function requireFields(count: number): NonNullable<Options["on_record"]> {
  return (record, { lines }) => {
    if (record.length === count) return record;
    throw new SyntaxError(`Syntax error on line ${lines}: expected ${count} fields but got ${record.length}`);
  };
}
