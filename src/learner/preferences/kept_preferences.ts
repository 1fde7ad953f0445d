/**
 * A sample of past preferences, within a budget of bytes, from which preferences are drawn to be learnt again.
 *
 * Each preference has a number drawn uniformly from [0, 1), which doubles with every 8,000 preferences after it, and is
 * kept while that is below a threshold; whenever the budget is full the threshold is halved. So one that is 8,000 older
 * is half as likely to be kept, whatever the sizes of preferences. A ring of the newest ones would forget rare cases; in
 * a uniform sample of the whole past, a taste that has changed would outweigh the present one for as long as it lasted.
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
  draw: number;
}

/** Preferences after which an earlier one is half as likely to be kept. */
const HALVED_AFTER = 8000;
/** With less than this share of the budget in use, the threshold grows with the numbers, up to 1. */
const SPARSE = 1 / 4;

/** A fading sample of past preferences. */
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

  /** The list of the kept preference at a place below `size`. @param names Names of their values */
  at(place: number, names: PairNames): TakenList {
    return unpacked(this.#kept[place]!.preference, names);
  }

  /** Keeps a preference if its draw is below the threshold. @param draw Uniform in [0, 1) */
  add(preference: Preference, draw: number): void {
    if (draw >= this.#threshold) return;
    this.#keep(packed(preference), draw);
    while (this.#bytes > this.#budget && this.#kept.length > 0) {
      this.#threshold /= 2;
      this.#thin();
    }
  }

  /** Ages what is kept. @param added Number of preferences that are about to be added */
  fade(added: number): void {
    const factor = 2 ** (added / HALVED_AFTER);
    for (const kept of this.#kept) kept.draw *= factor;
    if (this.#bytes < SPARSE * this.#budget) this.#threshold = Math.min(1, factor * this.#threshold);
    this.#thin();
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
   * @throws SyntaxError when it does not fit these names
   */
  decode(from: ByteReader, names: PairNames): void {
    this.clear();
    this.#threshold = from.f64();
    for (let n = from.count(); n > 0; n--) {
      const draw = from.f64();
      this.#keep(decodePacked(from, names), draw);
    }
  }

  /** Drops those whose draw is not below the threshold. */
  #thin(): void {
    const kept = this.#kept.filter(({ draw }) => draw < this.#threshold);
    if (kept.length === this.#kept.length) return;
    this.#kept = [];
    this.#bytes = 0;
    for (const { preference, draw } of kept) this.#keep(preference, draw);
  }

  #keep(preference: PackedPreference, draw: number): void {
    this.#kept.push({ preference, draw });
    this.#bytes += sizeOf(preference);
  }
}
