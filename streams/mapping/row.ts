/** Rows of text as records, whose fields are texts; empty ones count as missing. */

import { type ParsedJson, rejectLarge } from "../../src/events/json.ts";
import { MAX_RECORD_BYTES } from "../../src/events/limits.ts";
import { reject, type Rejected } from "../../src/events/rejected.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const QUOTE = '"';
/** Characters that separate the fields of a row. */
export const SEPARATORS = [",", ";", "\t", "|"] as const;

export type Separator = (typeof SEPARATORS)[number];

/** The rejection of a row whose last quote is not closed. */
export const UNCLOSED: Rejected = reject(
  "malformed-row",
  "Cannot parse the row as CSV: a quote is not closed",
);

const NO_HEADER = reject(
  "malformed-row",
  'Cannot name the fields of the row: it has no header: set "columns" of its source',
);

/** The separator of a file: the one that splits its header into the most fields. */
export function separatorOf(header: string): Separator {
  const parts = (separator: Separator) => header.split(separator).length;
  return SEPARATORS.reduce((best, next) => parts(next) > parts(best) ? next : best);
}

export function readRow(
  bytes: Uint8Array,
  columns: readonly string[],
  { separator, quotes }: { readonly separator: string; readonly quotes: boolean },
): ParsedJson {
  if (bytes.length > MAX_RECORD_BYTES) return rejectLarge(bytes.length, "row");
  if (columns.length === 0) return NO_HEADER;
  let text: string;
  try {
    text = DECODER.decode(bytes);
  } catch {
    return reject("invalid-utf8", "Cannot decode the row as UTF-8: it contains invalid bytes");
  }
  const fields = splitRow(text.replace(/\r?\n$/, ""), separator, quotes);
  if ("ok" in fields) return fields;
  if (fields.length !== columns.length) {
    return reject(
      "malformed-row",
      `Cannot split the row into ${columns.length} fields: it has ${fields.length}`,
    );
  }
  return { ok: true, value: rowValue(columns, fields) };
}

/** @throws SyntaxError when the header of a file is one column that contains another separator, or has one twice */
export function checkHeader(place: string, columns: readonly string[]): void {
  const [first = "", ...others] = columns;
  const twice = repeatedIn(columns);
  if (twice !== undefined) {
    throw new SyntaxError(
      `Cannot read ${place} as the header: it names column ${twice} twice; give every column of the file a name of its own`,
    );
  }
  const found = SEPARATORS.find((separator) => first.includes(separator));
  if (found === undefined || others.length > 0) return;
  const column = JSON.stringify(first.slice(0, 60));
  throw new SyntaxError(
    `Cannot read ${place} as the header: it is one column, ${column}; set "separator" to ${
      JSON.stringify(found)
    }, ` +
      `or "format" to "csv", which detects it`,
  );
}

/** Names of columns that nothing reads: any number may have them. */
const UNREAD = new Set(["", "_"]);

/** A name that columns have twice. */
export function repeatedIn(columns: readonly string[]): string | undefined {
  const seen = new Set<string>(); // a header may have as many names as fit in a record
  return columns.find((name) => !UNREAD.has(name) && seen.size === seen.add(name).size);
}

function rowValue(
  columns: readonly string[],
  fields: readonly string[],
): Readonly<Record<string, string>> {
  const value: Record<string, string> = Object.create(null);
  for (let c = 0; c < columns.length; c++) if (fields[c] !== "") value[columns[c]!] = fields[c]!;
  return value;
}

/** The fields of a line by RFC 4180: a quoted field ends at a quote that is not doubled. */
export function splitRow(text: string, separator: string, quotes: boolean): readonly string[] | Rejected {
  if (!quotes || !text.includes(QUOTE)) return text.split(separator);
  const fields: string[] = [];
  for (let at = 0;;) {
    const isQuoted = text.startsWith(QUOTE, at);
    const end = isQuoted ? endOfQuoted(text, at + 1) : endOfPlain(text, separator, at);
    if (end < 0) return UNCLOSED;
    const field = text.slice(isQuoted ? at + 1 : at, isQuoted ? end - 1 : end);
    if (!isQuoted && field.includes(QUOTE)) {
      return reject(
        "malformed-row",
        `Cannot parse the row as CSV: field ${fields.length + 1} contains a quote`,
      );
    }
    fields.push(isQuoted ? field.replaceAll('""', QUOTE) : field);
    if (end === text.length) return fields;
    if (!text.startsWith(separator, end)) {
      return reject(
        "malformed-row",
        `Cannot parse the row as CSV: field ${fields.length} continues after its closing quote`,
      );
    }
    at = end + separator.length;
  }
}

function endOfPlain(text: string, separator: string, at: number): number {
  const end = text.indexOf(separator, at);
  return end < 0 ? text.length : end;
}

/** Index after the closing quote of a field whose text begins at `at`; −1 without one. */
function endOfQuoted(text: string, at: number): number {
  for (let end = text.indexOf(QUOTE, at); end >= 0; end = text.indexOf(QUOTE, end + 2)) {
    if (text[end + 1] !== QUOTE) return end + 1;
  }
  return -1;
}
