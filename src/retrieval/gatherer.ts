/**
 * What all sources propose for a request, as one list of candidates with features.
 *
 * @module
 */

import type { FeatureStatistics } from "../features/statistics.ts";
import type { Catalogue, CatalogueItem } from "../users/catalogue.ts";
import type { SequenceSlab } from "../users/sequence.ts";
import type { UserState } from "../users/user_state.ts";
import type { Features } from "./blend.ts";
import type { Context } from "./signals/context.ts";
import type { DecayedCounts } from "./items/decayed_counts.ts";
import { FEATURES, PROPERTIES, PROPOSALS, type ScoreColumn, scoreColumn } from "./features.ts";
import { SCORED_SOURCES } from "../events/candidate_source.ts";
import type { ItemLists } from "./items/item_lists.ts";
import { ItemScores } from "./items/item_scores.ts";
import { logarithms } from "./items/logarithms.ts";
import { FAR, NEAR, TOGETHER } from "./sources/neighbours.ts";
import type { RetrievalState } from "./retrieval_state.ts";

/** What candidates are wanted. */
export interface CandidateQuery {
  /** For whom; without a user, for somebody who did only what `context` says. */
  readonly user: UserState | null;
  /** What was done before, newest first. */
  readonly context: Context;
  /** Event time. */
  readonly time: number;
  /** Categories that are asked for, if any. */
  readonly categories?: readonly string[];
  /** Items that may not be recommended, by index, some perhaps twice. */
  readonly excluded?: ArrayLike<number>;
  /** Whether another item may be. */
  readonly allowed: (item: CatalogueItem) => boolean;
}

/** What a {@linkcode Gatherer} and a `Retrieval` read. */
export interface RetrievalView {
  /** The items. */
  readonly catalogue: Catalogue;
  /** The behaviours of all users. */
  readonly sequences: SequenceSlab;
  /** Rates of items, and tastes of users. */
  readonly statistics: FeatureStatistics;
}

/** Decay a step back of what the newest behaviours say of far and near neighbours, and how many are asked. */
const FAR_STEP = 0.85;
const NEAR_STEP = 0.9;
const BOTH_STEP = 0.98;
const ASKED = 20;
const FAR_MS = 3_600_000;
const NEAR_MS = 60_000;
/** An old behaviour still says this much. */
const FLOOR = 0.05;
/** Shares of what the newest behaviours say of their categories, and how many are asked. */
const CATEGORY_STEP = 0.5;
const CATEGORY_BEHAVIOURS = 5;
const AFFINITY_STEP = 0.85;
const AFFINITY_BEHAVIOURS = 10;
const NEXT_CATEGORIES = 6;
const NEXT_ITEMS = 10;
const REVISIT_STEP = 0.8;
/** With fewer behaviours a user is cold: what is popular counts more. */
const WARM = 3;
/** Groups of the blend: users with fewer behaviours than the first, the second, ..., and the others. */
const BEHAVIOUR_GROUPS = [1, 3, 10, 30];
/** One more group: whose newest behaviour is younger than this. */
const PAGE_MS = 30_000;
/** The property of what the user had. */
const OWN = PROPERTIES.indexOf("own");
/** Number of all groups. */
export const GROUPS: number = BEHAVIOUR_GROUPS.length + 2;
/** Sources whose scores are sums over pairs: co-visited, same-page, closest, liked, together, in this order. */
const PAIRED = 5;
const [LINEAR, SESSIONS, CATEGORY, NEXT, POPULAR, TRENDING, REVISIT] = [
  ...SCORED_SOURCES.keys(),
]
  .slice(
    PAIRED,
  );
const MINUTE_MS = 60_000;
/** With so many pairs a known item, their scores are looked through item by item, and not pair by pair. */
const DENSE = 0.5;

