/**
 * Pooled pair statistics of one task: counts of pairs of items and of steps between categories, updated by each
 * behaviour, and the numeric features of candidates that are computed from them.
 *
 * For a behaviour with item i, strength f and the x-th newest before it, Δt ago, with item j and strength g:
 *
 * ```text
 *   weight(i, j)  += 0.93^x · 2^(−Δt/h)     count += 1     product += f g     square += f², g²     forth += 1 if x = 0
 * ```
 *
 * with h from {@linkcode TimeScale}. The first categories of both also gain the weight, and a step is counted from that
 * of the previous behaviour to that of this one. A list's features depend on earlier behaviours alone; its own outcomes
 * are learnt afterwards. O(40) look-ups per behaviour and per candidate, however long the user's history.
 */

import type { ByteReader } from "../../codec/byte_reader.ts";
import type { ByteWriter } from "../../codec/byte_writer.ts";
import type { Formats } from "../../codec/formats.ts";
import { hashString } from "../../embeddings/hash.ts";
import { count, type OptionsOf, settle } from "../../options/option.ts";
import { filterInPortions, inPortions, type Portions, timesInPortions } from "../../values/portions.ts";
import { CategoryPairs } from "./category_pairs.ts";
import { CategoryVectors } from "./category_vectors.ts";
import { PastItems } from "./past_items.ts";
import { type KindSums, NO_KINDS, PAIR_STATISTICS, type Pairs } from "./pair_statistics.ts";
import {
  BACK,
  COUNT,
  FORTH,
  OTHER_SQUARE,
  pairKey,
  PairTable,
  PRODUCT,
  SQUARE,
  WEIGHT,
} from "./pair_table.ts";
import { TimeScale } from "./time_scale.ts";

/** Number of a user's newest behaviours that are paired. */
export const POOLED_BEHAVIOURS = 40;
/** Most categories of an item that are read. */
const MAX_CATEGORIES = 8;
const DECAY = Float64Array.from({ length: POOLED_BEHAVIOURS }, (_, x) => 0.93 ** x);
/** Pairs of categories that weigh less are not counted. */
const LEAST = 1e-4;
/** Shares of the budget for pairs of categories, and for their vectors. */
const CATEGORY_SHARE = 1 / 4;
const VECTOR_SHARE = 1 / 16;
const FORMAT = 2;
export const POOLED_FORMATS: Formats = { oldest: FORMAT, newest: FORMAT };

/** Options of {@linkcode PooledPairs}. */
export interface PooledPairsOptions {
  /** Memory of all pairs, bytes. @default {33554432} */
  readonly bytes?: number | undefined;
}

export const POOLED_OPTIONS = {
  bytes: count(33_554_432, "memory for counts of pairs of items and of steps between categories"),
} satisfies OptionsOf<PooledPairsOptions>;

/** A user's behaviours, newest first: the first `size` entries of each array. */
export interface PastBehaviours {
  readonly size: number;
  readonly items: ArrayLike<number>;
  /** Event times, milliseconds since the epoch. */
  readonly times: ArrayLike<number>;
  /** Signed strengths. */
  readonly strengths: ArrayLike<number>;
}

export interface PooledBehaviour {
  readonly item: number;
  readonly time: number;
  /** Whether it speaks for the item, not against it. */
  readonly liked: boolean;
  /** Signed strength, and the first category of the item. @default {1, or −1 against the item; unknown} */
  readonly detail?: { readonly strength: number; readonly category: string | null } | undefined;
  readonly context: PastBehaviours;
  /** First category of the previous behaviour and of this one; `null` when either has none. */
  readonly step: readonly [from: string, to: string] | null;
}

/** The parts of an item that are read. */
export interface PooledItem {
  readonly id: string;
  readonly categories: readonly string[];
}

export type WritePooled = (item: number, out: Float32Array, at: number) => void;

