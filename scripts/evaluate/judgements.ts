/**
 * The results of all requested lists, in columns: some 130 bytes per query with 20 methods.
 *
 * @module
 */

/** The parts of a query that all methods share. */
export interface Judged {
  /** Number of the behaviour in the stream, from 0. */
  readonly at: number;
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
  /** Items that were on any of them. */
  readonly items: number;
  /** Mean over their places of −log₂(share of all behaviours until then with the item), bits. */
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
  /** By method and item: the last query that listed it. */
  readonly #seen: Map<number, number>[];
  /** By method and query: how rare the items of the list were together, and how many there were. */
  readonly #bits: Float32Array[];
  readonly #lengths: Uint8Array[];

  /** Starts empty. */
  constructor(methods: readonly string[]) {
    this.methods = methods;
    this.#ranks = methods.map(() => new Uint8Array(1024));
    this.#seen = methods.map(() => new Map());
    this.#bits = methods.map(() => new Float32Array(1024));
    this.#lengths = methods.map(() => new Uint8Array(1024));
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
    for (const each of items) this.#seen[method]!.set(each, query);
    this.#bits[method]![query] = items.reduce((sum, each) => sum + bits(each), 0);
    this.#lengths[method]![query] = items.length;
  }

  /** How different the lists of a method were. @param from the first query that counts */
  varietyOf(method: number, from: number): Variety {
    let [items, bits, places] = [0, 0, 0];
    for (const last of this.#seen[method]!.values()) items += last >= from ? 1 : 0;
    for (let query = from; query < this.length; query++) {
      bits += this.#bits[method]![query]!;
      places += this.#lengths[method]![query]!;
    }
    return { items, novelty: bits / places };
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
    this.#at = copied(this.#at, new Uint32Array(length));
    this.#users = copied(this.#users, new Uint32Array(length));
    this.#userAges = copied(this.#userAges, new Uint32Array(length));
    this.#itemAges = copied(this.#itemAges, new Uint32Array(length));
    this.#returns = copied(this.#returns, new Uint8Array(length));
    for (const columns of [this.#ranks, this.#lengths]) {
      columns.forEach((column, method) => columns[method] = copied(column, new Uint8Array(length)));
    }
    this.#bits.forEach((column, method) => this.#bits[method] = copied(column, new Float32Array(length)));
  }
}

function copied<T extends { set(column: T): void }>(column: T, to: T): T {
  to.set(column);
  return to;
}
