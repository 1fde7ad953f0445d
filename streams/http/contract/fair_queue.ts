/**
 * A bounded queue that callers share fairly: none can fill it against the others, and each has its turn.
 *
 * @module
 */

/** Entries by caller. When full, an entry of the caller with the most makes way for one of a caller with few. */
export class FairQueue<Entry> {
  readonly #most: number;
  /** By caller, oldest first; callers in the order of their turns. */
  readonly #entries = new Map<string, Entry[]>();
  #size = 0;

  /** Makes an empty queue. @param most maximum number of entries */
  constructor(most: number) {
    this.#most = most;
  }

  /** Number of entries. */
  get size(): number {
    return this.#size;
  }

  /** The oldest entry of the caller whose turn it is. */
  get first(): Entry | undefined {
    for (const [entry] of this.#entries.values()) return entry;
    return undefined;
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (const own of this.#entries.values()) yield* own;
  }

  /**
   * Adds an entry.
   *
   * @returns the entry that is dropped: if the queue is full, the newest of the caller with the most, or the given
   * entry if its own caller would then have as many
   */
  push(caller: string, entry: Entry): Entry | undefined {
    const own = this.#entries.get(caller) ?? [];
    let left: Entry | undefined;
    if (this.#size >= this.#most) {
      const [greedy, most] = this.#greediest();
      if (most.length <= own.length + 1) return entry;
      left = most.at(-1);
      this.delete(greedy, left!);
    }
    own.push(entry);
    this.#entries.set(caller, own);
    this.#size++;
    return left;
  }

  /** Removes an entry, if it is still in the queue. */
  delete(caller: string, entry: Entry): void {
    const own = this.#entries.get(caller);
    const at = own?.indexOf(entry) ?? -1;
    if (own === undefined || at === -1) return;
    own.splice(at, 1);
    this.#size--;
    if (own.length === 0) this.#entries.delete(caller);
  }

  /** Removes the first entry; then it is another caller's turn. */
  shift(): void {
    for (const [caller, own] of this.#entries) {
      this.#entries.delete(caller);
      this.#entries.set(caller, own);
      return this.delete(caller, own[0]!);
    }
  }

  #greediest(): readonly [caller: string, entries: readonly Entry[]] {
    let greediest: readonly [string, readonly Entry[]] = ["", []];
    for (const one of this.#entries) if (one[1].length > greediest[1].length) greediest = one;
    return greediest;
  }
}
