/**
 * A sparse matrix of weights from items to items whose columns are replaced, and whose rows are read. Replacing a column
 * takes O(its weights before and after): each weight knows its places in both.
 *
 * @module
 */

/** The items that an item predicts, in no order, and how strongly. */
export interface WeightRow {
  readonly items: readonly number[];
  readonly weights: readonly number[];
}

/** A row, and the place of each weight in the column of its item. */
interface Row extends WeightRow {
  readonly items: number[];
  readonly weights: number[];
  readonly backs: number[];
}

/** The items that predict an item, and the place of each weight in their rows. */
interface Column {
  readonly others: number[];
  readonly places: number[];
}

export class WeightColumns {
  readonly #rows: (Row | undefined)[] = [];
  readonly #columns: (Column | undefined)[] = [];

  /** Upper bound of the indices of items. */
  get bound(): number {
    return this.#rows.length;
  }

  /** The weights by which an item predicts others. */
  row(item: number): WeightRow | undefined {
    return this.#rows[item];
  }

  has(item: number): boolean {
    return this.#columns[item] !== undefined;
  }

  /** The weights by which others predict an item, in the order in which they were set. */
  column(item: number): (readonly [other: number, weight: number])[] {
    const { others, places } = this.#columns[item] ?? { others: [], places: [] };
    return others.map((other, k) => [other, this.#rows[other]!.weights[places[k]!]!]);
  }

  /** Removes the weights by which others predict an item. */
  clear(item: number): void {
    this.#ensure(item);
    const column = this.#columns[item] ??= { others: [], places: [] };
    while (column.others.length > 0) this.#withdraw(column.others.pop()!, column.places.pop()!);
  }

  /** Adds the weight by which another item predicts an item that was cleared. */
  add(item: number, other: number, weight: number): void {
    this.#ensure(other);
    const row = this.#rows[other] ??= { items: [], weights: [], backs: [] };
    const { others, places } = this.#columns[item]!;
    row.backs.push(others.length);
    row.items.push(item);
    row.weights.push(weight);
    places.push(row.items.length - 1);
    others.push(other);
  }

  /** Removes a weight from a row; the last one takes its place. */
  #withdraw(other: number, at: number): void {
    const { items, weights, backs } = this.#rows[other]!;
    const [item, weight, back] = [items.pop()!, weights.pop()!, backs.pop()!];
    if (at === items.length) return;
    items[at] = item;
    weights[at] = weight;
    backs[at] = back;
    this.#columns[item]!.places[back] = at;
  }

  /** Makes room for an item, without holes: a sparse array would be a hash map. */
  #ensure(item: number): void {
    while (this.#rows.length <= item) {
      this.#rows.push(undefined);
      this.#columns.push(undefined);
    }
  }
}
