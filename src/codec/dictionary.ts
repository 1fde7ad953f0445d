/**
 * The strings of a record, each written once and named by its number: ids repeat a lot within one state or
 * sample.
 *
 * @module
 */

import type { ByteReader } from "./byte_reader.ts";
import type { ByteWriter } from "./byte_writer.ts";

/**
 * Numbers strings in the order of their first use.
 *
 * @example
 * ```ts
 * import { ByteReader } from "./byte_reader.ts";
 * import { ByteWriter } from "./byte_writer.ts";
 * import { Dictionary, readDictionary } from "./dictionary.ts";
 * import assert from "node:assert/strict";
 *
 * const dictionary = new Dictionary();
 * assert.deepEqual(["a", "b", "a"].map((id) => dictionary.index(id)), [0, 1, 0]);
 * const writer = new ByteWriter();
 * dictionary.encode(writer);
 * const at = readDictionary(new ByteReader(writer.toBytes()));
 * assert.equal(at(1), "b");
 * assert.throws(() => at(2), SyntaxError);
 * ```
 */
export class Dictionary {
  readonly #indices = new Map<string, number>();

  /** The number of a string, which it has from now on. */
  index(value: string): number {
    const known = this.#indices.get(value);
    if (known !== undefined) return known;
    this.#indices.set(value, this.#indices.size);
    return this.#indices.size - 1;
  }

  /** Writes the strings in the order of their numbers. */
  encode(to: ByteWriter): void {
    to.uint(this.#indices.size);
    for (const value of this.#indices.keys()) to.string(value);
  }
}

/**
 * Reads a dictionary; the function that it returns looks a number up.
 *
 * @throws {SyntaxError} if the bytes are not a dictionary; the function, if there is no such number
 */
export function readDictionary<T = string>(
  from: ByteReader,
  decode: (value: string) => T = (value) => value as T,
): (index: number) => T {
  const values = Array.from({ length: from.count() }, () => decode(from.string()));
  return (index) => {
    const value = values[index];
    if (value === undefined) {
      throw new SyntaxError(`Cannot decode string ${index} of a record: it has ${values.length} strings`);
    }
    return value;
  };
}