/** Gathers candidates; what it gives is valid until the next call. */
export class Gatherer {
  readonly #view: RetrievalView;
  readonly #state: RetrievalState;
  readonly #lists: ItemLists;
  readonly #revisits: boolean;
  /** Scores of the first {@linkcode PAIRED} sources in columns, and of each of the others that are not lists. */
  readonly #pairs = new ItemScores(PAIRED);
  readonly #scores: readonly ScoreColumn[] = SCORED_SOURCES.map((_, source) =>
    source < PAIRED ? { scores: this.#pairs, column: source } : { scores: new ItemScores(), column: 0 }
  );
  /** By number of a category: affinity of the newest behaviours to it, and its weight. */
  readonly #affinity = new ItemScores();
  readonly #weights = new ItemScores();
  /** By number of a category that counts for the request: what an item of it scores for each unit of its popularity. */
  readonly #scales = new ItemScores();
  /** By item: whether it may be recommended (1 yes, 2 no), and its place among the candidates + 1. */
  #verdicts = new Uint8Array(1024);
  #judged: number[] = [];
  #places = new Uint32Array(1024);
  /** By item: which sources propose it, a bit each. */
  #sources = new Uint16Array(1024);
  /** By item: 1 where the user had it. */
  #own = new Uint8Array(1024);
  /** By number of a category: the user's taste in it, NaN where it was not asked for; and which were. */
  #tastes = new Float64Array(256).fill(NaN);
  #tasted: number[] = [];
  #items: number[] = [];
  #values = new Float64Array(1024 * FEATURES);
  #scratch = new Float64Array(1024);
  /** By candidate: ln(1 + minutes), the age of its behaviours. */
  #ages = new Float64Array(1024);
  #allowed: (item: CatalogueItem) => boolean = () => true;
  readonly #may = (index: number): boolean => this.may(index);

  /** Gathers from what was learnt. @param revisits Whether what the user had already may come again. */
  constructor(view: RetrievalView, state: RetrievalState, lists: ItemLists, revisits: boolean) {
    this.#view = view;
    this.#state = state;
    this.#lists = lists;
    this.#revisits = revisits;
  }

  /** The candidates, by index. */
  get items(): readonly number[] {
    return this.#items;
  }

  /** The place of an item among the candidates; −1 when it is none. */
  placeOf(item: number): number {
    return item < this.#places.length ? this.#places[item]! - 1 : -1;
  }

  /** Which sources propose an item: bit k for the k-th of {@linkcode SCORED_SOURCES}. */
  sourcesOf(item: number): number {
    return item < this.#sources.length ? this.#sources[item]! : 0;
  }

  /** Whether an item may be recommended. */
  may(index: number): boolean {
    const verdict = this.#verdicts[index]!;
    if (verdict !== 0) return verdict === 1;
    const answer = this.#allowed(this.#view.catalogue.at(index));
    this.#verdicts[index] = answer ? 1 : 2;
    this.#judged.push(index);
    return answer;
  }

