/**
 * The results of all requested lists, in columns: some 30 bytes per query with 20 methods.
 *
 * @module
 */

/** The parts of a query that all methods share. */
export interface Judged {
  /** Number of the behaviour in the stream, from 0. */
  readonly at: number;
  /** Number of the user, from 0. */
  readonly user: number;
  /** Earlier behaviours of the user. */
  readonly userAge: number;
  /** Earlier behaviours with the item, of all users. */
  readonly itemAge: number;
  /** Whether the user had the item before. */
  readonly isReturn: boolean;
}

/** How different the lists of a method are. */
export interface Variety {
  /** Items that were on any list. */
  readonly items: number;
  /** Mean over places of −log₂(share of all behaviours until then with the item), bits. */
  readonly novelty: number;
}

export class Judgements {
  readonly methods: readonly string[];
  /** Number of queries. */
  length = 0;
  #at = new Uint32Array(1024);
  #users = new Uint32Array(1024);
  #userAges = new Uint32Array(1024);
  #itemAges = new Uint32Array(1024);
  #returns = new Uint8Array(1024);
  /** By method and query: the place of the item on the list from 1, 0 = not on it. */
  readonly #ranks: Uint8Array[];
  readonly #seen: Set<number>[];
  readonly #bits: Float64Array;
  readonly #places: Float64Array;

  /** Starts empty. */
  constructor(methods: readonly string[]) {
    this.methods = methods;
    this.#ranks = methods.map(() => new Uint8Array(1024));
    this.#seen = methods.map(() => new Set());
    this.#bits = new Float64Array(methods.length);
    this.#places = new Float64Array(methods.length);
  }

  /** Adds a query; its lists follow. @returns Its number */
  add({ at, user, userAge, itemAge, isReturn }: Judged): number {
    const query = this.length++;
    if (query === this.#at.length) this.#grow();
    this.#at[query] = at;
    this.#users[query] = user;
    this.#userAges[query] = userAge;
    this.#itemAges[query] = itemAge;
    this.#returns[query] = isReturn ? 1 : 0;
    return query;
  }

  /** Records a method's list for a query. @param bits how rare an item was, bits */
  list(
    query: number,
    method: number,
    items: readonly number[],
    item: number,
    bits: (item: number) => number,
  ): void {
    this.#ranks[method]![query] = 1 + items.indexOf(item);
    for (const each of items) {
      this.#seen[method]!.add(each);
      this.#bits[method] = this.#bits[method]! + bits(each);
    }
    this.#places[method] = this.#places[method]! + items.length;
  }

  /** How different the lists of a method were. */
  varietyOf(method: number): Variety {
    return { items: this.#seen[method]!.size, novelty: this.#bits[method]! / this.#places[method]! };
  }

  judged(query: number): Judged {
    return {
      at: this.#at[query]!,
      user: this.#users[query]!,
      userAge: this.#userAges[query]!,
      itemAge: this.#itemAges[query]!,
      isReturn: this.#returns[query] === 1,
    };
  }

  /** The place of the item on a method's list, from 1; 0 = not on it. */
  rank(method: number, query: number): number {
    return this.#ranks[method]![query]!;
  }

  /** Numbers of the queries for which a condition holds. */
  where(condition: (judged: Judged) => boolean): Uint32Array {
    const queries: number[] = [];
    for (let query = 0; query < this.length; query++) if (condition(this.judged(query))) queries.push(query);
    return Uint32Array.from(queries);
  }

  #grow(): void {
    const length = 2 * this.length;
    const wider = (column: Uint32Array) => {
      const to = new Uint32Array(length);
      to.set(column);
      return to;
    };
    const wideBytes = (column: Uint8Array) => {
      const to = new Uint8Array(length);
      to.set(column);
      return to;
    };
    this.#at = wider(this.#at);
    this.#users = wider(this.#users);
    this.#userAges = wider(this.#userAges);
    this.#itemAges = wider(this.#itemAges);
    this.#returns = wideBytes(this.#returns);
    this.#ranks.forEach((ranks, method) => this.#ranks[method] = wideBytes(ranks));
  }
}
