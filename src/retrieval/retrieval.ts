/**
 * Candidates for a request that names none. Many cheap sources propose items, a blend learnt from the log ranks them,
 * and the best `maxCandidates` go on to the model.
 *
 * ```text
 *   behaviour ─▶ neighbours, linear items, sessions, transitions, trends, popularity      every signal, in order
 *             └▶ blend: which candidate was taken?                                        a share of the wanted ones
 *   request   ─▶ sources propose ─▶ union ─▶ blend ─▶ best maxCandidates, some of them new items
 * ```
 *
 * Everything except the bank and the head, which come with versions of the parameters, is a fold over the task's
 * behaviours: same events, same candidates, also after a crash (see `retrieval_state.ts`). What the blend learns about
 * the bank depends on which version was live.
 *
 * @module
 */

import { settle } from "../options/option.ts";
import { hash32 } from "../draws/random.ts";
import { hashString } from "../embeddings/hash.ts";
import type { CatalogueItem } from "../items/catalogue.ts";
import type { Preference } from "../samples/preference.ts";
import type { UserState } from "../users/user_state.ts";
import { Blend } from "./blend.ts";
import { type Features, isReturn } from "./features.ts";
import { ContextBuffer, repeatWeight } from "./signals/context.ts";
import type { CandidateSource } from "../events/candidate_source.ts";
import { Gatherer, GROUPS, type RetrievalView } from "./gatherer.ts";
import { PairLists } from "./head/pair_lists.ts";
import { PROPERTIES } from "./properties.ts";
import type { PooledPairs } from "../features/pooled/pooled_pairs.ts";
import { POPULAR } from "./sources/popular.ts";
import type { CandidateRequest } from "./signals/candidate_request.ts";
import { createSources, SOURCES } from "./sources/registry.ts";
import type { SignalFold, Source, SourceKind } from "./sources/source.ts";
import { type SourceParts, sourceParts } from "./sources/parts.ts";
import { ItemLists } from "./items/item_lists.ts";
import { BestPlaces } from "./best_places.ts";
import { Orders, type StackedScores } from "./orders.ts";
import { Past } from "./past.ts";
import { EAGER_STEPS, RETRIEVAL_OPTIONS, type RetrievalOptions, UNASKED_EVERY } from "./retrieval_options.ts";
import { RetrievalState } from "./retrieval_state.ts";
import { sharesOf } from "./shares.ts";
import type { Stacked } from "./stack/stack.ts";
import type { Pace } from "./items/pace.ts";
import { LEARNT_CONTEXT } from "./signals/signal.ts";
import { SourceCounts } from "./source_counts.ts";

/** A retrieved candidate. */
export interface Candidate {
  /** The item. */
  readonly item: CatalogueItem;
  /** The source that proposed it; of several, the one that contributes most to its score. */
  readonly source: CandidateSource;
  /** Score of the blend, w·x, or of the stack: larger is better, comparable within the request. */
  readonly score: number;
  /**
   * P(the user takes it next) by that score, among all proposed items plus as many items with the lowest score as may
   * be drawn besides, so the shares of the candidates add up to 1 at most.
   */
  readonly share: number;
  /** ln of such a share by the stack without the model's part; absent unless requested. */
  readonly stacked?: number;
}

/** What {@linkcode Retrieval.candidates} finds. */
export interface OrderedCandidates {
  /** The candidates, best first. */
  readonly candidates: readonly Candidate[];
  /** Which parts order them; `null` where the stack does not. */
  readonly stacked: Stacked | null;
}

/** Options of {@linkcode Retrieval.candidates}. */
export interface CandidateOptions {
  /** Most candidates to give, those with the largest scores. @default {Infinity} */
  readonly most?: number | undefined;
  /** Whether the stack is to order them. @default {false} */
  readonly stacked?: boolean | undefined;
}

/** Most items tried per free place, since many may be off sale. */
const LOOKS_A_PLACE = 20;

/** What was proposed for a request, scored. */
interface ScoredCandidates {
  readonly features: Features;
  readonly scores: Float64Array;
  /** `null` where the stack does not order. */
  readonly stack: StackedScores | null;
}

/** Retrieves candidates and learns how. */
export class Retrieval {
  /** Lists of popular and new items. */
  readonly lists: ItemLists;
  /** Most candidates per request. */
  readonly maxCandidates: number;
  /** How much each source has contributed since the process began. */
  readonly sources: SourceCounts;
  /** What was learnt, durable with the task. */
  readonly state: RetrievalState;
  readonly #view: RetrievalView;
  readonly #newShare: number;
  readonly #learns: boolean;
  readonly #learnEvery: number;
  /** What users did before. */
  readonly past: Past;
  /** What orders the best candidates under `ranking: "auto"`. */
  readonly orders: Orders;
  readonly #gatherer: Gatherer;
  readonly #best: BestPlaces;
  /** What the sources share. */
  readonly parts: SourceParts;
  readonly #sources: readonly Source[];
  /** By source: the property that repeats its feature; −1 = none. */
  readonly #repeats: Int16Array;
  /** Scratch: what was done before a behaviour that is learnt. */
  readonly #before = new ContextBuffer(LEARNT_CONTEXT);