  /**
   * The union of what the sources propose, with features.
   *
   * @param sorted Whether by id: indices are not durable, and a sum depends on its order
   */
  gather(query: CandidateQuery, sorted: boolean): Features {
    this.#reset(query);
    const scores = this.#scores;
    this.#scoreNeighbours(query);
    this.#state.linear.score(query.context, scores[LINEAR!]!.scores);
    if (query.user !== null) {
      this.#state.sessions.score(query.user.id, query.time, scores[SESSIONS!]!.scores);
    }
    this.#scoreCategories(query);
    this.#scoreOwn(query);
    const items: number[] = [];
    for (let source = 0; source < scores.length; source++) {
      for (const item of this.#proposed(source)) {
        if (this.#places[item] === 0) this.#places[item] = items.push(item);
        this.#sources[item] = this.#sources[item]! | 1 << source;
      }
    }
    if (sorted) {
      items.sort((a, b) => this.#view.catalogue.compare(a, b)).forEach((item, place) =>
        this.#places[item] = place + 1
      );
    }
    this.#items = items;
    return this.#features(items, query);
  }

  #reset({ excluded = [], allowed, time }: CandidateQuery): void {
    for (const item of this.#items) this.#places[item] = this.#sources[item] = 0;
    for (const item of this.#judged) this.#verdicts[item] = 0;
    this.#judged = [];
    this.#allowed = allowed;
    for (const { scores } of this.#scores) scores.clear();
    for (const scores of [this.#affinity, this.#weights, this.#scales]) scores.clear();
    this.#lists.popularity.moveTo(time);
    this.#state.trends.counts.moveTo(time);
    const { size } = this.#view.catalogue;
    if (size > this.#verdicts.length) {
      this.#verdicts = new Uint8Array(2 * size);
      this.#places = new Uint32Array(2 * size);
      this.#sources = new Uint16Array(2 * size);
      this.#own = new Uint8Array(2 * size);
    }
    for (let k = 0; k < excluded.length; k++) {
      this.#verdicts[excluded[k]!] = 2;
      this.#judged.push(excluded[k]!);
    }
  }

  /** What a source proposes, in no order. */
  #proposed(source: number): readonly number[] {
    const limit = PROPOSALS[SCORED_SOURCES[source]!];
    if (limit === 0) return [];
    if (source === POPULAR) return this.#listed(this.#lists.popular(), this.#lists.popularity, limit);
    const { trends } = this.#state;
    if (source === TRENDING) return this.#listed(trends.list(), trends.counts, limit);
    const { scores, column } = this.#scores[source]!;
    return scores.best(limit, this.#may, column);
  }

  /** The first `limit` of a list by counts that may be recommended, and who has the same count as the last of them. */
  #listed(list: Uint32Array, counts: DecayedCounts, limit: number): readonly number[] {
    const items: number[] = [];
    let border = 0;
    for (let place = 0; place < list.length; place++) {
      const item = list[place]!;
      const count = counts.count(item);
      if (count === 0 || (items.length >= limit && count < border)) break;
      if (!this.may(item)) continue;
      if (items.push(item) === limit) border = count;
    }
    return items;
  }

  #scoreNeighbours({ context, time }: CandidateQuery): void {
    const { neighbours } = this.#state;
    const { rows } = neighbours;
    const { keys, weights } = rows;
    const pairs = this.#pairs;
    const { columns } = pairs;
    const bound = this.#view.catalogue.size;
    const asked = Math.min(ASKED, context.size);
    let all = 0;
    for (let x = 0; x < asked; x++) all += rows.size(context.items[x]!);
    const isDense = all > DENSE * bound;
    if (isDense) pairs.reserve(bound);
    let farStep = 1;
    let nearStep = 1;
    let bothStep = 1;
    for (let x = 0; x < asked; x++) {
      const item = context.items[x]!;
      const isLiked = context.liked[x] === 1;
      const gap = Math.max(0, time - context.times[x]!);
      const norm = 1 / Math.sqrt(neighbours.count(item) + 1e-9);
      const a = norm * farStep * (FLOOR + (1 - FLOOR) * 2 ** (-gap / FAR_MS));
      const b = norm * nearStep * (FLOOR + (1 - FLOOR) * 2 ** (-gap / NEAR_MS));
      const c = norm * bothStep;
      farStep *= FAR_STEP;
      nearStep *= NEAR_STEP;
      bothStep *= BOTH_STEP;
      const size = rows.collect(item);
      const { slots } = rows;
      if (!isDense) pairs.touchAll(keys, slots, { count: size, bound });
      const { values } = pairs;
      for (let k = 0; k < size; k++) {
        const at = slots[k]!;
        const to = Math.imul(keys[at]! - 1, columns);
        const amount = a * weights[at + 1 + FAR]!;
        values[to] = values[to]! + amount;
        values[to + 1] = values[to + 1]! + b * weights[at + 1 + NEAR]!;
        if (amount > values[to + 2]!) values[to + 2] = amount;
        if (!isLiked) continue;
        values[to + 3] = values[to + 3]! + amount;
        values[to + 4] = values[to + 4]! + c * weights[at + 1 + TOGETHER]!;
      }
    }
    if (isDense) pairs.touchScored(bound);
    pairs.scaleAll((item) => neighbours.discount(item));
  }

  /** Popular items of the newest categories, and of those that usually come next; and the affinity to each category. */
  #scoreCategories({ context, categories }: CandidateQuery): void {
    const lists = this.#lists;
    const [affinity, weights] = [this.#affinity, this.#weights];
    for (let x = 0; x < Math.min(AFFINITY_BEHAVIOURS, context.size); x++) {
      for (const category of lists.categoriesOf(context.items[x]!)) {
        affinity.add(category, AFFINITY_STEP ** x);
        if (x < CATEGORY_BEHAVIOURS) weights.add(category, CATEGORY_STEP ** x);
      }
    }
    for (const category of categories ?? []) {
      const number = lists.numberOf(category);
      if (number !== undefined) weights.add(number, 1);
    }
    for (const category of weights.items()) {
      const scale = this.#scoreCategory(
        category,
        weights.get(category),
        this.#scores[CATEGORY!]!.scores,
        Infinity,
      );
      this.#scales.add(category, scale);
    }
    const first = context.size === 0 ? undefined : this.#view.catalogue.at(context.items[0]!).categories[0];
    if (first === undefined) return;
    for (const { category, share } of this.#state.transitions.after(first, NEXT_CATEGORIES)) {
      const number = lists.numberOf(category);
      if (number !== undefined) this.#scoreCategory(number, share, this.#scores[NEXT!]!.scores, NEXT_ITEMS);
    }
  }

  /** Scores the popular items of a category. @returns Score a unit of popularity. */
  #scoreCategory(category: number, weight: number, into: ItemScores, limit: number): number {
    const items = this.#lists.category(category);
    const { popularity } = this.#lists;
    let all = 0;
    for (let rank = 0; rank < items.length; rank++) all += popularity.count(items[rank]!);
    // Between its count, which favours large categories, and its share of them, which favours small ones.
    const scaled = all > 0 ? weight / Math.sqrt(all) : 0;
    const count = Math.min(limit, items.length);
    for (let rank = 0; rank < count; rank++) into.add(items[rank]!, scaled * popularity.count(items[rank]!));
    return scaled;
  }

  #scoreOwn({ context }: CandidateQuery): void {
    if (!this.#revisits) return;
    for (let x = 0; x < Math.min(PROPOSALS["re-visit"], context.size); x++) {
      this.#scores[REVISIT!]!.scores.add(context.items[x]!, REVISIT_STEP ** x);
    }
  }

  /** Puts scores of candidates into the scratch: by categories, on their lists or beyond. @returns The largest. */
  #fillCategory(items: readonly number[]): number {
    const [scratch, scales, lists] = [this.#scratch, this.#scales, this.#lists];
    const { popularity } = lists;
    let most = 0;
    for (let c = 0; c < items.length; c++) {
      const categories = lists.categoriesOf(items[c]!);
      let scale = 0;
      for (let k = 0; k < categories.length; k++) scale += scales.get(categories[k]!);
      const score = scratch[c] = scale * popularity.count(items[c]!);
      if (score > most) most = score;
    }
    return most;
  }

  /** Puts counts of candidates into the scratch. @returns The largest. */
  #fillCounts(items: readonly number[], counts: DecayedCounts): number {
    const scratch = this.#scratch;
    let most = 0;
    for (let c = 0; c < items.length; c++) {
      const count = scratch[c] = counts.count(items[c]!);
      if (count > most) most = count;
    }
    return most;
  }

