/**
 * The lists of strings of a record, each written once and referred to by number: categories repeat with each behaviour
 * and candidate.
 */

import type { ByteWriter } from "./byte_writer.ts";
import { Dictionary } from "./dictionary.ts";

/** Most lists of earlier records that are kept. */
const MAX_LISTS = 1 << 12;

/** A list as JSON, with its last record and its number there. */
interface ListEntry {
  readonly json: string;
  record: number;
  number: number;
}

/** Numbers lists of strings by their JSON; a list object that rows or records share is serialised once. */
export class ListDictionary {
  readonly #dictionary = new Dictionary();
  readonly #entries = new Map<readonly (string | null)[], ListEntry>();
  #record = 0;

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

  forget(): void {
    this.#dictionary.forget();
    this.#entries.clear();
  }

  /** Begins another record. Keeps lists of earlier ones up to a bound, as they repeat. */
  reset(): void {
    this.#record++;
    this.#dictionary.reset();
    if (this.#entries.size > MAX_LISTS) this.#entries.clear();
  }
}
