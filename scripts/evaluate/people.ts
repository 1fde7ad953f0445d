/**
 * The history of users, as far as the protocol and the baselines need it.
 *
 * @module
 */

/** Number of newest behaviours given to baselines. */
const NEWEST = 50;

/** Ids in order of first appearance. */
export class Numbers {
  readonly #numbers = new Map<string, number>();
  readonly #ids: string[] = [];

  get size(): number {
    return this.#ids.length;
  }

  /** The number of an id, if it was seen. */
  get(id: string): number | undefined {
    return this.#numbers.get(id);
  }

  /** The number of an id, which is added if it is new. */
  of(id: string): number {
    let number = this.#numbers.get(id);
    if (number === undefined) this.#numbers.set(id, number = this.#ids.push(id) - 1);
    return number;
  }

  id(number: number): string {
    return this.#ids[number]!;
  }
}

/** The history of a user. */
export interface Past {
  count: number;
  /** All items, most recent last. */
  readonly items: Set<number>;
  /** Items of the newest behaviours, newest first. */
  readonly newest: number[];
}

/** All users, by number. O(users × items of each). */
export class People {
  readonly #pasts: Past[] = [];

  /** The past of a user; empty for a new one. */
  of(user: number): Past {
    return this.#pasts[user] ??= { count: 0, items: new Set(), newest: [] };
  }

  /** Appends a behaviour. */
  add(user: number, item: number): void {
    const past = this.of(user);
    past.count++;
    past.items.delete(item);
    past.items.add(item);
    past.newest.unshift(item);
    if (past.newest.length > NEWEST) past.newest.pop();
  }
}