  /** Puts a source's scores of candidates into the scratch. @returns The largest; without any, the scratch means nothing. */
  #fill(items: readonly number[], source: number): number {
    if (source === CATEGORY) return this.#fillCategory(items);
    if (source === POPULAR) return this.#fillCounts(items, this.#lists.popularity);
    if (source === TRENDING) return this.#fillCounts(items, this.#state.trends.counts);
    const { scores, column } = this.#scores[source]!;
    return scores.pick(items, column, this.#scratch);
  }

  /** Puts the ages of candidates' behaviours into place. */
  #fillAges(items: readonly number[], time: number): void {
    const { trends } = this.#state;
    for (let c = 0; c < items.length; c++) this.#ages[c] = trends.age(items[c]!, time) / MINUTE_MS;
    logarithms(this.#ages, items.length);
  }

  #features(items: readonly number[], query: CandidateQuery): Features {
    const { catalogue, statistics } = this.#view;
    const [lists, affinity] = [this.#lists, this.#affinity];
    const { context, user, time } = query;
    const { neighbours } = this.#state;
    const unit = neighbours.unit(time);
    const count = items.length;
    if (count * FEATURES > this.#values.length) {
      this.#values = new Float64Array(2 * count * FEATURES);
      this.#scratch = new Float64Array(2 * count);
      this.#ages = new Float64Array(2 * count);
    }
    const scratch = this.#scratch;
    const values = this.#values.fill(0, 0, count * FEATURES);
    for (let column = 0; column < SCORED_SOURCES.length; column++) {
      scoreColumn(count, this.#fill(items, column), { values, column, scratch });
    }
    this.#fillAges(items, time);
    for (let c = 0; c < count; c++) scratch[c] = neighbours.count(items[c]!) / unit;
    logarithms(scratch, count);
    const cold = context.size < WARM;
    const own = this.#own;
    for (let x = 0; x < context.size; x++) own[context.items[x]!] = 1;
    const revisits = this.#revisits;
    const newest = context.size === 0 ? [] : lists.categoriesOf(context.items[0]!);
    for (let c = 0; c < count; c++) {
      const index = items[c]!;
      const isOwn = own[index] === 1;
      let at = c * FEATURES + SCORED_SOURCES.length;
      if (revisits && isOwn) {
        // Others say nothing of whether somebody comes back, and would be taught by it what is new to somebody.
        const from = c * FEATURES;
        values.fill(0, from, from + REVISIT!).fill(0, from + REVISIT! + 1, at);
        values[at + OWN] = 1;
        continue;
      }
      const item = catalogue.at(index);
      values[at++] = cold ? values[c * FEATURES + POPULAR!]! : 0;
      values[at++] = isOwn ? 1 : 0;
      values[at++] = statistics.quality(item.statistics);
      const categories = lists.categoriesOf(index);
      let taste = 0;
      let sum = 0;
      let same = 0;
      for (let k = 0; k < categories.length; k++) {
        const category = categories[k]!;
        if (user !== null) taste += this.#taste(user, category, item.categories[k]!);
        sum += affinity.get(category);
        if (newest.includes(category)) same = 1;
      }
      const some = categories.length || 1;
      values[at++] = taste / some;
      values[at++] = sum / (5 * Math.sqrt(some));
      values[at++] = scratch[c]!;
      values[at++] = same;
      values[at] = this.#ages[c]!;
    }
    for (let x = 0; x < context.size; x++) own[context.items[x]!] = 0;
    for (const category of this.#tasted) this.#tastes[category] = NaN;
    this.#tasted = [];
    return { count, values, groups: groupsOf(context, time) };
  }

  /** The user's taste in a category, by its number and name; remembered until the features are made. */
  #taste(user: UserState, number: number, category: string): number {
    if (number >= this.#tastes.length) {
      const tastes = new Float64Array(2 * number).fill(NaN);
      tastes.set(this.#tastes);
      this.#tastes = tastes;
    }
    const known = this.#tastes[number]!;
    if (known === known) return known;
    this.#tasted.push(number);
    return this.#tastes[number] = this.#view.statistics.taste(user.statistics, category);
  }
}

function groupsOf({ size, times }: Context, time: number): readonly number[] {
  let group = 0;
  while (group < BEHAVIOUR_GROUPS.length && size >= BEHAVIOUR_GROUPS[group]!) group++;
  const isOnPage = size > 0 && time - times[0]! < PAGE_MS;
  return isOnPage ? [group, BEHAVIOUR_GROUPS.length + 1] : [group];
}
