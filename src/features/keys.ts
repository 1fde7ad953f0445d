/**
 * Keys of statistics by category or attribute value.
 *
 * @module
 */

/** Most keys in the cache; when it is full, all are dropped. */
const MAX_REMEMBERED = 8192;

/** Makes keys and caches them, so that users share strings, each of which is hashed only once. */
export class Keys {
  readonly #start: string;
  readonly #keys = new Map<string, string>();

  /** Makes keys that begin with `start`. */
  constructor(start: string) {
    this.#start = start;
  }

  of(value: string): string {
    return this.#keys.get(value) ?? this.#make(value);
  }

  #make(value: string): string {
    if (this.#keys.size === MAX_REMEMBERED) this.#keys.clear();
    const key = this.#start + value;
    this.#keys.set(value, key);
    return key;
  }
}
