/**
 * Candidates for a request that names none. Many cheap sources propose, a blend that is learnt from the log ranks
 * what they propose, and at most `maxCandidates` go on to the model.
 *
 * ```text
 *   behaviour ─▶ neighbours, linear items, sessions, transitions, trends, popularity      every signal, in order
 *             └▶ blend: which candidate was taken?                                        every learnEvery-th, once asked
 *   request   ─▶ sources propose ─▶ union ─▶ blend ─▶ best maxCandidates, some of them new items
 * ```
 *
 * All of it is a fold over the task's behaviours: same events, same candidates, also after a crash (see
 * `retrieval_state.ts`).
 *
 * @module
 */

import type { FeatureStatistics } from "../features/statistics.ts";
import type { Catalogue, CatalogueItem } from "../state/catalogue.ts";
import { decayedCount } from "../state/popularity.ts";
import type { SequenceSlab } from "../state/sequence.ts";
import type { UserState } from "../state/user_state.ts";
import { Blend, type Features } from "./blend.ts";
import { type Context, ContextBuffer, itemsOf } from "./context.ts";
import {
  type CandidateSource,
  FEATURE_NAMES,
  FEATURES,
  scoreColumn,
  SCORED_SOURCES,
  START_WEIGHTS,
} from "./features.ts";
import { ItemLists, type ItemListsOptions } from "./item_lists.ts";
import { ItemScores } from "./item_scores.ts";
import { SLOT_WORDS } from "./neighbour_rows.ts";
import { FAR, NEAR, type NeighboursOptions } from "./neighbours.ts";
import { RetrievalState } from "./retrieval_state.ts";
import type { SessionsOptions } from "./sessions.ts";
import { LEARNT_CONTEXT } from "./signal.ts";

/** Options of {@linkcode Retrieval}. */
export interface RetrievalOptions extends ItemListsOptions {
  /** Candidates a request gets at most. @default {100} */
  readonly maxCandidates?: number;
  /** Share of the candidates that is kept for the newest items, in [0, 1]. @default {0.1} */
  readonly newShare?: number;
  /** Whether what the user had already may come again. @default {false} */
  readonly revisits?: boolean;
  /**
   * Whether co-visits, linear items, sessions, transitions and trends learn; without them candidates are popular,
   * new, or of the same category. For who always names candidates: it is most of what a behaviour costs.
   * @default {true}
   */
  readonly learn?: boolean;
  /** The blend learns from every so many behaviours; a step costs as much as a request. @default {8} */
  readonly learnEvery?: number;
  /** Half-life of what is in demand now, milliseconds of event time. @default {1 day} */
  readonly trendHalfLifeMs?: number;
  /** Which items go together. */
  readonly neighbours?: NeighboursOptions;
  /** Sessions like the user's. */
  readonly sessions?: SessionsOptions;
}

/** A retrieved candidate. */
export interface Candidate {
  /** The item. */
  readonly item: CatalogueItem;
  /** The source that proposed it; where several did, the one that says most. */
  readonly source: CandidateSource;
  /** w·x of the blend: larger is better, comparable within the request. */
  readonly score: number;
}

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
  /** Whether an item may be recommended. */
  readonly allowed: (item: CatalogueItem) => boolean;
}

/** What a {@linkcode Retrieval} reads. */
export interface RetrievalView {
  /** The items. */
  readonly catalogue: Catalogue;
  /** The behaviours of all users. */
  readonly sequences: SequenceSlab;
  /** Rates of items, and tastes of users. */
  readonly statistics: FeatureStatistics;
}

/** Newest behaviours of a user that a request looks at. */
const MAX_CONTEXT = 100;
/** Decay a step back of what the newest behaviours say of far and near neighbours, and how many are asked. */
const FAR_STEP = 0.85;
const NEAR_STEP = 0.9;
const ASKED = 20;
const FAR_MS = 3_600_000;
const NEAR_MS = 60_000;
/** An old behaviour still says this much. */
const FLOOR = 0.05;
/** How much a popular neighbour is marked down: n^−0.2 (the asked one: n^−0.5). */
const POPULARITY_EXPONENT = 0.2;
const CATEGORY_STEP = 0.3;
const CATEGORY_BEHAVIOURS = 3;
const AFFINITY_STEP = 0.85;
const AFFINITY_BEHAVIOURS = 10;
const NEXT_CATEGORIES = 6;
const NEXT_ITEMS = 10;
const REVISIT_STEP = 0.8;
const REVISITS = 60;
/** With fewer behaviours a user is cold: what is popular counts more. */
const WARM = 3;
/** Most that each source proposes. */
const LIMITS = [250, 60, 100, 100, 240, 60, 100, 50, REVISITS] as const;

