/**
 * A linear item-item model that is updated item by item: how far liking one item predicts liking another item j, given
 * what else the user likes. EASE and SLIM compute it for a whole catalogue at once (Steck, "Embarrassingly
 * Shallow Autoencoders", WWW 2019; Ning and Karypis, ICDM 2011), here it is restricted to the S strongest neighbours of
 * j:
 *
 * ```text
 *   b_j = argmin ‖x_j − X_S b‖² + λ‖b‖² = (G_SS + λI)⁻¹ G_Sj        G = XᵀX, users × items
 * ```
 *
 * with G the counts of {@linkcode Neighbours}. A column is solved again once the likes that its item has gained since
 * weigh 30 % of those before. So an item with n likes has been solved about log n / log 1.3 times, and one that is liked
 * at a steady rate two to three times per half-life, at O(S³/6) each with S = 40.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { ItemScores } from "../items/item_scores.ts";
import { nthLargest } from "../../vectors/nth_largest.ts";
import { type ById, SLOT_WORDS } from "../items/neighbour_rows.ts";
import { type Neighbours, TOGETHER } from "../folds/neighbours.ts";
import type { Context } from "../signals/context.ts";
import type { Signal } from "../signals/signal.ts";
import { byRequest } from "../items/scored.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";
import { durable, type SourceKind } from "./source.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";

const SUPPORT = 40;
const LAMBDA = 50;
const GROWTH = 1.3;
/**
 * Largest weight: liking an item can at most imply liking the other one. Users who return to items count the same pairs
 * again and again; then G is not XᵀX, and solutions grow without bound unless λ is larger.
 */
const MOST = 1;
/** Largest λ to try. */
const LARGEST_RIDGE = 2 ** 60;
/** Pairs seen less often are ignored as chance. */
const MIN_TOGETHER = 1.5;
/** Added to a count before dividing by it, because rare items co-occur by chance. */
const SHRINK = 10;

/** The items that an item predicts, in no order, and how strongly. */
interface Row {
  readonly items: number[];
  readonly weights: number[];
}

export class LinearItems {
  readonly #neighbours: Neighbours;
  /** By item j: the items that predict it. */
  #supports: (number[] | undefined)[] = [];
  /** By item i: the items j that it predicts. */
  #predicts: (Row | undefined)[] = [];
  /** By item: its likes when it was last solved, in the units of {@linkcode Neighbours.liked}. */
  #solvedAt: number[] = [];
  /** Scratch: the neighbours of an item, their strengths, also sorted, the strongest neighbours, and the equations. */
  #found = new Uint32Array(256);
  #strengths = new Float64Array(256);
  #sorted = new Float64Array(256);
  readonly #support = new Uint32Array(SUPPORT);
  readonly #a = new Float64Array(SUPPORT * SUPPORT);

  constructor(neighbours: Neighbours) {
    this.#neighbours = neighbours;
  }

  /** Solves the column of the signal's item again if it is due; the counts already include the signal. */
  learn({ item, time, liked }: Signal, byId: ById): void {
    if (!liked) return;
    const unit = this.#neighbours.unit(time);
    const likes = this.#neighbours.liked(item), solvedAt = this.#solvedAt[item] ?? 0;
    // Fewer likes than then: the counts have been divided since, or dropped for room.
    if (likes >= solvedAt && likes < solvedAt * GROWTH + 2 * unit) return;
    this.#ensure(item);
    this.#solvedAt[item] = likes;
    this.#solve(item, unit, byId);
  }

  /** Adds Σ b over the items that the user liked. */
  score(context: Context, into: ItemScores): void {
    for (let k = 0; k < context.size; k++) {
      if (context.liked[k] === 0) continue;
      const row = this.#predicts[context.items[k]!];
      if (row !== undefined) into.addEach(row.items, row.weights);
    }
  }

