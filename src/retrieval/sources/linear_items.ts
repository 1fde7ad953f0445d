/**
 * A linear item-item model that is updated while items are liked: how far liking one item predicts liking another item
 * j, given what else the user likes. It is EASE (Steck, "Embarrassingly Shallow Autoencoders", WWW 2019) over the hubs
 * H, the 512 items that are liked most:
 *
 * ```text
 *   b_j = argmin ‖x_j − X_H b‖² + λ‖b‖² = P G_Hj        P = (G_HH + λI)⁻¹, G = XᵀX, users × items; j no hub
 *   b_j = −P_Hj / P_jj                                  the same without j among H; j a hub
 * ```
 *
 * with G the counts of {@linkcode Neighbours}, and of each b_j the 128 strongest weights. P serves all items. It is
 * renewed, and with it the columns of all hubs, after 32 + |H|²/64 likes at |H|³/2 multiplications: at most 32 |H| per
 * like. A column of another item is solved again once the likes that it has gained since weigh 30 % of those before,
 * at |H|² multiplications. So what a like costs is bounded, whatever the stream.
 *
 * @module
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { ItemScores } from "../items/item_scores.ts";
import { WeightColumns, type WeightRow } from "../items/weight_columns.ts";
import { nthLargest } from "../../vectors/nth_largest.ts";
import { SymmetricInverse } from "../../vectors/symmetric_inverse.ts";
import { type Neighbours, TOGETHER } from "./neighbours.ts";
import type { Context } from "../signals/context.ts";
import type { Signal } from "../signals/signal.ts";
import { byRequest } from "../items/scored.ts";
import type { CandidateRequest } from "../signals/candidate_request.ts";
import type { SourceKind } from "./source.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";

/** Most hubs, and the fewest likes of one. */
const HUBS = 512;
const LEAST_LIKES = 3;
const LAMBDA = 200;
/** Largest λ to try; a matrix that needs more has counts of no use. */
const LARGEST_RIDGE = 2 ** 10 * LAMBDA;
const GROWTH = 1.3;
/** Likes from one renewal to the next: this many, and the square of the number of hubs over this. */
const LEAST_PAUSE = 32;
const RENEWAL = 64;
/** Most weights of a column, and their largest size: liking an item can at most imply liking the other one. */
const KEPT = 128;
const MOST = 1;
/** Pairs seen less often are ignored as chance. */
const MIN_TOGETHER = 1.5;
/** With this many weights per item, scores are scanned item by item. */
const DENSE = 0.5;
/** Rows of P that are added at once. */
const WIDTH = 4;

type ById = (a: number, b: number) => number;

export class LinearItems {
  readonly #neighbours: Neighbours;
  readonly #weights = new WeightColumns();
  /** By item: its likes when it was last solved, in the units of {@linkcode Neighbours.liked}. */
  readonly #solvedAt: number[] = [];
  /** The hubs of the last renewal, most liked first, the same in an array, their places, and P of them. */
  #hubs: readonly number[] = [];
  readonly #others = new Uint32Array(HUBS);
  readonly #places = new Map<number, number>();
  #inverse = new Float32Array(0);
  /** What was liked since, and likes until the next one. */
  readonly #liked = new Set<number>();
  #due = 0;
  /** The λ of the last renewal, which is larger where G is not XᵀX: users return, and pairs are sampled. */
  #ridge = LAMBDA;
  /** Scratch: G_HH + λI, a column of G, where rows of P begin, a column of weights, and their sizes. */
  #a = new Float64Array(0);
  readonly #counts = new Float64Array(HUBS + WIDTH);
  readonly #rows = new Uint32Array(HUBS + WIDTH);
  readonly #b = new Float64Array(HUBS);
  readonly #sizes = new Float64Array(HUBS);
  readonly #inverter = new SymmetricInverse(HUBS);

  constructor(neighbours: Neighbours) {
    this.#neighbours = neighbours;
  }

