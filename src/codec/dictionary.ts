/**
 * The strings of a record, each written once and referred to by number: ids recur often within a state or sample.
 */

import type { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";
import { times } from "../values/times.ts";

/** Most strings of earlier records that are kept. */
const MAX_PLACES = 1 << 14;

/** Numbers strings in the order of their first use. */
export class Dictionary {
  /** A place per string, of this record or an earlier one. */
  readonly #places = new Map<string, number>();
  /** By place: the last record with the string, and its number there. */
  readonly #records: number[] = [];
  readonly #numbers: number[] = [];
  #record = 0;
  #strings: string[] = [];

  /** The number of a string; assigned at its first use. */
  index(value: string): number {
    let place = this.#places.get(value);
    if (place === undefined) {
      place = this.#places.size;
      this.#places.set(value, place);
    } else if (this.#records[place] === this.#record) {
      return this.#numbers[place]!;
    }
    this.#records[place] = this.#record;
    return this.#numbers[place] = this.#strings.push(value) - 1;
  }

  /** Writes the strings in the order of their numbers. */
  encode(to: ByteWriter): void {
    to.uint(this.#strings.length);
    for (const value of this.#strings) to.string(value);
  }

  /** Begins another record. Keeps strings of earlier ones up to a bound, as they repeat. */
  reset(): void {
    this.#record++;
    this.#strings = [];
    if (this.#places.size > MAX_PLACES) this.forget();
  }

  forget(): void {
    this.#strings = [];
    this.#places.clear();
    this.#records.length = this.#numbers.length = 0;
  }
}

/**
 * Reads a dictionary, and returns a look-up by number.
 *
 * @throws {SyntaxError} if the bytes are not a dictionary; the look-up, if there is no such number
 */
export function readDictionary(from: ByteReader): (index: number) => string;
/** As above, with each string decoded. */
export function readDictionary<T>(from: ByteReader, decode: (value: string) => T): (index: number) => T;
export function readDictionary(
  from: ByteReader,
  decode: (value: string) => unknown = (value) => value,
): (index: number) => unknown {
  const values = times(from.count(), () => decode(from.string()));
  return (index) => {
    const value = values[index];
    if (value === undefined) {
      throw new SyntaxError(`Cannot decode string ${index} of a record: it has ${values.length} strings`);
    }
    return value;
  };
}