  /** A copy of everything, to be written. */
  clone(): LinearItems {
    const clone = new LinearItems(this.#neighbours);
    clone.#supports = this.#supports.slice(); // a support is replaced, never changed
    clone.#predicts = this.#predicts.map((row) =>
      row && { items: row.items.slice(), weights: row.weights.slice() }
    );
    clone.#solvedAt = this.#solvedAt.slice();
    return clone;
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  *encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions {
    const solved = yield* filterInPortions(order, (item) => this.#supports[item] !== undefined);
    to.uint(solved.length);
    yield* inPortions(solved, (item) => {
      const support = this.#supports[item]!;
      to.uint(rank[item]!).f64(this.#solvedAt[item]!).uint(support.length);
      for (const other of support) to.uint(rank[other]!).f64(this.#weightOf(other, item));
    });
  }

  /** Reads what {@linkcode LinearItems.encode} wrote. @param itemAt The item at a place of the order. */
  *decode(from: ByteReader, itemAt: (rank: number) => number): Portions {
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      this.#ensure(item);
      this.#solvedAt[item] = from.f64();
      const support: number[] = [];
      for (let k = from.count(); k > 0; k--) {
        const other = itemAt(from.uint());
        support.push(other);
        this.#predict(other, item, from.f64(), false);
      }
      this.#supports[item] = support;
    });
  }

  #solve(item: number, unit: number, byId: ById): void {
    const support = this.#strongest(item, unit, byId);
    this.#support.set(support);
    const b = new Float64Array(support.length);
    let ridge = LAMBDA;
    do {
      this.#fillEquations(item, { unit, ridge, b });
      solveInPlace(this.#a, b, ridge / 2);
      ridge *= 2;
    } while (ridge < LARGEST_RIDGE && b.some((weight) => !(Math.abs(weight) <= MOST)));
    // Negative weights mean "not together", which does not help to propose candidates.
    const kept = support.filter((_, i) => b[i]! > 0);
    const before = this.#supports[item] ?? [];
    for (const other of before) if (!kept.includes(other)) this.#withdraw(other, item);
    support.forEach((other, i) => {
      if (b[i]! > 0) this.#predict(other, item, b[i]!, before.includes(other));
    });
    this.#supports[item] = kept;
  }

  /** Puts G_SS + λI into the scratch, and G_Sj into b. */
  #fillEquations(
    item: number,
    { unit, ridge, b }: { readonly unit: number; readonly ridge: number; readonly b: Float64Array },
  ): void {
    const { rows } = this.#neighbours;
    const [a, others, n] = [this.#a, this.#support, b.length];
    rows.copy(item, { others, from: 0, end: n }, TOGETHER, b, 0);
    for (let i = 0; i < n; i++) {
      const row = i * n;
      b[i] = b[i]! / unit;
      rows.copy(others[i]!, { others, from: i + 1, end: n }, TOGETHER, a, row + i + 1);
      for (let at = row + i + 1; at < row + n; at++) a[at] = a[at]! / unit;
      a[row + i] = this.#neighbours.liked(others[i]!) / unit + ridge;
    }
  }

  /** The strongest neighbours of an item. */
  #strongest(item: number, unit: number, byId: ById): number[] {
    const { rows } = this.#neighbours;
    const { keys, weights } = rows;
    this.#makeRoom(rows.size(item));
    const [found, strengths, sorted] = [this.#found, this.#strengths, this.#sorted];
    const end = rows.end(item);
    let size = 0;
    for (let at = rows.begin(item); at < end; at += SLOT_WORDS) {
      const together = weights[at + 1 + TOGETHER]!;
      if (keys[at] === 0 || together < MIN_TOGETHER * unit) continue;
      const other = keys[at]! - 1;
      found[size] = other;
      sorted[size] = strengths[size] = together / Math.sqrt(this.#neighbours.liked(other) / unit + SHRINK);
      size++;
    }
    const border = size > SUPPORT ? nthLargest(sorted, SUPPORT, size) : 0;
    const places: number[] = [];
    for (let k = 0; k < size; k++) if (strengths[k]! >= border) places.push(k);
    return places.sort((x, y) => strengths[y]! - strengths[x]! || byId(found[x]!, found[y]!))
      .slice(0, SUPPORT).map((k) => found[k]!);
  }

  #makeRoom(size: number): void {
    if (size <= this.#found.length) return;
    this.#found = new Uint32Array(2 * size);
    this.#strengths = new Float64Array(2 * size);
    this.#sorted = new Float64Array(2 * size);
  }

  /** Makes room for an item, without holes: a sparse array would be a hash map. */
  #ensure(item: number): void {
    while (this.#predicts.length <= item) {
      this.#predicts.push(undefined);
      this.#supports.push(undefined);
      this.#solvedAt.push(0);
    }
  }

  #weightOf(by: number, item: number): number {
    const { items, weights } = this.#predicts[by]!;
    return weights[items.indexOf(item)]!;
  }

  /** Sets the weight with which one item predicts another; `does` tells whether it already does. */
  #predict(by: number, item: number, weight: number, does: boolean): void {
    this.#ensure(by);
    const row = this.#predicts[by] ??= { items: [], weights: [] };
    if (does) {
      row.weights[row.items.indexOf(item)] = weight;
      return;
    }
    row.items.push(item);
    row.weights.push(weight);
  }

  /** Removes an item from those that predict another one. */
  #withdraw(by: number, item: number): void {
    const { items, weights } = this.#predicts[by]!;
    const at = items.indexOf(item);
    const [lastItem, lastWeight] = [items.pop()!, weights.pop()!];
    if (at === items.length) return;
    items[at] = lastItem;
    weights[at] = lastWeight;
  }
}

/** Proposes items that the user's liked items predict. */
export const LINEAR: SourceKind = {
  name: "linear",
  proposals: 40,
  weight: 0.2,
  create: ({ catalogue, neighbours }) => {
    const items = new LinearItems(neighbours);
    return {
      ...byRequest(({ context }: CandidateRequest, scores) => items.score(context, scores)),
      learn: (signal) => items.learn(signal, (a, b) => catalogue.compare(a, b)),
      ...durable(items),
    };
  },
};

/**
 * Solves A x = b for a symmetric positive definite A by elimination; b becomes x, A is overwritten.
 *
 * @param a n × n, possibly with room after it; only j ≥ i of its rows i is read
 * @param least Lower bound for pivots: dropped counts may leave A indefinite.
 */
export function solveInPlace(a: Float64Array, b: Float64Array, least = 0): void {
  const n = b.length;
  for (let p = 0; p < n; p++) {
    const row = p * n;
    const pivot = a[row + p] = Math.max(least, a[row + p]!);
    for (let i = p + 1; i < n; i++) {
      const factor = a[row + i]! / pivot;
      if (factor === 0) continue;
      const at = i * n;
      for (let j = i; j < n; j++) a[at + j] = a[at + j]! - factor * a[row + j]!;
      b[i] = b[i]! - factor * b[p]!;
    }
  }
  for (let p = n - 1; p >= 0; p--) {
    let sum = b[p]!;
    for (let j = p + 1; j < n; j++) sum -= a[p * n + j]! * b[j]!;
    b[p] = sum / a[p * n + p]!;
  }
}