/** Counts pairs, and pools them for lists. */
export class PooledPairs {
  /** Its name among durable states. */
  readonly name = "pooled pairs";
  readonly count: number = PAIR_STATISTICS.length;
  readonly #itemAt: (index: number) => PooledItem;
  #items: PairTable;
  #categories: CategoryPairs;
  #vectors: CategoryVectors;
  #scale = new TimeScale();
  /** By item index: hash of its id, 0 = not computed yet; of its first category at its newest behaviour, 0 = none. */
  #hashes = new Uint32Array(256);
  #kindOf = new Uint32Array(256);
  /** By item index: its behaviours n, and ln(1 + n). */
  #counts = new Float64Array(256);
  #logCounts = new Float64Array(256);
  readonly #pairs: Pairs = {
    size: 0,
    strengths: new Float64Array(POOLED_BEHAVIOURS),
    ages: new Float64Array(POOLED_BEHAVIOURS),
    popularities: 0,
    popularity: 0,
    same: 0,
    together: 0,
    liked: 0,
    after: 0,
    agreement: 0,
    predicted: 0,
    categories: 0,
    kinds: NO_KINDS,
  };
  /** Scratch: hashes of the behaviours' items. */
  readonly #own = new Uint32Array(POOLED_BEHAVIOURS);
  /** Scratch: what the behaviours of a list share with its current candidate. */
  readonly #past = new PastItems(POOLED_BEHAVIOURS);
  /** Scratch: keys of the pairs of a behaviour with those before it. */
  readonly #keys = new Uint32Array(POOLED_BEHAVIOURS);
  /** Scratch: their places in the table; −1 = not in it. */
  readonly #places = new Int32Array(POOLED_BEHAVIOURS);
  /** Hashes of categories, by the array of their names: an array is replaced, never changed. */
  readonly #categoryHashes = new WeakMap<readonly string[], Uint32Array>();
  /** Sums that depend on the behaviours alone. */
  readonly #fixed = new Float64Array(this.count);

  /** Starts without counts. @param itemAt Returns the item of an index */
  constructor(itemAt: (index: number) => PooledItem, options: PooledPairsOptions = {}) {
    const { bytes } = settle(POOLED_OPTIONS, options);
    this.#itemAt = itemAt;
    this.#items = new PairTable((1 - CATEGORY_SHARE - VECTOR_SHARE) * bytes);
    this.#categories = new CategoryPairs(CATEGORY_SHARE * bytes, POOLED_BEHAVIOURS);
    this.#vectors = new CategoryVectors(VECTOR_SHARE * bytes, POOLED_BEHAVIOURS);
  }

  /** Bytes of all tables. */
  get bytes(): number {
    return this.#items.bytes + this.#categories.bytes + this.#vectors.bytes;
  }

  /** Half-life of the weight of a pair, milliseconds. */
  get halfLifeMs(): number {
    return this.#scale.halfLifeMs;
  }

  learn({ item, time, liked, detail, context, step }: PooledBehaviour): void {
    const table = this.#items;
    const own = this.#hashOf(item);
    const strength = detail?.strength ?? (liked ? 1 : -1);
    const category = detail?.category ?? null;
    const kind = category === null ? 0 : hashOf(category);
    const decay = -Math.LN2 / this.#scale.halfLifeMs;
    const size = Math.min(context.size, POOLED_BEHAVIOURS);
    this.#categories.clear();
    this.#vectors.clear();
    const keys = this.#keys;
    for (let x = 0; x < size; x++) {
      const other = this.#own[x] = this.#hashOf(context.items[x]!);
      keys[x] = pairKey(own, other);
    }
    table.warmAll(keys, size);
    for (let x = 0; x < size; x++) {
      const other = this.#own[x]!;
      const past = context.strengths[x]!;
      const weight = DECAY[x]! * Math.exp(decay * Math.max(0, time - context.times[x]!));
      if (kind !== 0) {
        const from = this.#kindOf[context.items[x]!]!;
        if (weight >= LEAST) this.#categories.weigh(from, weight);
        this.#vectors.add(from);
      }
      if (other === own) continue;
      const at = table.add(keys[x]!);
      const { numbers } = table;
      const isFirst = own < other;
      numbers[at + COUNT]! += 1;
      numbers[at + WEIGHT]! += weight;
      numbers[at + PRODUCT]! += strength * past;
      numbers[at + (isFirst ? SQUARE : OTHER_SQUARE)]! += strength * strength;
      numbers[at + (isFirst ? OTHER_SQUARE : SQUARE)]! += past * past;
      if (x === 0) numbers[at + (isFirst ? BACK : FORTH)]! += 1;
    }
    this.#logCounts[item] = Math.log1p(++this.#counts[item]!);
    this.#kindOf[item] = kind;
    this.#categories.learn(kind);
    if (kind !== 0) this.#vectors.learn(kind, 1 / Math.sqrt(Math.max(1, size)));
    if (size > 0) this.#scale.learn(time - context.times[0]!);
    if (step !== null) this.#categories.learnStep(hashOf(step[0]), hashOf(step[1]));
  }

  /** Prepares the features of a list's candidates; behaviours and counts must not change until all are written. */
  poolFor(behaviours: PastBehaviours, time: number): WritePooled {
    const pairs = this.#pairs;
    const size = pairs.size = Math.min(behaviours.size, POOLED_BEHAVIOURS);
    if (size === 0) return (_, out, at) => out.fill(0, at, at + this.count);
    const halfLifeMs = this.#scale.halfLifeMs;
    const past = this.#past;
    past.clear();
    this.#categories.clear();
    this.#vectors.clear();
    pairs.popularities = 0;
    for (let x = 0; x < size; x++) {
      const index = behaviours.items[x]!;
      pairs.strengths[x] = behaviours.strengths[x]!;
      pairs.ages[x] = Math.max(0, time - behaviours.times[x]!) / halfLifeMs;
      const hash = this.#hashOf(index);
      pairs.popularities += this.#logCounts[index]!;
      const theirs = this.#categoriesOf(index);
      past.add(hash, theirs);
      if (theirs.length > 0) this.#categories.weigh(theirs[0]!, 1);
      this.#vectors.add(theirs[0] ?? 0);
    }
    this.#categories.prepare();
    this.#vectors.prepare(1);
    const scale = 1 / Math.sqrt(size);
    for (let n = 0; n < this.count; n++) {
      const { of, sum } = PAIR_STATISTICS[n]!;
      if (of === "behaviour") this.#fixed[n] = scale * sum(pairs);
    }
    const known = new Map<number, KindSums>();
    return (item, out, at) => {
      const own = this.#categoriesOf(item);
      pairs.kinds = NO_KINDS;
      if (own.length > 0) {
        const sums = known.get(own[0]!) ?? this.#kindsOf(own[0]!);
        known.set(own[0]!, sums);
        pairs.kinds = sums;
      }
      this.#lookUp(item, own);
      for (let n = 0; n < this.count; n++) {
        const { of, sum } = PAIR_STATISTICS[n]!;
        out[at + n] = of === "pair" ? scale * sum(pairs) : this.#fixed[n]!;
      }
    };
  }

  /** A copy of what is written. */
  clone(): PooledPairs {
    const clone = new PooledPairs(this.#itemAt);
    clone.#items = this.#items.clone();
    clone.#categories = this.#categories.clone();
    clone.#vectors = this.#vectors.clone();
    clone.#scale = this.#scale.clone();
    clone.#counts = this.#counts.slice();
    clone.#kindOf = this.#kindOf.slice();
    return clone;
  }

  /** Writes everything: same behaviours, same bytes. @param order All items by id @param rank Their places in it */
  *encode(to: ByteWriter, order: readonly number[], rank: Uint32Array): Portions {
    to.u8(FORMAT);
    this.#categories.encodeTotals(to);
    const known = yield* filterInPortions(
      order,
      (item) => item < this.#counts.length && this.#counts[item]! > 0,
    );
    to.uint(known.length);
    yield* inPortions(known, (item) => {
      to.uint(rank[item]!).uint(this.#counts[item]!).uint(this.#kindOf[item]!);
    });
    this.#scale.encode(to);
    yield* this.#items.encode(to);
    yield* this.#categories.encode(to);
    this.#vectors.encode(to);
  }

  /** Reads bytes of {@linkcode PooledPairs.encode}. @param itemAt The item at a place in `order` @throws SyntaxError */
  *decode(from: ByteReader, itemAt: (rank: number) => number): Portions {
    const format = from.u8();
    if (format !== FORMAT) {
      throw new SyntaxError(`Cannot decode pooled pairs: format is ${format}, this release reads ${FORMAT}`);
    }
    this.#categories.decodeTotals(from);
    yield* timesInPortions(from.count(), () => {
      const item = itemAt(from.uint());
      if (item >= this.#hashes.length) this.#makeRoom(item);
      this.#counts[item] = from.uint();
      this.#logCounts[item] = Math.log1p(this.#counts[item]!);
      this.#kindOf[item] = from.uint();
    });
    this.#scale.decode(from);
    yield* this.#items.decode(from);
    yield* this.#categories.decode(from);
    this.#vectors.decode(from);
  }

  /** Sets the sums over the pairs of the behaviours and a candidate: each of their items is looked up once. */
  #lookUp(item: number, categories: Uint32Array): void {
    const own = this.#hashOf(item);
    const pairs = this.#pairs, past = this.#past, table = this.#items;
    const { hashes, count } = past;
    const [keys, places] = [this.#keys, this.#places];
    for (let k = 0; k < count; k++) keys[k] = pairKey(own, hashes[k]!);
    table.findAll(keys, count, places);
    const { numbers } = table;
    for (let k = 0; k < count; k++) {
      const at = places[k]!;
      if (hashes[k] === own || at < 0) past.setNone(k);
      else past.read(k, numbers, at, own < hashes[k]!);
    }
    past.compare(categories);
    pairs.popularity = this.#logCounts[item]!;
    past.sum(own, pairs);
  }

  /** Sums over the categories of the behaviours and that of a candidate. */
  #kindsOf(category: number): KindSums {
    return { ...this.#categories.sumsWith(category), affinity: this.#vectors.affinity(category) };
  }

  /** Hashes of the first {@linkcode MAX_CATEGORIES} categories of an item. */
  #categoriesOf(index: number): Uint32Array {
    const { categories } = this.#itemAt(index);
    let hashes = this.#categoryHashes.get(categories);
    if (hashes === undefined) {
      hashes = Uint32Array.from(categories.slice(0, MAX_CATEGORIES), hashOf);
      this.#categoryHashes.set(categories, hashes);
    }
    return hashes;
  }

  #makeRoom(index: number): void {
    const length = Math.max(2 * this.#hashes.length, index + 1);
    const [hashes, kinds, counts, logs] = [this.#hashes, this.#kindOf, this.#counts, this.#logCounts];
    (this.#hashes = new Uint32Array(length)).set(hashes);
    (this.#kindOf = new Uint32Array(length)).set(kinds);
    (this.#counts = new Float64Array(length)).set(counts);
    (this.#logCounts = new Float64Array(length)).set(logs);
  }

  #hashOf(index: number): number {
    if (index >= this.#hashes.length) this.#makeRoom(index);
    return this.#hashes[index] ||= hashOf(this.#itemAt(index).id);
  }
}

/** The hash of a name, never 0. */
function hashOf(name: string): number {
  return hashString(name, 0) || 1;
}
