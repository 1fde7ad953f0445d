/**
 * fast-check, with arrays and texts of up to `maxLength`. By default it stops at ten, however many more a test allows.
 *
 * Draws are the same in each run, so that what has passed once fails only after a change. To look for what they miss,
 * `MEANDER_DRAW_SECONDS=60 deno test -A tests/engine` draws for a minute per property, from random seeds.
 *
 * @module
 */

import * as library from "@fast-check";

export * from "@fast-check";
export * as default from "./fast_check.ts";

const SECONDS = Number(Deno.env.get("MEANDER_DRAW_SECONDS") ?? 0);
/** Where all draws start. */
const SEED = 1;
/** Stops a search by its time, while memory for the counts of its draws is still small. */
const MOST_DRAWS = 10_000_000;

library.configureGlobal({ defaultSizeToMaxWhenMaxSpecified: true, ...(SECONDS > 0 ? {} : { seed: SEED }) });

/** Like `assert` of fast-check; in a search, draws until the time is over, however many draws a test asks for. */
export function assert<T>(
  property: library.IAsyncProperty<T>,
  options?: library.Parameters<T>,
): Promise<void>;
export function assert<T>(property: library.IProperty<T>, options?: library.Parameters<T>): void;
export function assert<T>(
  property: library.IAsyncProperty<T> | library.IProperty<T>,
  options?: library.Parameters<T>,
): Promise<void> | void {
  const search = SECONDS > 0 ? { numRuns: MOST_DRAWS, interruptAfterTimeLimit: SECONDS * 1000 } : {};
  return library.assert(property as library.IAsyncProperty<T>, { ...options, ...search });
}
