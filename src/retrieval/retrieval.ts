/**
 * Candidates for a request that names none. Many cheap sources propose, a blend that is learnt from the log ranks
 * what they propose, and at most `maxCandidates` go on to the model.
 *
 * ```text
 *   behaviour ─▶ neighbours, linear items, sessions, transitions, trends, popularity      every signal, in order
 *             └▶ blend: which candidate was taken?                                        a share of the wanted ones
 *   request   ─▶ sources propose ─▶ union ─▶ blend ─▶ best maxCandidates, some of them new items
 * ```
 *
 * Everything except the bank and the head, which come with versions of the parameters, is a fold over the task's
 * behaviours: same events, same candidates, also after a crash (see `retrieval_state.ts`). What the blend learns of
 * the bank depends on which version was live.
 *
 * @module
 */

import { settle } from "../options/option.ts";
import { hash32, mulberry32 } from "../draws/random.ts";
import { hashString } from "../embeddings/hash.ts";
import type { CatalogueItem } from "../items/catalogue.ts";
import { type Preference, preferenceOf } from "../samples/preference.ts";
import type { UserState } from "../users/user_state.ts";
import { Blend } from "./blend.ts";
import { type Features, isReturn } from "./features.ts";
import { type Context, ContextBuffer, repeatWeight } from "./signals/context.ts";
import type { CandidateSource } from "../events/candidate_source.ts";
import type { PairList, ScoreList } from "../nn/models/pair_head/pair_list.ts";
import { Gatherer, GROUPS, type RetrievalView } from "./gatherer.ts";
import { PairLists } from "./head/pair_lists.ts";
import { PROPERTIES } from "./properties.ts";
import type { PooledPairs } from "../features/pooled/pooled_pairs.ts";
import { POPULAR } from "./sources/popular.ts";
import type { CandidateRequest } from "./signals/candidate_request.ts";
import { NEXT } from "./sources/next.ts";
import { createSources, SOURCES } from "./sources/registry.ts";
import type { SignalFold, Source, SourceKind } from "./sources/source.ts";
import { type SourceParts, sourceParts } from "./sources/parts.ts";
import { ItemLists } from "./items/item_lists.ts";
import { nthLargest } from "../vectors/nth_largest.ts";
import { EAGER_STEPS, RETRIEVAL_OPTIONS, type RetrievalOptions, UNASKED_EVERY } from "./retrieval_options.ts";
import { RetrievalState } from "./retrieval_state.ts";
import { sharesOf } from "./shares.ts";
import { type Part, PARTS, type ScoresByPart, type Stacked } from "./stack/stack.ts";
import type { Pace } from "./items/pace.ts";
import { LEARNT_CONTEXT } from "./signals/signal.ts";
import { SourceCounts } from "./source_counts.ts";

/** A retrieved candidate. */
export interface Candidate {
  /** The item. */
  readonly item: CatalogueItem;
  /** The source that proposed it; where several did, the one that says most. */
  readonly source: CandidateSource;
  /** Score of the blend, w·x, or of the stack: larger is better, comparable within the request. */
  readonly score: number;
  /**
   * P(the user takes it next) by that score, among all that was proposed and as many with the lowest score as may be drawn
   * besides, so that those of different candidates add up to 1 at most.
   */
  readonly share: number;
  /** By the stack without the model's part: ln of such a share; absent where it was not asked for. */
  readonly stacked?: number;
}

/** Options of {@linkcode Retrieval.candidates}. */
export interface CandidateOptions {
  /** Most candidates to give, those with the largest scores. @default {Infinity} */
  readonly most?: number | undefined;
  /** Whether the stack is to order them. @default {false} */
  readonly stacked?: boolean | undefined;
}

/** Newest behaviours of a user that a request looks at. */
const MAX_CONTEXT = 100;
/** Candidates of a preference: what more of them bring, more preferences in the same bytes bring, too. */
const PREFERENCE_CANDIDATES = 16;
/** Items looked at for a place, at most: many may be off sale. */
const LOOKS_A_PLACE = 20;

