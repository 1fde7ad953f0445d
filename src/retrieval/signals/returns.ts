/**
 * Whether people come back to items. Where they do, lists may have what the user had already; where they do not, such
 * items would take the places of others.
 *
 * A *return* is a wanted behaviour with an item on which the user had acted in the same way, among the behaviours that are
 * kept: a purchase after a click is none. Behaviours of users who have done something before count, with n behaviours
 * before them, 10 / (10 + n), so that what one user says grows with the logarithm of what that user does.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";

/** Behaviours of a user after which one more counts half. */
const HALF = 10;
/** Weight of the behaviours that are remembered, in the mean. */
const KEPT = 5000;
/** Weight with which it begins, without a return. */
const BEGIN = 50;
/** Share of returns from which on people come back, and from which on they still do. */
export const RETURNS = 0.02;
const STILL_RETURNS = 0.01;

/** The share of returns, as a fold over a task's behaviours. */
export class Returns {
  #all = BEGIN;
  #returns = 0;
  #comeBack = false;
  readonly #given: boolean | undefined;

  /** @param given What was configured; `undefined` = the behaviours decide */
  constructor(given?: boolean) {
    this.#given = given;
  }

  /** Whether the behaviours decide. */
  get learns(): boolean {
    return this.#given === undefined;
  }

  /** Whether lists may have what the user had. */
  get expected(): boolean {
    return this.#given ?? this.#comeBack;
  }

  /** Learns from a wanted behaviour. @param before Behaviours of the user before it, at least 1 */
  learn(isReturn: boolean, before: number): void {
    const weight = HALF / (HALF + before);
    const kept = 1 - weight / KEPT;
    this.#all = kept * this.#all + weight;
    this.#returns = kept * this.#returns + (isReturn ? weight : 0);
    this.#comeBack = this.#returns >= (this.#comeBack ? STILL_RETURNS : RETURNS) * this.#all;
  }

  /** Writes everything. */
  encode(to: ByteWriter): void {
    to.f64(this.#all).f64(this.#returns).u8(this.#comeBack ? 1 : 0);
  }

  /** Reads what {@linkcode Returns.encode} wrote. */
  decode(from: ByteReader): void {
    this.#all = from.f64();
    this.#returns = from.f64();
    this.#comeBack = from.u8() === 1;
  }
}
