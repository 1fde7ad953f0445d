/** A bounded queue that callers share fairly: none can fill it against the others, and each has its turn. */

import { groupOf } from "./clients.ts";

/** The entries of callers, oldest first; callers in the order of their turns. */
type Callers<Entry> = Map<string, Entry[]>;

/**
 * Entries by group of callers (`groupOf`) and by caller: groups take turns, and so do callers within their group. When it
 * is full, an entry of the group with the most makes way for one of a group with few, else one of the caller with the
 * most of its own group.
 */
export class FairQueue<Entry> {
  readonly #most: number;
  /** In the order of their turns. */
  readonly #groups = new Map<string, Callers<Entry>>();
  #size = 0;

  /** Makes an empty queue. @param most maximum number of entries */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  /** The oldest entry of the caller whose turn it is. */
  get first(): Entry | undefined {
    for (const entry of this) return entry;
    return undefined;
  }

  *[Symbol.iterator](): Generator<Entry> {
    for (const callers of this.#groups.values()) for (const own of callers.values()) yield* own;
  }

  /**
   * Adds an entry.
   *
   * @returns the entry that is dropped: if the queue is full, the newest of the caller with the most in the group with the
   * most, or in its own group; or the given entry if its own caller would then have as many
   */
  push(caller: string, entry: Entry): Entry | undefined {
    const name = groupOf(caller);
    const group = this.#groups.get(name) ?? new Map<string, Entry[]>();
    const own = group.get(caller) ?? [];
    let left: Entry | undefined;
    if (this.#size >= this.#most) {
      const [, largest = group] = largestOf(this.#groups, sizeOf) ?? [];
      const from = sizeOf(largest) > sizeOf(group) + 1 ? largest : group;
      const [greedy = "", most = []] = largestOf(from, ({ length }) => length) ?? [];
      if (from === group && most.length <= own.length + 1) return entry;
      left = most.at(-1);
      this.delete(greedy, left!);
    }
    own.push(entry);
    this.#groups.set(name, group.set(caller, own));
    this.#size++;
    return left;
  }

  /** Removes an entry, if it is still in the queue. */
  delete(caller: string, entry: Entry): void {
    const name = groupOf(caller);
    const group = this.#groups.get(name);
    const own = group?.get(caller);
    const at = own?.indexOf(entry) ?? -1;
    if (group === undefined || own === undefined || at === -1) return;
    own.splice(at, 1);
    this.#size--;
    if (own.length === 0) group.delete(caller);
    if (group.size === 0) this.#groups.delete(name);
  }

  /** Removes the first entry; then it is the turn of another group, and of another caller of its group. */
  shift(): void {
    for (const [name, group] of this.#groups) {
      for (const [caller, own] of group) {
        toEnd(group, caller, own);
        toEnd(this.#groups, name, group);
        return this.delete(caller, own[0]!);
      }
    }
  }
}

function sizeOf(callers: Callers<unknown>): number {
  let size = 0;
  for (const own of callers.values()) size += own.length;
  return size;
}

/** The first of the largest. */
function largestOf<Value>(
  map: ReadonlyMap<string, Value>,
  sizeOf: (value: Value) => number,
): readonly [name: string, value: Value] | undefined {
  let largest: readonly [string, Value] | undefined;
  let most = 0;
  for (const one of map) {
    const size = sizeOf(one[1]);
    if (size > most) [largest, most] = [one, size];
  }
  return largest;
}

/** Makes a turn the last one. */
function toEnd<Value>(turns: Map<string, Value>, name: string, value: Value): void {
  turns.delete(name);
  turns.set(name, value);
}
