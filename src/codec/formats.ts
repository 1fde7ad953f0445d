/**
 * Formats of records: the number that they begin with.
 *
 * @module
 */

/** The formats of one kind of record that this code reads, among them those that it writes. */
export interface Formats {
  /** The least. */
  readonly oldest: number;
  /** The largest. */
  readonly newest: number;
}

/** Numbers up to this far above ours may be formats of later releases; larger ones are no formats. */
const COMING_FORMATS = 8;

/** Whether a record that cannot be decoded looks as if a newer version had encoded it. */
export function isNewerFormat([format = 0]: Uint8Array, { newest }: Formats): boolean {
  return format > newest && format <= newest + COMING_FORMATS;
}
