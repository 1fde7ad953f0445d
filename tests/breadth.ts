/**
 * How far tests go: as far as every run can afford, or, with `deno task test --thorough`, as far as was worth going once.
 *
 * @module
 */

const isThorough = Deno.env.get("BREADTH_OF_TESTS") === "thorough";

/** What this run tries. @param always in every run @param thorough on demand, as before a release */
export function breadth<T>(always: T, thorough: T): T {
  return isThorough ? thorough : always;
}

/** The first of each `n` in every run, all on demand. */
export function oneIn<T>(n: number, all: readonly T[]): readonly T[] {
  return all.filter((_, at) => at % breadth(n, 1) === 0);
}
