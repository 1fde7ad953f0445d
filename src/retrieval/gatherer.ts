/** Gathers what all sources propose for a request into one list of candidates with features. */

import type { PairNames, ScoreList } from "../nn/models/pair_head/pair_list.ts";
import type { PooledPairs } from "../features/pooled/pooled_pairs.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import { type Features, scoreColumn } from "./features.ts";
import type { ItemLists } from "./items/item_lists.ts";
import { Verdicts } from "./items/verdicts.ts";
import { type Candidates, type Fill, OWN, PROPERTIES } from "./properties.ts";
import type { Context } from "./signals/context.ts";
import type { CandidateRequest } from "./signals/candidate_request.ts";
import type { ServedBank } from "../bank/served_bank.ts";
import type { Returns } from "./signals/returns.ts";
import type { SourceParts } from "./sources/parts.ts";
import type { Source } from "./sources/source.ts";
import type { UserState } from "../users/user_state.ts";

/** The data that a {@linkcode Gatherer} and a `Retrieval` read. */
export interface RetrievalView {
  readonly catalogue: Catalogue;
  /** The behaviours of all users. */
  readonly sequences: SequenceSlab;
  /** Rates of items, and tastes of users. */
  readonly statistics: FeatureStatistics;
  /** Counts pairs for the models. @default {none} */
  readonly pooled?: PooledPairs | null;
  /** What orders candidates besides the blend. @default {nothing} */
  readonly models?: OrderingModels;
}

/** The deployment's own model, as far as it orders candidates. */
export interface OrderingModels {
  /** The bank of the served version. */
  readonly bank: ServedBank | null;
  /** The model's share in ordering lists, by the learner's proof; 0 until it has learnt from outcomes. */
  readonly share: number;
  /** See `Serving.order`; `null` = nothing was learnt. */
  order(names: PairNames): ScoreList | null;
  /** The model's logits of items for a user at a time; those of the prior or mix until the model has proved itself. */
  logits(user: UserState, items: readonly CatalogueItem[], time: number): Float64Array;
}

/** Groups of the blend: users with fewer behaviours than the first, the second, ..., and the others. */
const BEHAVIOUR_GROUPS = [1, 3, 10, 30];
/** One more group: users whose newest behaviour is younger than this. */
const PAGE_MS = 30_000;
/** Up to this many candidates per request, a source proposes `Source.proposals` items; beyond, proportionally more. */
const USUAL_CANDIDATES = 100;
export const GROUPS: number = BEHAVIOUR_GROUPS.length + 2;

/** Gathers candidates; results are valid until the next call. */
export class Gatherer {
  /** Names of the features: of the sources, then of the properties. */
  readonly names: readonly string[];
  readonly #catalogue: Catalogue;
  readonly #lists: ItemLists;
  readonly #sources: readonly Source[];
  readonly #fills: readonly Fill[];
  /** The feature that marks items the user already had; −1 = such items cannot be candidates. */
  readonly #own: number;
  readonly #returns: Returns;
  readonly #verdicts: Verdicts;
  /** By item: its place among the candidates + 1. */
  #places = new Uint32Array(64);
  /** Factor on the number of items that each source may propose. */
  readonly #room: number;
  /** The items that each source proposes. */
  #proposals: readonly (readonly number[])[] = [];
  #items: number[] = [];
  /** By candidate: numbers of its categories. */
  readonly #categories: (readonly number[])[] = [];
  #values: Float64Array;
  #scratch = new Float64Array(64);

