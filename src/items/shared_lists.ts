/**
 * Categories and field values of items: lists of strings, of which a catalogue has few different ones.
 *
 * @module
 */

/** Most different lists that are remembered. */
const MAX_LISTS = 1 << 14;

/** Gives lists that say the same as one object, so that whoever remembers something of a list does so once for all items. */
export class SharedLists {
  readonly #lists = new Map<string, readonly (string | null)[]>();

  /** The list, or one that says the same and was there before. */
  of<List extends readonly (string | null)[]>(list: List): List {
    const key = JSON.stringify(list);
    const known = this.#lists.get(key);
    if (known !== undefined) return known as List; // it has the same values
    if (this.#lists.size < MAX_LISTS) this.#lists.set(key, list);
    return list;
  }
}
