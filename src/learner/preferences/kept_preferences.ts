/**
 * A sample of all preferences so far, within a budget of bytes, from which preferences are drawn to be learnt again.
 *
 * Each preference has a number drawn uniformly from [0, 1), and is kept while that is below a threshold; whenever the
 * budget is full the threshold is halved. So the kept ones are a uniform sample of the whole past, whatever the sizes
 * of preferences, and the budget is three quarters full on average. A ring of the newest ones would forget rare cases.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { PairNames } from "../../nn/models/pair_head/pair_list.ts";
import type { Preference } from "../../samples/preference.ts";
import {
  decodePacked,
  encodePacked,
  packed,
  type PackedPreference,
  sizeOf,
  type TakenList,
  unpacked,
} from "./packed_preference.ts";

interface Kept {
  readonly preference: PackedPreference;
  readonly draw: number;
}

/** A uniform sample of all past preferences. */
export class KeptPreferences {
  readonly #budget: number;
  #kept: Kept[] = [];
  #bytes = 0;
  #threshold = 1;

  constructor(budgetBytes: number) {
    this.#budget = budgetBytes;
  }

  get size(): number {
    return this.#kept.length;
  }

  /** Memory that they take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The list of the kept preference at a place below `size`. @param names Names of the values of all of them */
  at(place: number, names: PairNames): TakenList {
    return unpacked(this.#kept[place]!.preference, names);
  }

  /** Keeps a preference if its draw is below the threshold. @param draw Uniform in [0, 1) */
  add(preference: Preference, draw: number): void {
    if (draw >= this.#threshold) return;
    this.#keep(packed(preference), draw);
    while (this.#bytes > this.#budget && this.#kept.length > 0) {
      this.#threshold /= 2;
      const kept = this.#kept.filter(({ draw }) => draw < this.#threshold);
      this.#kept = [];
      this.#bytes = 0;
      for (const { preference, draw } of kept) this.#keep(preference, draw);
    }
  }

  clear(): void {
    this.#kept = [];
    this.#bytes = 0;
    this.#threshold = 1;
  }

  /** Writes everything but the names. */
  encode(to: ByteWriter): void {
    to.f64(this.#threshold).uint(this.#kept.length);
    for (const { preference, draw } of this.#kept) encodePacked(to.f64(draw), preference);
  }

  /**
   * Reads what {@linkcode KeptPreferences.encode} wrote; it replaces the present state.
   *
   * @throws SyntaxError when it is not of these names
   */
  decode(from: ByteReader, names: PairNames): void {
    this.clear();
    this.#threshold = from.f64();
    for (let n = from.count(); n > 0; n--) {
      const draw = from.f64();
      this.#keep(decodePacked(from, names), draw);
    }
  }

  #keep(preference: PackedPreference, draw: number): void {
    this.#kept.push({ preference, draw });
    this.#bytes += sizeOf(preference);
  }
}
