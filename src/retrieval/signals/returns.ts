/**
 * Learns whether people return to items. If they do, lists may contain items that the user already had; if not, such
 * items would take the places of others.
 *
 * A *return* is a wanted behaviour with an item on which the user had acted in the same way, among the kept behaviours;
 * a purchase after a click is not one. A behaviour counts 10 / (10 + n) if the user has n ≥ 1 behaviours before it, so
 * a user's influence grows with the logarithm of their activity.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";

/** Number of a user's behaviours after which a further one counts half. */
const HALF = 10;
/** Total weight of the remembered behaviours. */
const KEPT = 5000;
/** Initial weight, without a return. */
const BEGIN = 50;
/** Share of returns above which people count as returning, and below which they no longer do. */
const RETURNS = 0.02;
const STILL_RETURNS = 0.01;

/** The share of returns, as a fold over a task's behaviours. */
export class Returns {
  #all = BEGIN;
  #returns = 0;
  #comeBack = false;
  readonly #given: boolean | undefined;

  /** @param given The configured value; `undefined` = the behaviours decide */
  constructor(given?: boolean) {
    this.#given = given;
  }

  get learns(): boolean {
    return this.#given === undefined;
  }

  /** Whether lists may contain items that the user already had. */
  get expected(): boolean {
    return this.#given ?? this.#comeBack;
  }

  /** Learns from a wanted behaviour. @param before Number of the user's earlier behaviours, at least 1 */
  learn(isReturn: boolean, before: number): void {
    const weight = HALF / (HALF + before);
    const kept = 1 - weight / KEPT;
    this.#all = kept * this.#all + weight;
    this.#returns = kept * this.#returns + (isReturn ? weight : 0);
    this.#comeBack = this.#returns >= (this.#comeBack ? STILL_RETURNS : RETURNS) * this.#all;
  }

  encode(to: ByteWriter): void {
    to.f64(this.#all).f64(this.#returns).u8(this.#comeBack ? 1 : 0);
  }

  decode(from: ByteReader): void {
    this.#all = from.f64();
    this.#returns = from.f64();
    this.#comeBack = from.u8() === 1;
  }
}
