/** Entries that are remembered at most, beside those of the list in hand. */
const MAX_ENTRIES = 8192;

/**
 * Finds repeated entries of lists, one list after the other. It remembers the list that an entry was last in, for a set
 * of its own for each list would be a tenth of a request's garbage; what it answers depends on the list in hand alone.
 */
export class DuplicateFinder {
  readonly #lastIn = new Map<unknown, number>();
  #lists = 0;

  /** Index of the first entry that an earlier one equals, or -1. O(n) for more than 16 entries. */
  find(values: readonly unknown[]): number {
    // Comparing each with each needs no memory and wins up to about 16 entries.
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
