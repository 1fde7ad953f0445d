/**
 * Categories and field values of items: lists of strings, of which a catalogue has few distinct ones.
 *
 * @module
 */

/** Most distinct lists that are shared. */
const MAX_LISTS = 1 << 14;

/** Turns equal lists into one object, so that what is cached by list is cached once for all items. */
export class SharedLists {
  readonly #lists = new Map<string, readonly (string | null)[]>();

  /** An equal list from an earlier call, else this one. */
  of<List extends readonly (string | null)[]>(list: List): List {
    const key = JSON.stringify(list);
    const known = this.#lists.get(key);
    if (known !== undefined) return known as List; // it has the same values
    if (this.#lists.size < MAX_LISTS) this.#lists.set(key, list);
    return list;
  }
}
