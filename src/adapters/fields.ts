/**
 * Typed values of the text fields of a row. They throw a `SyntaxError` that names the column.
 *
 * @module
 */

/** A row of a text format: fields by column. */
export type Row = Readonly<Record<string, string>>;

/** The text of a field. @throws SyntaxError when it is missing or empty. */
export function textOf(row: Row, column: string): string {
  const text = row[column];
  if (text === undefined || text === "") throw fieldError(column, "text", text);
  return text;
}

/** An integer. @throws SyntaxError when the field is anything else, or not within `minimum`..`maximum`. */
export function integerOf(row: Row, column: string, minimum = 0, maximum = Number.MAX_SAFE_INTEGER): number {
  const text = row[column];
  const value = /^-?[0-9]{1,16}$/.test(text ?? "") ? Number(text) : NaN;
  if (value >= minimum && value <= maximum) return value;
  throw fieldError(column, `an integer ${minimum}..${maximum}`, text);
}

/** A finite number. @throws SyntaxError when the field is anything else, or not within `minimum`..`maximum`. */
export function numberOf(row: Row, column: string, minimum = -Infinity, maximum = Infinity): number {
  const text = row[column];
  const value = /^[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,3})?$/.test(text ?? "") ? Number(text) : NaN;
  if (Number.isFinite(value) && value >= minimum && value <= maximum) return value;
  throw fieldError(column, minimum === -Infinity ? "a number" : `a number ${minimum}..${maximum}`, text);
}

function fieldError(column: string, wanted: string, got: string | undefined): SyntaxError {
  const current = got === undefined
    ? "it is missing"
    : `current value is ${JSON.stringify(got.slice(0, 60))}`;
  return new SyntaxError(`Cannot take column ${column} as ${wanted}: ${current}`);
}
