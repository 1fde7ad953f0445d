/** Most entries that are kept from one list to the next. */
const MAX_ENTRIES = 8192;

/**
 * Finds repeated entries of lists. It keeps the last list of each entry instead of a set per list, which would be a tenth
 * of a request's garbage; results depend on the given list alone.
 */
export class DuplicateFinder {
  readonly #lastIn = new Map<unknown, number>();
  #lists = 0;

  /** Index of the first entry that equals an earlier one, or -1. O(n) for more than 16 entries. */
  find(values: readonly unknown[]): number {
    // Comparing all pairs needs no memory and is faster up to about 16 entries.
    if (values.length <= 16) return values.findIndex((value, i) => values.indexOf(value) < i);
    const lastIn = this.#lastIn;
    if (lastIn.size > MAX_ENTRIES) lastIn.clear();
    const list = ++this.#lists;
    for (let i = 0; i < values.length; i++) {
      if (lastIn.get(values[i]) === list) return i;
      lastIn.set(values[i], list);
    }
    return -1;
  }
}
