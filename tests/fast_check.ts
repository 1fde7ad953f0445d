/**
 * fast-check, with arrays and texts of up to `maxLength`. By default it stops at ten, however many more a test allows.
 *
 * Draws are the same in each run, so that what has passed once fails only after a change. Every run makes two fifths of
 * them, a thorough one (./breadth.ts) all. To look for what they miss,
 * `MEANDER_DRAW_SECONDS=60 deno test -A tests/engine` draws for a minute per property, from random seeds.
 *
 * @module
 */

import * as library from "@fast-check";
import { breadth } from "./breadth.ts";

export * from "@fast-check";
export * as default from "./fast_check.ts";

/** How many of the draws that a test asks for are made. */
const SHARE = breadth(0.4, 1);
/** How many a test asks for that names no number. */
const DRAWS = 100;
const SECONDS = Number(Deno.env.get("MEANDER_DRAW_SECONDS") ?? 0);
/** Where all draws start. */
const SEED = 1;
/** Stops a search by its time, while memory for the counts of its draws is still small. */
const MOST_DRAWS = 10_000_000;

library.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true, ...(SECONDS > 0 ? {} : { seed: SEED }) });

/** Like `assert` of fast-check with a share of its draws; in a search, draws until the time is over. */
export function assert<T>(
  property: library.IAsyncProperty<T>,
  options?: library.Parameters<T>,
): Promise<void>;
export function assert<T>(property: library.IProperty<T>, options?: library.Parameters<T>): void;
export function assert<T>(
  property: library.IAsyncProperty<T> | library.IProperty<T>,
  options?: library.Parameters<T>,
): Promise<void> | void {
  const draws = SECONDS > 0
    ? { numRuns: MOST_DRAWS, interruptAfterTimeLimit: SECONDS * 1000 }
    : { numRuns: Math.ceil(SHARE * (options?.numRuns ?? DRAWS)) };
  return library.assert(property as library.IAsyncProperty<T>, { ...options, ...draws });
}
