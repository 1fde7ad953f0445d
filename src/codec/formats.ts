/**
 * Formats of records: a number at their beginning.
 *
 * @module
 */

/** The formats of one kind of record that this code reads; what it writes is among them. */
export interface Formats {
  /** The least. */
  readonly oldest: number;
  /** The largest. */
  readonly newest: number;
}

/** Formats above ours that may be of versions to come; others are no format at all. */
const COMING_FORMATS = 8;

/** Whether a record that cannot be decoded looks as if a newer version had encoded it. */
export function isNewerFormat([format = 0]: Uint8Array, { newest }: Formats): boolean {
  return format > newest && format <= newest + COMING_FORMATS;
}