  /** Renews P, and solves the column of the signal's item again, if due; the counts already include the signal. */
  learn({ item, time, liked }: Signal, byId: ById): void {
    if (!liked) return;
    const unit = this.#neighbours.unit(time);
    this.#liked.add(item);
    if (--this.#due <= 0) this.#renew(unit, byId);
    if (this.#places.has(item)) return;
    const likes = this.#neighbours.liked(item), solvedAt = this.#solvedAt[item] ?? 0;
    // Fewer likes than then: the counts have been divided since, or dropped for room.
    if (likes >= solvedAt && likes < solvedAt * GROWTH + 2 * unit) return;
    this.#solve(item, unit);
  }

  /** Sets scores, none before, to Σ b over the items that the user liked, or 0 where that is below. */
  score({ size, items, liked }: Context, into: ItemScores): void {
    const weights = this.#weights;
    const { bound } = weights;
    let all = 0;
    for (let k = 0; k < size; k++) if (liked[k] === 1) all += weights.row(items[k]!)?.items.length ?? 0;
    const isDense = all > DENSE * bound;
    if (isDense) into.reserve(bound);
    for (let k = 0; k < size; k++) {
      const row = liked[k] === 1 ? weights.row(items[k]!) : undefined;
      if (row === undefined) continue;
      if (isDense) addTo(into.values, row);
      else into.addEach(row.items, row.weights);
    }
    if (isDense) into.touchPositive(bound);
    else into.floor();
  }

  /** Writes everything. @param order All items by id. @param rank Their places in it. */
  *encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions {
    const solved = yield* filterInPortions(order, (item) => this.#weights.has(item));
    to.uint(solved.length);
    yield* inPortions(solved, (item) => {
      const column = this.#weights.column(item);
      to.uint(rank[item]!).f64(this.#solvedAt[item]!).uint(column.length);
      for (const [other, weight] of column) to.uint(rank[other]!).f64(weight);
    });
    const liked = yield* filterInPortions(order, (item) => this.#liked.has(item));
    for (const items of [liked, this.#hubs]) {
      yield;
      to.uint(items.length);
      yield* inPortions(items, (item) => to.uint(rank[item]!));
    }
    yield;
    to.uint(this.#due).f64(this.#ridge);
    const n = this.#hubs.length;
    for (let i = 0; i < n; i++) to.f32s(this.#inverse.subarray(i * n + i, (i + 1) * n));
  }

  /** Reads what {@linkcode LinearItems.encode} wrote. @param itemAt The item at a place of the order. */
  *decode(from: ByteReader, itemAt: (rank: number) => number): Portions {
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      this.#setSolved(item, from.f64());
      this.#weights.clear(item);
      for (let k = from.count(); k > 0; k--) this.#weights.add(item, itemAt(from.uint()), from.f64());
      this.#liked.add(item);
    });
    // Format 1 has no hubs: they are found among what was solved.
    if (from.done) return;
    this.#liked.clear();
    yield;
    yield* timesInPortions(from.count(), () => this.#liked.add(itemAt(from.uint())));
    yield;
    const n = from.count();
    if (n > HUBS) throw new SyntaxError(`Cannot decode linear items: there are ${n} hubs, at most ${HUBS}`);
    this.#setHubs(Array.from({ length: n }, () => itemAt(from.uint())));
    this.#due = from.uint();
    this.#ridge = from.f64();
    this.#inverse = new Float32Array(n * n);
    yield;
    for (let i = 0; i < n; i++) {
      this.#inverse.set(from.f32s(n - i), i * n + i);
      for (let j = i; j < n; j++) this.#inverse[j * n + i] = this.#inverse[i * n + j]!;
    }
  }

  /** Finds the hubs among the last ones and what was liked since, and solves their columns. */
  #renew(unit: number, byId: ById): void {
    const neighbours = this.#neighbours;
    const before = this.#hubs;
    const hubs = [...new Set([...before, ...this.#liked])]
      .filter((item) => neighbours.liked(item) >= LEAST_LIKES * unit)
      .sort((a, b) => neighbours.liked(b) - neighbours.liked(a) || byId(a, b)).slice(0, HUBS);
    const n = hubs.length;
    this.#due = LEAST_PAUSE + Math.floor(n * n / RENEWAL);
    this.#setHubs(hubs);
    if (!this.#invert(unit)) return this.#setHubs(before);
    this.#liked.clear();
    const [a, b] = [this.#a, this.#b];
    for (const [place, hub] of hubs.entries()) {
      const by = -1 / a[place * n + place]!;
      for (let i = 0; i < n; i++) b[i] = i === place ? 0 : by * a[place * n + i]!;
      this.#set(hub);
    }
    if (n * n > this.#inverse.length) this.#inverse = new Float32Array(a.length);
    for (let at = 0; at < n * n; at++) this.#inverse[at] = a[at]!;
  }

  #setHubs(hubs: readonly number[]): void {
    this.#hubs = hubs;
    this.#others.set(hubs);
    this.#places.clear();
    for (const [place, hub] of hubs.entries()) this.#places.set(hub, place);
  }

  /**
   * Puts (G_HH + λI)⁻¹ into the scratch, with λ half that of the last renewal, doubled until the matrix is positive
   * definite. @returns `false` where no λ is large enough
   */
  #invert(unit: number): boolean {
    const n = this.#hubs.length;
    if (n * n > this.#a.length) this.#a = new Float64Array(Math.min(2 * n * n, HUBS * HUBS));
    let ridge = Math.max(LAMBDA, this.#ridge / 2);
    this.#ridge = LAMBDA;
    for (; ridge <= LARGEST_RIDGE; ridge *= 2) {
      this.#fill(unit, ridge);
      if (!this.#inverter.invert(this.#a, n, ridge / 2)) continue;
      this.#ridge = ridge;
      return true;
    }
    return false;
  }

  /** Puts the upper half of G_HH + λI into the scratch. */
  #fill(unit: number, ridge: number): void {
    const { rows } = this.#neighbours;
    const [a, hubs, others, n] = [this.#a, this.#hubs, this.#others, this.#hubs.length];
    for (const [i, hub] of hubs.entries()) {
      const row = i * n;
      rows.copy(hub, { others, from: i + 1, end: n }, TOGETHER, a, row + i + 1);
      a[row + i] = this.#neighbours.liked(hub) / unit + ridge;
      // Nobody likes both more often than one of them, the second being liked less often.
      for (let j = i + 1; j < n; j++) {
        a[row + j] = Math.min(a[row + j]!, this.#neighbours.liked(others[j]!)) / unit;
      }
    }
  }

  /** Solves the column of an item that is no hub. */
  #solve(item: number, unit: number): void {
    const n = this.#hubs.length;
    const [p, counts, rows, b] = [this.#inverse, this.#counts, this.#rows, this.#b.fill(0)];
    const likes = this.#neighbours.liked(item);
    this.#neighbours.rows.copy(item, { others: this.#others, from: 0, end: n }, TOGETHER, counts, 0);
    let found = 0;
    for (let i = 0; i < n; i++) {
      const together = Math.min(counts[i]!, likes) / unit;
      if (together < MIN_TOGETHER) continue;
      counts[found] = together;
      rows[found++] = i * n;
    }
    counts.fill(0, found, found + WIDTH);
    rows.fill(0, found, found + WIDTH);
    for (let k = 0; k < found; k += WIDTH) {
      const [g0, g1, g2, g3] = [counts[k]!, counts[k + 1]!, counts[k + 2]!, counts[k + 3]!];
      const [r0, r1, r2, r3] = [rows[k]!, rows[k + 1]!, rows[k + 2]!, rows[k + 3]!];
      for (let i = 0; i < n; i++) {
        b[i] = b[i]! + g0 * p[r0 + i]! + g1 * p[r1 + i]! + g2 * p[r2 + i]! + g3 * p[r3 + i]!;
      }
    }
    this.#set(item);
  }

  /** Takes the strongest weights of the scratch as the column of an item, with those that are as strong. */
  #set(item: number): void {
    const [b, sizes, n] = [this.#b, this.#sizes, this.#hubs.length];
    for (let i = 0; i < n; i++) sizes[i] = Math.abs(b[i]!);
    const least = n > KEPT ? nthLargest(sizes, KEPT, n) : 0;
    this.#setSolved(item, this.#neighbours.liked(item));
    this.#weights.clear(item);
    for (let i = 0; i < n; i++) {
      const weight = Math.max(-MOST, Math.min(b[i]!, MOST));
      if (weight !== 0 && Math.abs(b[i]!) >= least) this.#weights.add(item, this.#hubs[i]!, weight);
    }
  }

  /** Notes the likes of an item, without holes: a sparse array would be a hash map. */
  #setSolved(item: number, likes: number): void {
    while (this.#solvedAt.length <= item) this.#solvedAt.push(0);
    this.#solvedAt[item] = likes;
  }
}

/** Adds the weights of a row to the scores of its items. */
function addTo(values: Float64Array, { items, weights }: WeightRow): void {
  for (let k = 0; k < items.length; k++) values[items[k]!] = values[items[k]!]! + weights[k]!;
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
      encode: (to, { order, rank }) => items.encode(to, order, rank),
      decode: (from, itemAt) => items.decode(from, itemAt),
    };
  },
};