/** Retrieves candidates and learns how. */
export class Retrieval {
  /** Lists of popular and new items. */
  readonly lists: ItemLists;
  /** Most candidates per request. */
  readonly maxCandidates: number;
  /** Whether items of the user's behaviours may be recommended again. */
  readonly revisits: boolean;
  /** How much each source gives since the process began. */
  readonly sources: SourceCounts;
  /** What was learnt, durable with the task. */
  readonly state: RetrievalState;
  readonly #view: RetrievalView;
  readonly #newShare: number;
  readonly #learns: boolean;
  readonly #learnEvery: number;
  readonly #gatherer: Gatherer;
  /** Makes the lists that the pair head orders; `null` where it does not. */
  readonly #pairLists: PairLists | null;
  /** What the sources share. */
  readonly parts: SourceParts;
  readonly #sources: readonly Source[];
  /** By source: the feature that repeats its own; −1 = none does. */
  readonly #repeats: Int16Array;
  #stacked: Stacked | null = null;
  /** Scratch: scores of candidates. */
  #sorted = new Float64Array(1024);
  /** Scratch: what was done before a request, and before a behaviour that is learnt. */
  readonly #asked = new ContextBuffer(MAX_CONTEXT);
  readonly #before = new ContextBuffer(LEARNT_CONTEXT);