const [CO, PAGE, LINEAR, SESSIONS, CATEGORY, NEXT, POPULAR, TRENDING, REVISIT] = SCORED_SOURCES.keys();

const COLD = FEATURE_NAMES.indexOf("cold");

/** Retrieves candidates and learns how. */
export class Retrieval {
  /** Lists of popular and new items. */
  readonly lists: ItemLists;
  /** Candidates a request gets at most. */
  readonly maxCandidates: number;
  /** Whether what the user had already may come again. */
  readonly revisits: boolean;
  /** What was learnt, durable with the task. */
  readonly state: RetrievalState;
  readonly #view: RetrievalView;
  readonly #newShare: number;
  readonly #learns: boolean;
  readonly #learnEvery: number;
  readonly #scores = SCORED_SOURCES.map(() => new ItemScores());
  /** Scratch by item: whether it may be recommended (1 yes, 2 no), and its place in the union + 1. */
  #verdicts = new Uint8Array(1024);
  #judged: number[] = [];
  /** Scratch: what was done before a request, and before a behaviour that is learnt. */
  readonly #asked = new ContextBuffer(MAX_CONTEXT);
  readonly #before = new ContextBuffer(LEARNT_CONTEXT);
  #places = new Uint32Array(1024);

  /** Nothing learnt, over a task's items and users. */
  constructor(view: RetrievalView, options: RetrievalOptions = {}) {
    this.#view = view;
    this.lists = new ItemLists(view.catalogue, options);
    this.maxCandidates = options.maxCandidates ?? 100;
    this.revisits = options.revisits ?? false;
    this.#newShare = options.newShare ?? 0.1;
    this.#learns = options.learn ?? true;
    this.#learnEvery = options.learnEvery ?? 8;
    this.state = new RetrievalState(
      view.catalogue,
      new Blend(FEATURE_NAMES.map((name) => START_WEIGHTS[name] ?? 0)),
      {
        neighbours: options.neighbours ?? {},
        sessions: options.sessions ?? {},
        trendHalfLifeMs: options.trendHalfLifeMs ?? 86_400_000,
        transitionHalfLifeMs: this.lists.halfLifeMs,
      },
    );
  }

  /** What a user did up to `time`, newest first; valid until the next call. */
  context(user: UserState, time: number): Context {
    this.#view.sequences.newest(user.row, time, this.#asked);
    return this.#asked;
  }

