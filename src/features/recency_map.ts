/**
 * A map by string whose entries are in the order in which they were last put. A `Map` whose keys are deleted and set
 * again is that, too, but makes its whole table anew each time it is full of what was deleted.
 *
 * ```text
 *   ┌──────────────────────────────────────────────┐
 *   └─ ends ── oldest ── ... ── ... ── newest ─────┘     older ── newer
 * ```
 *
 * @module
 */

interface Entry<V> {
  readonly key: string;
  value: V;
  older: Entry<V>;
  newer: Entry<V>;
}

/** Keys and values, least recently put first. */
export class RecencyMap<V> implements Iterable<readonly [string, V]> {
  readonly #entries = new Map<string, Entry<V>>();
  /** Stands between the newest and the oldest entry; has no value. */
  readonly #ends: Entry<V>;

  /** Begins empty. */
  constructor() {
    const ends = { key: "", value: undefined } as unknown as Entry<V>;
    ends.older = ends.newer = ends;
    this.#ends = ends;
  }

  /** Number of entries. */
  get size(): number {
    return this.#entries.size;
  }

  /** The value of a key, whose place stays. */
  get(key: string): V | undefined {
    return this.#entries.get(key)?.value;
  }

  /** Puts a value last. */
  put(key: string, value: V): void {
    const ends = this.#ends;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { key, value, older: ends, newer: ends };
      this.#entries.set(key, entry);
    } else {
      entry.value = value;
      unlink(entry);
    }
    entry.older = ends.older;
    entry.newer = ends;
    ends.older.newer = entry;
    ends.older = entry;
  }

  /** Drops the first entry, if there is one. */
  dropOldest(): void {
    const oldest = this.#ends.newer;
    if (oldest === this.#ends) return;
    unlink(oldest);
    this.#entries.delete(oldest.key);
  }

  /** The entries in their order. */
  *[Symbol.iterator](): Generator<readonly [string, V], void, undefined> {
    for (let entry = this.#ends.newer; entry !== this.#ends; entry = entry.newer) {
      yield [entry.key, entry.value];
    }
  }
}

function unlink<V>({ older, newer }: Entry<V>): void {
  older.newer = newer;
  newer.older = older;
}
