/**
 * The lists of strings of a record, each written once and named by its number: the categories of items come again with
 * each behaviour and each candidate.
 *
 * @module
 */

import type { ByteWriter } from "./byte_writer.ts";
import { Dictionary } from "./dictionary.ts";

/** Lists of earlier records to keep in mind. */
const MAX_LISTS = 1 << 12;

/** A list in words, with its number in the record that it was last in. */
interface ListEntry {
  readonly json: string;
  record: number;
  number: number;
}

/** Lists of strings by their JSON; one that many rows share, or many records, is put into words once. */
export class ListDictionary {
  readonly #dictionary = new Dictionary();
  readonly #entries = new Map<readonly (string | null)[], ListEntry>();
  #record = 0;

  /** The number of a list, which it has from now on. */
  index(list: readonly (string | null)[]): number {
    let entry = this.#entries.get(list);
    if (entry === undefined) {
      entry = { json: JSON.stringify(list), record: -1, number: 0 };
      this.#entries.set(list, entry);
    }
    if (entry.record !== this.#record) {
      entry.record = this.#record;
      entry.number = this.#dictionary.index(entry.json);
    }
    return entry.number;
  }

  /** Writes the lists in the order of their numbers. */
  encode(to: ByteWriter): void {
    this.#dictionary.encode(to);
  }

  /** Forgets the lists of all records. */
  forget(): void {
    this.#dictionary.forget();
    this.#entries.clear();
  }

  /** Begins another record. Keeps in mind the lists of those before, up to a bound: they come again. */
  reset(): void {
    this.#record++;
    this.#dictionary.reset();
    if (this.#entries.size > MAX_LISTS) this.#entries.clear();
  }
}
