/** The clock of a comparison: users, unless they come to vary much more than they did at first. */

import type { ByteReader } from "../codec/byte_reader.ts";
import type { ByteWriter } from "../codec/byte_writer.ts";
import type { Effect } from "./effect.ts";
import { conversionsOf, MIN_CONVERSIONS } from "./evidence.ts";

/** Growth of the spread that the clock ignores: a margin for a first spread that is too low by chance. */
const USUAL_GROWTH = 2;

/**
 * The information of a comparison, in users of the first spread.
 *
 * The difference of two arms is a walk whose variance is users · spread. A boundary over users holds if the spread stays.
 * If people do more and more, the walk runs through many more of its time scales than the boundary was made for, so from
 * twice the first spread on the clock follows the variance.
 */
export function informationOf(effect: Effect, firstSpread: number | undefined): number {
  const { control, variant } = effect;
  const users = control.users + variant.users;
  return firstSpread === undefined
    ? users
    : users * Math.max(1, spreadOf(effect) / (USUAL_GROWTH * firstSpread));
}

/** The spread of a comparison from which a verdict is possible; 0 = none is. */
export function possibleSpread(effect: Effect, minUsers: number): number {
  const users = Math.min(effect.control.users, effect.variant.users);
  return users < minUsers || conversionsOf(effect) < MIN_CONVERSIONS ? 0 : spreadOf(effect);
}

/**
 * The spread of the difference: its variance is s/m + t/n for m and n users of spreads s and t, which is 1/m + 1/n times
 * this. It is mostly that of the smaller arm.
 */
function spreadOf({ control, variant }: Effect): number {
  return (variant.users * control.spread + control.users * variant.spread) /
    (control.users + variant.users);
}

/**
 * The spreads of comparisons when they first became possible. It looks when the number of lists is a power of two or
 * three times one, so a stream gives the same spreads however often somebody looks.
 */
export class FirstSpreads {
  #lists = 0;
  /** By comparison; 0 = not yet. */
  readonly #spreads: Float64Array;

  constructor(comparisons: number) {
    this.#spreads = new Float64Array(comparisons);
  }

  /** Counts a list. @param spread See {@linkcode possibleSpread}. */
  update(spread: (comparison: number) => number): void {
    if (!isRound(++this.#lists)) return;
    for (const [at, known] of this.#spreads.entries()) if (known === 0) this.#spreads[at] = spread(at);
  }

  get(comparison: number): number | undefined {
    return this.#spreads[comparison] || undefined;
  }

  encode(to: ByteWriter): void {
    to.uint(this.#lists).f64s(this.#spreads);
  }

  decode(from: ByteReader): void {
    this.#lists = from.uint();
    this.#spreads.set(from.f64s(this.#spreads.length));
  }
}

/** Whether it is 2ᵏ or 3 · 2ᵏ. */
function isRound(lists: number): boolean {
  const exponent = Math.log2(lists % 3 === 0 ? lists / 3 : lists);
  return exponent === Math.floor(exponent);
}