  /** Nothing learnt, over a task's items and users. */
  constructor(view: RetrievalView, options: RetrievalOptions = {}, kinds: readonly SourceKind[] = SOURCES) {
    this.#view = view;
    this.lists = new ItemLists(view.catalogue, options);
    const settled = settle(RETRIEVAL_OPTIONS, options);
    this.maxCandidates = settled.maxCandidates;
    this.revisits = settled.revisits;
    this.#newShare = settled.newShare;
    this.#learns = settled.learn;
    this.#learnEvery = settled.learnEvery;
    const { catalogue } = view;
    const parts = this.parts = sourceParts(catalogue, this.lists, settled, () => view.bank ?? null);
    const sources = createSources(parts, kinds);
    this.#sources = sources;
    this.sources = new SourceCounts(sources);
    const blend = new Blend([...sources, ...PROPERTIES], GROUPS);
    const { pooled = null } = view;
    // The pace advances before anything is counted.
    const learning = settled.learn ? [paceFold(parts.pace), ...sources] : [];
    const folds = [...learning, ...(pooled === null ? [] : [foldOf(pooled)])];
    this.state = new RetrievalState({ catalogue, lists: this.lists, sources, folds, blend });
    this.#repeats = Int16Array.from(sources, ({ name }) => {
      const property = PROPERTIES.findIndex(({ repeats }) => repeats === name);
      return property < 0 ? -1 : sources.length + property;
    });
    this.#gatherer = new Gatherer(view, sources, parts);
    this.#pairLists = options.head === true ? new PairLists(parts, this.#gatherer.names) : null;
  }

  /** Which parts order what {@linkcode Retrieval.candidates} gave last; `null` where the stack does not. */
  get stacked(): Stacked | null {
    return this.#stacked;
  }

  /** Whether the stack uses the model's scores, too. */
  get needsModel(): boolean {
    return this.state.stack.partsOf(this.#there, this.#view.modelShare ?? 0).includes("model");
  }

  /** The parts that order lists under `ranking: "auto"` now; none before such a list was asked for. */
  get ordering(): readonly Part[] {
    const { stack, stackAsked } = this.state;
    return stackAsked ? stack.partsOf(this.#there, this.#view.modelShare ?? 0) : [];
  }

  /** The parts that can order a list now. */
  get #there(): readonly Part[] {
    const { bank = null, modelShare = 0 } = this.#view;
    const there = {
      blend: true,
      head: this.#scorePairs !== null,
      bank: bank !== null,
      model: modelShare > 0,
    };
    return PARTS.filter((part) => there[part]);
  }

  /** The pair head; `null` where there is none. */
  get #scorePairs(): ScoreList | null {
    return this.#pairLists === null ? null : this.#view.order?.(this.#pairLists.names) ?? null;
  }

  /** What a user did up to `time`, newest first; valid until the next call. */
  context(user: UserState, time: number): Context {
    this.#view.sequences.newest(user.row, time, this.#asked);
    return this.#asked;
  }

  /**
   * Learns from a behaviour, before it is in the user's sequence.
   *
   * @param time Event time, not beyond the partition's
   * @param wanted Whether it is what a recommendation is for: the blend and the pair head learn from such behaviours only
   * @returns The preference for the pair head to be learnt from; `null` where there is none
   */
  learn(
    user: UserState,
    item: CatalogueItem,
    time: number,
    strength: number,
    wanted: boolean,
  ): Preference | null {
    const isDetailed = (this.#view.pooled ?? null) !== null;
    if (!this.#learns && !isDetailed) return null;
    const preference = this.#learns && wanted ? this.#choose(user, item, time) : null;
    const context = this.#before;
    this.#view.sequences.newest(user.row, time, context);
    const from = context.size === 0 ? undefined : this.#view.catalogue.at(context.items[0]!).categories[0];
    const to = item.categories[0];
    const step = from === undefined || to === undefined ? null : [from, to] as const;
    const signal = { user: user.id, item: item.index, time, liked: strength > 0, wanted, context, step };
    this.state.learn(
      isDetailed ? { ...signal, detail: { strength: Math.fround(strength), category: to ?? null } } : signal,
    );
    return preference;
  }

  /** Counts a positive of an item, for this task and the others; of a repeat less, so it counts as an older one. */
  raise(user: UserState, item: CatalogueItem, time: number): void {
    const context = this.#before;
    this.#view.sequences.newest(user.row, time, context);
    const counted = time + Math.round(this.lists.halfLifeMs * Math.log2(repeatWeight(context, item.index)));
    this.lists.raise(item, counted);
    this.state.raised(item.index, counted);
  }

  /**
   * The best candidates, best first; new and drawn items take the last places: their share, and all that is left.
   */
  candidates(
    request: CandidateRequest,
    { most = Infinity, stacked = false }: CandidateOptions = {},
  ): Candidate[] {
    const { catalogue } = this.#view;
    const gatherer = this.#gatherer;
    const features = gatherer.gather(request, false);
    const { items } = gatherer;
    const blended = this.state.blend.score(features);
    const stack = stacked ? this.#stack(request, features, blended) : null;
    this.#stacked = stack;
    const scores = stack !== null && most < Infinity ? stack.scores : blended;
    const weights = this.state.blend.weightsOf(features.groups);
    const { returnWeights } = this.state.blend;
    const shareOf = sharesOf(scores, this.maxCandidates);
    const stackedShareOf = stack === null ? null : sharesOf(stack.scores, this.maxCandidates);
    const stackedOf = (score = stack?.lowest ?? 0) =>
      stackedShareOf === null ? {} : { stacked: Math.log(stackedShareOf(score)) };
    const candidate = (c: number): Candidate => ({
      item: catalogue.at(items[c]!),
      source: this.#sourceOf(features, c, isReturn(features, weights.length, c) ? returnWeights : weights),
      score: scores[c]!,
      share: shareOf(scores[c]!),
      ...stackedOf(stack?.scores[c]),
    });
    const fresh = Math.floor(this.maxCandidates * this.#newShare);
    // What is in the last places has no larger score.
    if (most <= Math.min(items.length, this.maxCandidates - fresh)) {
      return this.#best(items, scores, most).map(candidate);
    }
    const order = this.#best(items, scores, this.maxCandidates);
    const found = new Map<number, Candidate>();
    const add = (c: number) => found.set(items[c]!, candidate(c));
    for (const c of order.slice(0, this.maxCandidates - fresh)) add(c);
    let lowest = items.length === 0 ? 0 : Infinity;
    for (let c = 0; c < items.length; c++) lowest = Math.min(lowest, scores[c]!);
    // Half of the room for what no source proposes, which is all that they leave, is for the newest items.
    const newest = found.size + Math.ceil((this.maxCandidates - found.size) / 2);
    const fill = (indices: Iterable<number>, source: CandidateSource, until: number) => {
      let looks = LOOKS_A_PLACE * (until - found.size);
      for (const index of indices) {
        if (found.size >= until || looks-- <= 0) return;
        if (found.has(index) || !gatherer.may(index)) continue;
        const at = gatherer.placeOf(index);
        if (at >= 0) add(at);
        else {
          const last = { score: lowest, share: shareOf(lowest), ...stackedOf() };
          found.set(index, { item: catalogue.at(index), source, ...last });
        }
      }
    };
    fill(this.lists.fresh(), "new", newest);
    fill(this.lists.ring.from(placeOf(request)), "drawn", this.maxCandidates);
    for (let k = this.maxCandidates - fresh; k < order.length && found.size < this.maxCandidates; k++) {
      add(order[k]!);
    }
    const all = [...found.values()];
    return most === Infinity ? all : all.sort((a, b) => b.score - a.score).slice(0, most);
  }

  /** The best of a list that is the same for everybody, at most `maxCandidates`. */
  listed(list: "popular" | "trending" | "new", allowed: (item: CatalogueItem) => boolean): CatalogueItem[] {
    const named = this.#sources.find(({ name }) => name === list);
    const items = list === "new" ? this.lists.fresh() : named?.list?.() ?? [];
    return Array.from(items, (index) => this.#view.catalogue.at(index)).filter(allowed)
      .slice(0, this.maxCandidates);
  }

  /**
   * Blend, stack and head learn from one wanted behaviour in this many: from all after the first request, then from
   * fewer and fewer.
   */
  #learntEvery(): number {
    if (!this.state.asked) return UNASKED_EVERY;
    return Math.min(this.#learnEvery, 2 ** Math.floor(this.state.blend.steps / EAGER_STEPS));
  }

  /** Whether there are preferences for the pair head: before anybody asks for a list, and where the stack orders them. */
  get #teachesHead(): boolean {
    const { asked, stackAsked } = this.state;
    return this.#pairLists !== null && (stackAsked || !asked);
  }

  /** Learns from an item that was taken, if a step is due. @returns The preference for the pair head */
  #choose(user: UserState, item: CatalogueItem, time: number): Preference | null {
    // Not by a count, which would always meet the same kind of event where kinds alternate.
    if (drawOf(user, item, time) % this.#learntEvery() !== 0) return null;
    const context = this.context(user, time);
    const excluded = this.revisits ? new Uint32Array() : this.ownItems(user, time);
    if (excluded.includes(item.index) || this.hadBefore(user, item)) return null;
    const allowed = (other: CatalogueItem) =>
      !other.withheld && other.expires > time && !this.hadBefore(user, other);
    const request = { user, context, time, excluded, allowed };
    const features = this.#gatherer.gather(request, true);
    const place = this.#gatherer.placeOf(item.index);
    this.sources.take(this.#gatherer.proposersOf(item.index));
    if (place < 0) return null;
    // Before the blend learns from it.
    const preference = this.#learnOrders(request, features, place);
    this.state.learnBlend(features, place);
    return preference;
  }

  /** What the user had up to a time, of the behaviours that are kept. */
  ownItems({ row }: UserState, time: number): Uint32Array {
    const { sequences } = this.#view;
    const own = new Uint32Array(sequences.length(row));
    let size = 0;
    for (let place = 0; place < own.length; place++) {
      if (sequences.time(row, place) <= time) own[size++] = sequences.item(row, place);
    }
    return own.subarray(0, size);
  }

  /** Whether the user had an item before the behaviours that are kept, where that is left out of lists. */
  hadBefore({ former }: UserState, item: CatalogueItem): boolean {
    return former !== null && !this.revisits && former.has(item.id);
  }

  /**
   * Whether all items that the user had are known. If not, lists contain items that cannot be taken any more and look
   * better than most: a head would learn from them that good-looking items are not taken, and what it learnt from
   * other users does not apply to them.
   */
  #knowsAll(user: UserState | null): boolean {
    const { sequences } = this.#view;
    if (this.revisits || user === null) return true;
    const dropped = sequences.total(user.row) - sequences.length(user.row);
    return dropped === (user.former?.behaviours ?? 0);
  }

  /**
   * Teaches the stack what was taken out of the blend's best candidates.
   *
   * @returns The preference for the pair head; `null` where there is none
   */
  #learnOrders(
    request: CandidateRequest & { readonly user: UserState },
    features: Features,
    place: number,
  ): Preference | null {
    const { state } = this;
    if (!state.stackAsked && !this.#teachesHead) return null;
    const scores = state.blend.score(features);
    const places = this.#best(this.#gatherer.items, scores, this.maxCandidates);
    const taken = places.indexOf(place);
    if (taken < 0) return null;
    const list = this.#pairList(request, features, scores, places);
    const { user, time } = request;
    const item = this.#gatherer.items[place]!;
    const person = hashString(user.id, 0);
    if (state.stackAsked) {
      const model = this.#isRecommended(user, item) ? null : this.#logits(user, places, time);
      const head = list === null ? null : this.#scorePairs?.(list) ?? null;
      const by = { ...this.#parts(features, scores, places), head, model };
      if (by.head !== null || by.bank !== null || by.model !== null) {
        state.learnStack(by, taken, person, this.#view.modelShare);
      }
    }
    const draw = drawOf(user, this.#view.catalogue.at(item), time);
    // A robot that takes most of what is taken would own the head.
    if (list === null || mulberry32(~draw)() >= state.stack.sayOf(person)) return null;
    const random = mulberry32(draw);
    return preferenceOf(list, this.#pairLists!.names, { taken, candidates: PREFERENCE_CANDIDATES, random });
  }

  /** Whether an item is on an open list that the user was shown and this engine has ordered. */
  #isRecommended({ pending }: UserState, item: number): boolean {
    const { id } = this.#view.catalogue.at(item);
    for (const { shown, recommended, rows } of pending.values()) {
      if (shown && recommended && rows.items.some((one) => one.id === id)) return true;
    }
    return false;
  }

  #logits(user: UserState, places: readonly number[], time: number): Float64Array | null {
    const { catalogue, modelShare = 0 } = this.#view;
    if (modelShare === 0) return null;
    const { items } = this.#gatherer;
    return this.#view.logits?.(user, places.map((place) => catalogue.at(items[place]!)), time) ?? null;
  }

  /** The best candidates with values for the pair head; `null` where it does not order. */
  #pairList(
    request: CandidateRequest,
    { count, values }: Features,
    scores: Float64Array,
    places: readonly number[],
  ): PairList | null {
    if (count === 0 || !this.#knowsAll(request.user)) return null;
    return this.#pairLists?.make(request, { places, items: this.#gatherer.items, values, scores }) ?? null;
  }

  /** Scores of the best candidates by part, except those of head and model. */
  #parts({ values }: Features, scores: Float64Array, places: readonly number[]): ScoresByPart {
    const blend = Float64Array.from(places, (place) => scores[place]!);
    const [F, next] = [this.#gatherer.names.length, this.#gatherer.names.indexOf(NEXT.name)];
    // Features are ln(1 + s/mean); scores of the bank are ln s up to a constant.
    const bank = Float64Array.from(places, (place) => Math.log(Math.expm1(values[place * F + next]!)));
    return { blend, head: null, bank: bank.some(Number.isFinite) ? bank : null, model: null };
  }

  /** Scores of the stack without the model's part; all but the best candidates get the lowest score. */
  #stack(request: CandidateRequest, features: Features, blended: Float64Array) {
    const { stack } = this.state;
    const share = this.needsModel ? this.#view.modelShare! : 0;
    const places = this.#best(this.#gatherer.items, blended, this.maxCandidates);
    const by = this.#parts(features, blended, places);
    const scorePairs = features.count > 0 && this.#knowsAll(request.user) ? this.#scorePairs : null;
    const isThere = { ...by, head: scorePairs, model: share > 0 || null };
    const there = PARTS.filter((part) => isThere[part] !== null);
    // The head's list takes time, so it is not made when the head has no say.
    const list = stack.partsOf(there, share).includes("head")
      ? this.#pairList(request, features, blended, places)
      : null;
    const head = list === null ? null : scorePairs!(list);
    const { scores: best, ...stacked } = stack.scoreBut({ ...by, head }, share, there);
    const lowest = best.length === 0 ? 0 : best.reduce((least, score) => Math.min(least, score));
    const scores = new Float64Array(features.count).fill(lowest);
    for (const [i, place] of places.entries()) scores[place] = best[i]!;
    return { scores, lowest, ...stacked };
  }

  /** Places of the best `limit`, best first; among equals by id. */
  #best(items: readonly number[], scores: Float64Array, limit: number): number[] {
    const count = items.length;
    if (this.#sorted.length < count) this.#sorted = new Float64Array(2 * count);
    let border = -Infinity;
    if (count > limit) {
      for (let c = 0; c < count; c++) this.#sorted[c] = scores[c]!;
      border = nthLargest(this.#sorted, limit, count);
    }
    const order: number[] = [];
    for (let c = 0; c < count; c++) if (scores[c]! >= border) order.push(c);
    const { catalogue } = this.#view;
    return order.sort((a, b) => scores[b]! - scores[a]! || catalogue.compare(items[a]!, items[b]!))
      .slice(0, limit);
  }

  /** The source that adds most to the candidate's score. */
  #sourceOf({ values }: Features, c: number, weights: Float64Array): CandidateSource {
    const row = c * weights.length;
    const repeats = this.#repeats;
    let best = -1;
    let most = -Infinity;
    for (let source = 0; source < repeats.length; source++) {
      const value = values[row + source]!;
      if (value === 0) continue;
      const feature = repeats[source]!;
      const more = feature >= 0 && values[row + feature]! > 0 ? weights[feature]! : 0;
      const part = Math.max(weights[source]! + more, 1e-6) * value;
      if (part > most) {
        most = part;
        best = source;
      }
    }
    return this.#sources[best]?.name ?? POPULAR.name;
  }
}

/** 32 bits that depend on the behaviour alone. */
function drawOf(user: UserState, item: CatalogueItem, time: number): number {
  return hash32(`${user.id}\0${item.id}\0${time}`);
}

/** Where in the ring a request draws from, in [0, 1). */
function placeOf({ user, time }: CandidateRequest): number {
  return hashString(`${user?.id ?? ""}\0${time}`, 0) / 2 ** 32;
}

function paceFold(pace: Pace): SignalFold {
  return {
    name: pace.name,
    learn: (signal) => pace.learn(signal),
    encode: (to) => pace.encode(to),
    decode: (from) => pace.decode(from),
    // Older states, and the items' own records beside them, have counts by event time.
    catchUp: (begins) => pace.catchUp(begins),
  };
}

function foldOf(pooled: PooledPairs): SignalFold {
  return {
    name: pooled.name,
    learn: (signal) => pooled.learn(signal),
    encode: (to, { order, rank }) => pooled.encode(to, order, rank),
    decode: (from, itemAt) => pooled.decode(from, itemAt),
  };
}