  /** Learns from a behaviour, before it is in the user's sequence. @param time Event time, not beyond the partition's. */
  learn(user: UserState, item: CatalogueItem, time: number, strength: number): void {
    if (!this.#learns) return;
    const { asked, signals } = this.state;
    if (asked && signals % this.#learnEvery === 0) this.#learnBlend(user, item, time);
    const context = this.#before;
    this.#view.sequences.newest(user.row, time, context);
    const from = context.size === 0 ? undefined : this.#view.catalogue.at(context.items[0]!).categories[0];
    const to = item.categories[0];
    const step = from === undefined || to === undefined ? null : [from, to] as const;
    this.state.learn({ user: user.id, item: item.index, time, liked: strength > 0, context, step });
  }

  /** The best candidates, best first; new items take the last places of their share, and all that is left. */
  candidates(query: CandidateQuery): Candidate[] {
    const { catalogue } = this.#view;
    const { items, features } = this.#gather(query);
    const scores = this.state.blend.score(features);
    const order = Array.from(items.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
    const found = new Map<CatalogueItem, Candidate>();
    const add = (c: number) => {
      const item = catalogue.at(items[c]!);
      found.set(item, { item, source: this.#sourceOf(features, c), score: scores[c]! });
    };
    const fresh = Math.floor(this.maxCandidates * this.#newShare);
    for (const c of order.slice(0, this.maxCandidates - fresh)) add(c);
    const lowest = scores[order.at(-1) ?? -1] ?? 0;
    for (const index of this.lists.fresh()) {
      if (found.size >= this.maxCandidates) break;
      const item = catalogue.at(index);
      if (found.has(item) || !this.#allowed(item.index, query)) continue;
      const at = this.#places[item.index]!;
      if (at === 0) found.set(item, { item, source: "new", score: lowest });
      else add(at - 1);
    }
    for (let k = this.maxCandidates - fresh; k < order.length && found.size < this.maxCandidates; k++) {
      add(order[k]!);
    }
    this.#reset(items);
    return [...found.values()];
  }

  /** The best of a list that is the same for everybody, at most `maxCandidates`. */
  listed(list: "popular" | "trending" | "new", allowed: (item: CatalogueItem) => boolean): CatalogueItem[] {
    const { lists, state: { trends } } = this;
    const items = list === "popular" ? lists.popular() : list === "new" ? lists.fresh() : trends.list();
    return Array.from(items, (index) => this.#view.catalogue.at(index)).filter(allowed)
      .slice(0, this.maxCandidates);
  }

  #learnBlend(user: UserState, item: CatalogueItem, time: number): void {
    const context = this.context(user, time);
    const own = new Set(this.revisits ? [] : itemsOf(context));
    if (own.has(item.index)) return;
    const allowed = (other: CatalogueItem) => !own.has(other.index) && !other.hidden && other.expires > time;
    const { items, features } = this.#gather({ user, context, time, allowed });
    const taken = this.#places[item.index] ?? 0;
    if (taken > 0) this.state.learnBlend(features, taken - 1);
    this.#reset(items);
  }

  /** The union of what the sources propose, by id, with features. */
  #gather(query: CandidateQuery): { items: number[]; features: Features } {
    const size = this.#view.catalogue.size;
    if (size > this.#verdicts.length) {
      this.#verdicts = new Uint8Array(2 * size);
      this.#places = new Uint32Array(2 * size);
    }
    const scores = this.#scores;
    for (const each of scores) each.clear();
    this.#scoreNeighbours(query);
    this.state.linear.score(query.context, scores[LINEAR!]!);
    if (query.user !== null) this.state.sessions.score(query.user.id, query.time, scores[SESSIONS!]!);
    const affinity = this.#scoreCategories(query);
    this.#scoreOwn(query);
    this.#scoreLists(query);
    const items: number[] = [];
    scores.forEach((each, source) => {
      for (const item of each.best(LIMITS[source]!, (item) => this.#allowed(item, query))) {
        if (this.#places[item] === 0) this.#places[item] = items.push(item);
      }
    });
    // Indices are not durable, and a sum depends on its order: by id, it is the same after a restore.
    items.sort((a, b) => this.#view.catalogue.compare(a, b)).forEach((item, place) =>
      this.#places[item] = place + 1
    );
    this.#completeLists(items, query.time);
    return { items, features: this.#features(items, query, affinity) };
  }

  #scoreNeighbours({ context, time }: CandidateQuery): void {
    const { neighbours } = this.state;
    const { rows } = neighbours;
    const { keys, weights } = rows;
    const [far, near] = [this.#scores[CO!]!, this.#scores[PAGE!]!];
    let farStep = 1;
    let nearStep = 1;
    for (let x = 0; x < Math.min(ASKED, context.size); x++) {
      const item = context.items[x]!;
      const gap = Math.max(0, time - context.times[x]!);
      const norm = 1 / Math.sqrt(neighbours.count(item) + 1e-9);
      const a = norm * farStep * (FLOOR + (1 - FLOOR) * 2 ** (-gap / FAR_MS));
      const b = norm * nearStep * (FLOOR + (1 - FLOOR) * 2 ** (-gap / NEAR_MS));
      farStep *= FAR_STEP;
      nearStep *= NEAR_STEP;
      const end = rows.end(item);
      for (let at = rows.begin(item); at < end; at += SLOT_WORDS) {
        if (keys[at] === 0) continue;
        const other = keys[at]! - 1;
        far.add(other, a * weights[at + 1 + FAR]!);
        near.add(other, b * weights[at + 1 + NEAR]!);
      }
    }
    for (const scores of [far, near]) {
      for (const item of scores.items()) {
        scores.scale(item, (neighbours.count(item) + 1e-9) ** -POPULARITY_EXPONENT);
      }
    }
  }

  /** Popular items of the newest categories, and of those that usually come next. @returns The affinity to each category. */
  #scoreCategories({ context, categories, time }: CandidateQuery): Map<string, number> {
    const { catalogue } = this.#view;
    const affinity = new Map<string, number>();
    const weights = new Map<string, number>();
    const raise = (to: Map<string, number>, category: string, by: number) =>
      to.set(category, (to.get(category) ?? 0) + by);
    for (let x = 0; x < Math.min(AFFINITY_BEHAVIOURS, context.size); x++) {
      for (const category of catalogue.at(context.items[x]!).categories) {
        raise(affinity, category, AFFINITY_STEP ** x);
        if (x < CATEGORY_BEHAVIOURS) raise(weights, category, CATEGORY_STEP ** x);
      }
    }
    if (categories !== undefined) {
      for (const category of categories) raise(weights, category, 1);
    }
    for (const [category, weight] of weights) {
      this.#scoreCategory(category, weight, this.#scores[CATEGORY!]!, Infinity, time);
    }
    const first = context.size === 0 ? undefined : catalogue.at(context.items[0]!).categories[0];
    if (first !== undefined) {
      for (const { category, share } of this.state.transitions.after(first, NEXT_CATEGORIES)) {
        this.#scoreCategory(category, share, this.#scores[NEXT!]!, NEXT_ITEMS, time);
      }
    }
    return affinity;
  }

  #scoreCategory(category: string, weight: number, into: ItemScores, limit: number, time: number): void {
    const { catalogue } = this.#view;
    const items = this.lists.category(category);
    for (let rank = 0; rank < Math.min(limit, items.length); rank++) {
      const { index, popularity } = catalogue.at(items[rank]!);
      into.add(index, weight * decayedCount(popularity, time, this.lists.halfLifeMs));
    }
  }

  #scoreOwn({ context }: CandidateQuery): void {
    if (!this.revisits) return;
    for (let x = 0; x < Math.min(REVISITS, context.size); x++) {
      this.#scores[REVISIT!]!.add(context.items[x]!, REVISIT_STEP ** x);
    }
  }

  #scoreLists({ time }: CandidateQuery): void {
    const { catalogue } = this.#view;
    for (const index of this.lists.popular()) {
      const { popularity } = catalogue.at(index);
      this.#scores[POPULAR!]!.add(index, decayedCount(popularity, time, this.lists.halfLifeMs));
    }
    for (const index of this.state.trends.list()) {
      this.#scores[TRENDING!]!.add(index, this.state.trends.count(index, time));
    }
  }

  /** Popularity and demand of candidates that are not on those lists. */
  #completeLists(items: readonly number[], time: number): void {
    const [popular, trending] = [this.#scores[POPULAR!]!, this.#scores[TRENDING!]!];
    for (const item of items) {
      if (popular.get(item) === 0) {
        const { popularity } = this.#view.catalogue.at(item);
        popular.add(item, decayedCount(popularity, time, this.lists.halfLifeMs));
      }
      if (trending.get(item) === 0) trending.add(item, this.state.trends.count(item, time));
    }
  }

  #features(items: number[], query: CandidateQuery, affinity: ReadonlyMap<string, number>): Features {
    const { catalogue, statistics } = this.#view;
    const { context, user } = query;
    const values = new Float64Array(items.length * FEATURES);
    this.#scores.forEach((scores, column) => scoreColumn(items, scores, values, column));
    const cold = context.size < WARM;
    const own = new Set(itemsOf(context));
    const newest = context.size === 0 ? [] : catalogue.at(context.items[0]!).categories;
    const unit = this.state.neighbours.unit(query.time);
    const tastes = new Map<string, number>();
    const tasteOf = (category: string) => {
      if (user === null) return 0;
      let taste = tastes.get(category);
      if (taste === undefined) tastes.set(category, taste = statistics.taste(user.statistics, category));
      return taste;
    };
    items.forEach((index, c) => {
      const item = catalogue.at(index);
      let at = c * FEATURES + SCORED_SOURCES.length;
      values[at++] = cold ? values[c * FEATURES + POPULAR!]! : 0;
      values[at++] = own.has(index) ? 1 : 0;
      values[at++] = statistics.quality(item.statistics);
      let taste = 0;
      let sum = 0;
      for (const category of item.categories) {
        taste += tasteOf(category);
        sum += affinity.get(category) ?? 0;
      }
      values[at++] = taste / (item.categories.length || 1);
      values[at++] = sum / (5 * Math.sqrt(item.categories.length || 1));
      values[at++] = Math.log1p(this.state.neighbours.count(index) / unit);
      values[at] = item.categories.some((category) => newest.includes(category)) ? 1 : 0;
    });
    return { count: items.length, values };
  }

  /** The source that adds most to the candidate's score. */
  #sourceOf({ values }: Features, c: number): CandidateSource {
    const { weights } = this.state.blend;
    let best = POPULAR!;
    let most = -Infinity;
    for (let source = 0; source < SCORED_SOURCES.length; source++) {
      const value = values[c * FEATURES + source]!;
      if (value === 0) continue;
      const cold = source === POPULAR && values[c * FEATURES + COLD]! > 0 ? weights[COLD]! : 0;
      const part = Math.max(weights[source]! + cold, 1e-6) * value;
      if (part > most) {
        most = part;
        best = source;
      }
    }
    return SCORED_SOURCES[best]!;
  }

  #allowed(index: number, { allowed }: CandidateQuery): boolean {
    const verdict = this.#verdicts[index]!;
    if (verdict !== 0) return verdict === 1;
    const answer = allowed(this.#view.catalogue.at(index));
    this.#verdicts[index] = answer ? 1 : 2;
    this.#judged.push(index);
    return answer;
  }

  #reset(items: readonly number[]): void {
    for (const item of items) this.#places[item] = 0;
    for (const item of this.#judged) this.#verdicts[item] = 0;
    this.#judged = [];
  }
}