  /** Gathers what sources propose. @param maxCandidates Most candidates per request */
  constructor(
    { statistics }: RetrievalView,
    sources: readonly Source[],
    parts: SourceParts,
    maxCandidates: number,
  ) {
    this.#room = Math.max(1, maxCandidates / USUAL_CANDIDATES);
    this.#catalogue = parts.catalogue;
    this.#verdicts = new Verdicts(parts.catalogue);
    this.#lists = parts.lists;
    this.#sources = sources;
    const columnOf = (source: string) => sources.findIndex(({ name }) => name === source);
    this.#fills = PROPERTIES.map((property) => property.create({ ...parts, statistics }, columnOf));
    this.names = [...sources, ...PROPERTIES].map(({ name }) => name);
    this.#own = this.names.indexOf(OWN);
    this.#returns = parts.returns;
    this.#values = new Float64Array(64 * this.names.length);
  }

  /** The candidates, by index. */
  get items(): readonly number[] {
    return this.#items;
  }

  /** The place of an item among the candidates; −1 if it is not among them. */
  placeOf(item: number): number {
    return item < this.#places.length ? this.#places[item]! - 1 : -1;
  }

  /** Names of the sources that proposed an item. O(candidates). */
  proposersOf(item: number): readonly string[] {
    return this.#sources.flatMap(({ name }, source) => this.#proposals[source]?.includes(item) ? [name] : []);
  }

  /** Whether an item may be recommended. */
  may(index: number): boolean {
    return this.#verdicts.may(index);
  }

  /**
   * The union of what the sources propose, with features.
   *
   * @param sorted Whether to sort by id, for learning: indices are not durable, and sums depend on the order
   */
  gather(request: CandidateRequest, sorted: boolean): Features {
    this.propose(request, sorted);
    return this.features(request);
  }

  /** Unites what the sources propose. @param sorted See {@linkcode Gatherer.gather} */
  propose(request: CandidateRequest, sorted: boolean): void {
    this.#reset(request);
    for (const source of this.#sources) source.ask?.(request);
    const { may } = this.#verdicts;
    this.#proposals = this.#sources.map((source) =>
      source.proposals === 0 ? [] : source.propose(Math.ceil(source.proposals * this.#room), may)
    );
    const items: number[] = [];
    for (const proposed of this.#proposals) {
      for (const item of proposed) if (this.#places[item] === 0) this.#places[item] = items.push(item);
    }
    if (sorted) {
      this.#catalogue.sort(items);
      for (let place = 0; place < items.length; place++) this.#places[items[place]!] = place + 1;
    }
    this.#items = items;
  }

  #reset({ excluded = [], allowed, time }: CandidateRequest): void {
    for (const item of this.#items) this.#places[item] = 0;
    this.#verdicts.reset(allowed, excluded);
    this.#lists.moveTo(time);
    const { size } = this.#catalogue;
    if (size > this.#places.length) this.#places = new Uint32Array(2 * size);
  }

  /** The features of the candidates that were just proposed for a request. */
  features(request: CandidateRequest): Features {
    const items = this.#items;
    const count = items.length;
    const columns = this.names.length;
    if (count * columns > this.#values.length) {
      this.#values = new Float64Array(2 * count * columns);
      this.#scratch = new Float64Array(2 * count);
    }
    const scratch = this.#scratch;
    const values = this.#values.fill(0, 0, count * columns);
    for (const [column, source] of this.#sources.entries()) {
      scoreColumn(count, source.score(items, scratch), { values, column, columns, scratch });
    }
    const categories = this.#categories;
    for (let c = 0; c < count; c++) categories[c] = this.#lists.categoriesOf(items[c]!);
    const candidates: Candidates = { request, count, items, categories, values, columns };
    for (const [k, fill] of this.#fills.entries()) fill(candidates, this.#sources.length + k);
    const returns = this.#returns.expected ? this.#own : -1;
    return { count, values, groups: groupsOf(request.context, request.time), returns };
  }
}

function groupsOf({ size, times }: Context, time: number): readonly number[] {
  let group = 0;
  while (group < BEHAVIOUR_GROUPS.length && size >= BEHAVIOUR_GROUPS[group]!) group++;
  const isOnPage = size > 0 && time - times[0]! < PAGE_MS;
  return isOnPage ? [group, BEHAVIOUR_GROUPS.length + 1] : [group];
}
