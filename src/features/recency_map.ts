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
  /** Of what stands between the newest and the oldest there is none. */
  value: V | undefined;
  older: Entry<V>;
  newer: Entry<V>;
}

class Ends<V> implements Entry<V> {
  readonly key = "";
  value: undefined;
  older: Entry<V> = this;
  newer: Entry<V> = this;
}

/** Keys and values, least recently put first. */
export class RecencyMap<V> {
  readonly #entries = new Map<string, Entry<V>>();
  /** Stands between the newest and the oldest. */
  readonly #ends = new Ends<V>();

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

  /** Calls `use` with each entry, in their order. */
  forEach(use: (key: string, value: V) => void): void {
    for (let entry: Entry<V> = this.#ends.newer; entry !== this.#ends; entry = entry.newer) {
      use(entry.key, entry.value as V);
    }
  }
}

function unlink<V>({ older, newer }: Entry<V>): void {
  older.newer = newer;
  newer.older = older;
}