  /** Nothing learnt, over a task's items and users. */
  constructor(view: RetrievalView, options: RetrievalOptions = {}, kinds: readonly SourceKind[] = SOURCES) {
    this.#view = view;
    this.lists = new ItemLists(view.catalogue, options);
    const settled = settle(RETRIEVAL_OPTIONS, options);
    this.maxCandidates = settled.maxCandidates;
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
    this.state = new RetrievalState({
      catalogue,
      lists: this.lists,
      sources,
      folds,
      blend,
      returns: parts.returns,
    });
    this.#repeats = Int16Array.from(sources, ({ name }) => {
      const property = PROPERTIES.findIndex(({ repeats }) => repeats === name);
      return property < 0 ? -1 : sources.length + property;
    });
    const gatherer = this.#gatherer = new Gatherer(view, sources, parts);
    const best = this.#best = new BestPlaces(catalogue);
    const past = this.past = new Past(view.sequences, parts.returns);
    const pairLists = options.head === true ? new PairLists(parts, gatherer.names) : null;
    const { state, maxCandidates } = this;
    this.orders = new Orders({ view, state, past, gatherer, best, pairLists, maxCandidates });
  }

  /** Whether items of the user's behaviours may be recommended again now. */
  get revisits(): boolean {
    return this.parts.returns.expected;
  }

  /** Whether lists leave such items out now, or may do so later, so that they have to be remembered. */
  get leavesOut(): boolean {
    return this.parts.returns.learns || !this.revisits;
  }

  /**
   * Learns from a behaviour, before it is in the user's sequence.
   *
   * @param time Event time, not beyond the partition's
   * @param wanted Whether recommendations aim at such behaviours: blend and pair head learn only from these
   * @returns The preference that the pair head learns from; `null` if there is none
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

  /** Learns from a wanted behaviour, before it is in the user's sequence, whether people come back to items. */
  learnReturn(user: UserState, item: CatalogueItem, action: string): void {
    const before = this.#view.sequences.total(user.row);
    if (!this.#learns || !this.parts.returns.learns || before === 0) return;
    this.state.learnReturn(this.past.did(user, action, item), before);
  }

  /** Counts a positive of an item, for this task and the others. A repeat counts less: it is dated back. */
  raise(user: UserState, item: CatalogueItem, time: number): void {
    const context = this.#before;
    this.#view.sequences.newest(user.row, time, context);
    const counted = time + Math.round(this.lists.halfLifeMs * Math.log2(repeatWeight(context, item.index)));
    this.lists.raise(item, counted);
    this.state.raised(item.index, counted);
  }

  /** The best candidates, best first. New and drawn items take the last places: their share, and any that are left. */
  candidates(
    request: CandidateRequest,
    { most = Infinity, stacked = false }: CandidateOptions = {},
  ): OrderedCandidates {
    const features = this.#gatherer.gather(request, false);
    const blended = this.state.blend.score(features);
    const stack = stacked ? this.orders.score(request, features, blended) : null;
    const scores = stack !== null && most < Infinity ? stack.scores : blended;
    const { items } = this.#gatherer;
    const scored = { features, scores, stack };
    // The last places have no larger scores.
    if (most <= Math.min(items.length, this.maxCandidates - this.#newPlaces)) {
      const best = this.#best.of(items, scores, most);
      return { candidates: best.map(this.#describe(scored).proposed), stacked: stack };
    }
    const all = this.#withUnproposed(request, scored);
    if (most < Infinity) all.sort((a, b) => b.score - a.score).splice(most);
    return { candidates: all, stacked: stack };
  }

  /** How many of the candidates are kept for items that no source proposes. */
  get #newPlaces(): number {
    return Math.floor(this.maxCandidates * this.#newShare);
  }

  /** What is known of candidates: one that was proposed, by its place, and one that was not. */
  #describe({ features, scores, stack }: ScoredCandidates) {
    const { catalogue } = this.#view;
    const { items } = this.#gatherer;
    const weights = this.state.blend.weightsOf(features.groups);
    const { returnWeights } = this.state.blend;
    const shareOf = sharesOf(scores, this.maxCandidates);
    const stackedShareOf = stack === null ? null : sharesOf(stack.scores, this.maxCandidates);
    const stackedOf = (score = stack?.lowest ?? 0) =>
      stackedShareOf === null ? {} : { stacked: Math.log(stackedShareOf(score)) };
    let lowest = items.length === 0 ? 0 : Infinity;
    for (let c = 0; c < items.length; c++) lowest = Math.min(lowest, scores[c]!);
    return {
      proposed: (c: number): Candidate => ({
        item: catalogue.at(items[c]!),
        source: this.#sourceOf(features, c, isReturn(features, weights.length, c) ? returnWeights : weights),
        score: scores[c]!,
        share: shareOf(scores[c]!),
        ...stackedOf(stack?.scores[c]),
      }),
      unproposed: (index: number, source: CandidateSource): Candidate => ({
        ...{ item: catalogue.at(index), source, score: lowest, share: shareOf(lowest) },
        ...stackedOf(),
      }),
    };
  }

  /** The best of what was proposed, then new and drawn items, then what else was proposed while there is room. */
  #withUnproposed(request: CandidateRequest, scored: ScoredCandidates): Candidate[] {
    const { maxCandidates } = this;
    const gatherer = this.#gatherer;
    const { items } = gatherer;
    const { proposed, unproposed } = this.#describe(scored);
    const order = this.#best.of(items, scored.scores, maxCandidates);
    const first = maxCandidates - this.#newPlaces;
    const found = new Map<number, Candidate>();
    const add = (c: number) => found.set(items[c]!, proposed(c));
    for (const c of order.slice(0, first)) add(c);
    const fill = (indices: Iterable<number>, source: CandidateSource, until: number) => {
      let looks = LOOKS_A_PLACE * (until - found.size);
      for (const index of indices) {
        if (found.size >= until || looks-- <= 0) return;
        if (found.has(index) || !gatherer.may(index)) continue;
        const at = gatherer.placeOf(index);
        if (at >= 0) add(at);
        else found.set(index, unproposed(index, source));
      }
    };
    // Half of the room, which is all that the sources leave, is for the newest items.
    fill(this.lists.fresh(), "new", found.size + Math.ceil((maxCandidates - found.size) / 2));
    fill(this.lists.ring.from(placeOf(request)), "drawn", maxCandidates);
    for (let k = first; k < order.length && found.size < maxCandidates; k++) add(order[k]!);
    return [...found.values()];
  }

  /** The best of a list that is the same for everybody, at most `maxCandidates`. */
  listed(list: "popular" | "trending" | "new", allowed: (item: CatalogueItem) => boolean): CatalogueItem[] {
    const named = this.#sources.find(({ name }) => name === list);
    const items = list === "new" ? this.lists.fresh() : named?.list?.() ?? [];
    return Array.from(items, (index) => this.#view.catalogue.at(index)).filter(allowed)
      .slice(0, this.maxCandidates);
  }

  /** Blend, stack and head learn from one wanted behaviour in this many: all after the first request, then fewer. */
  #learntEvery(): number {
    if (!this.state.asked) return UNASKED_EVERY;
    return Math.min(this.#learnEvery, 2 ** Math.floor(this.state.blend.steps / EAGER_STEPS));
  }

  /** Learns from an item that was taken, if a step is due. @returns The preference for the pair head */
  #choose(user: UserState, item: CatalogueItem, time: number): Preference | null {
    const draw = drawOf(user, item, time);
    // Not every n-th one, which would always hit the same kind of event where kinds alternate.
    if (draw % this.#learntEvery() !== 0) return null;
    const { past } = this;
    const context = past.context(user, time);
    const excluded = this.revisits ? new Uint32Array() : past.items(user, time);
    if (excluded.includes(item.index) || past.hadBefore(user, item)) return null;
    const allowed = (other: CatalogueItem) =>
      !other.withheld && other.expires > time && !past.hadBefore(user, other);
    const request = { user, context, time, excluded, allowed };
    const features = this.#gatherer.gather(request, true);
    const place = this.#gatherer.placeOf(item.index);
    this.sources.take(this.#gatherer.proposersOf(item.index));
    if (place < 0) return null;
    // Before the blend learns from it.
    const preference = this.orders.learn({ request, features, place, draw });
    this.state.learnBlend(features, place);
    return preference;
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

/** Place in the ring where a request starts drawing, in [0, 1). */
function placeOf({ user, time }: CandidateRequest): number {
  return hashString(`${user?.id ?? ""}\0${time}`, 0) / 2 ** 32;
}

function paceFold(pace: Pace): SignalFold {
  return {
    name: pace.name,
    learn: (signal) => pace.learn(signal),
    encode: (to) => pace.encode(to),
    decode: (from) => pace.decode(from),
    // Older states, and the items' own records with them, have counts by event time.
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
