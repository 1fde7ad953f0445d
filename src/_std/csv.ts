/**
 * The part of `@std/csv` that this project uses, over npm's csv-parse: the JSR registry cannot be reached from
 * everywhere. Same names and behaviour; to use the real package, change its line in deno.json.
 *
 * @module
 */

import { type CsvError, type Options, parse } from "csv-parse/stream";

/** Options of {@linkcode CsvParseStream}. */
export interface CsvParseStreamOptions {
  /** Character between fields. @default {","} */
  readonly separator?: string;
  /** Fields that each record must have. @default {any number} */
  readonly fieldsPerRecord?: number;
  /** Whether the first row names the fields; the others become objects. @default {false} */
  readonly skipFirstRow?: boolean;
}

/** What a {@linkcode CsvParseStream} with options `T` yields: arrays, or objects when fields have names. */
export type RowType<T> = T extends { readonly skipFirstRow: true } ? Record<string, string> : string[];

/**
 * Parses text chunks of CSV into rows; blank lines are skipped.
 *
 * A malformed row errors the stream, in most cases with a `SyntaxError`; the message names the line. Rows before it
 * that nobody has read yet may be lost with it.
 *
 * @example Rows as objects
 * ```ts
 * import { CsvParseStream } from "@std/csv";
 * import assert from "node:assert/strict";
 *
 * const rows = ReadableStream.from(["user,item\n", "u1,i1\n"])
 *   .pipeThrough(new CsvParseStream({ skipFirstRow: true }));
 * assert.deepEqual(await Array.fromAsync(rows), [{ user: "u1", item: "i1" }]);
 * ```
 */
export class CsvParseStream<const T extends CsvParseStreamOptions | undefined = undefined>
  implements TransformStream<string, RowType<T>> {
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

function toCsvParse(
  { separator = ",", fieldsPerRecord, skipFirstRow = false }: CsvParseStreamOptions,
): Options {
  return {
    skip_empty_lines: true,
    record_delimiter: ["\r\n", "\n"],
    delimiter: separator,
    relax_column_count: !skipFirstRow,
    columns: skipFirstRow,
    ...(fieldsPerRecord === undefined ? {} : { on_record: requireFields(fieldsPerRecord) }),
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
