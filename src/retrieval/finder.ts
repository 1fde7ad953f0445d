/**
 * Finds the candidates of a request: those that sources propose, ranked by the blend or the stack, and some that no
 * source proposes.
 */

import { hashString } from "../embeddings/hash.ts";
import type { CandidateSource } from "../events/candidate_source.ts";
import type { CatalogueItem } from "../items/catalogue.ts";
import type { BestPlaces } from "./best_places.ts";
import type { Blend } from "./blend.ts";
import { type Features, isReturn } from "./features.ts";
import type { Gatherer, RetrievalView } from "./gatherer.ts";
import type { ItemLists } from "./items/item_lists.ts";
import type { Orders, StackedScores } from "./orders.ts";
import { PROPERTIES } from "./properties.ts";
import { sharesOf } from "./shares.ts";
import type { CandidateRequest } from "./signals/candidate_request.ts";
import { POPULAR } from "./sources/popular.ts";
import type { Source } from "./sources/source.ts";
import type { Stacked } from "./stack/stack.ts";

export interface Candidate {
  readonly item: CatalogueItem;
  /** The source that proposed it; if several did, the one that contributes most to its score. */
  readonly source: CandidateSource;
  /** Score of the blend, w·x, or of the stack: larger is better, comparable within the request. */
  readonly score: number;
  /**
   * P(the user takes it next) by that score, among all proposed items plus as many items with the lowest score as may
   * be drawn in addition, so the shares of the candidates add up to at most 1.
   */
  readonly share: number;
  /** ln of such a share by the stack without the model's part; absent unless requested. */
  readonly stacked?: number;
}

export interface OrderedCandidates {
  /** The candidates, best first. */
  readonly candidates: readonly Candidate[];
  /** Which parts of the stack order them; `null` if the stack does not. */
  readonly stacked: Stacked | null;
}

export interface CandidateOptions {
  /** Most candidates to return, those with the largest scores. @default {Infinity} */
  readonly most?: number | undefined;
  /** Whether the stack orders them. @default {false} */
  readonly stacked?: boolean | undefined;
}

/** Most items tried per free place, since many may be off sale. */
const LOOKS_PER_PLACE = 20;

/** The proposed candidates of a request, with scores. */
interface ScoredCandidates {
  readonly features: Features;
  readonly scores: Float64Array;
  /** `null` if the stack does not order. */
  readonly stack: StackedScores | null;
}

export interface FinderParts {
  readonly view: RetrievalView;
  readonly sources: readonly Source[];
  readonly blend: Blend;
  readonly lists: ItemLists;
  readonly gatherer: Gatherer;
  readonly best: BestPlaces;
  readonly orders: Orders;
  readonly maxCandidates: number;
  /** Share of them for items that no source proposes. */
  readonly newShare: number;
}

export class Finder {
  readonly #with: FinderParts;
  /** By source: column of the property that repeats its feature; −1 = none. */
  readonly #repeats: Int16Array;

  /** Finds candidates among those of the gatherer. */
  constructor(parts: FinderParts) {
    this.#with = parts;
    const { sources } = parts;
    this.#repeats = Int16Array.from(sources, ({ name }) => {
      const property = PROPERTIES.findIndex(({ repeats }) => repeats === name);
      return property < 0 ? -1 : sources.length + property;
    });
  }

  /** The best candidates, best first. New and drawn items take the last places: their share, and any left free. */
  find(
    request: CandidateRequest,
    { most = Infinity, stacked = false }: CandidateOptions = {},
  ): OrderedCandidates {
    const { blend, gatherer, best, orders, maxCandidates } = this.#with;
    const features = gatherer.gather(request, false);
    const blended = blend.score(features);
    const stack = stacked ? orders.score(request, features, blended) : null;
    const scores = stack !== null && most < Infinity ? stack.scores : blended;
    const { items } = gatherer;
    const scored = { features, scores, stack };
    // New and drawn items have no larger scores.
    if (most <= Math.min(items.length, maxCandidates - this.#newPlaces)) {
      const places = best.of(items, scores, most);
      return { candidates: places.map(this.#describe(scored).proposed), stacked: stack };
    }
    const all = this.#withUnproposed(request, scored);
    if (most < Infinity) all.sort((a, b) => b.score - a.score).splice(most);
    return { candidates: all, stacked: stack };
  }

  /** Number of places that are kept for items that no source proposes. */
  get #newPlaces(): number {
    return Math.floor(this.#with.maxCandidates * this.#with.newShare);
  }

  /** Makes candidates: `proposed` by its place among the gathered ones, `unproposed` by its item. */
  #describe({ features, scores, stack }: ScoredCandidates) {
    const { view: { catalogue }, blend, gatherer: { items }, maxCandidates } = this.#with;
    const weights = blend.weightsOf(features.groups);
    const { returnWeights } = blend;
    const shareOf = sharesOf(scores, maxCandidates);
    const stackedShareOf = stack === null ? null : sharesOf(stack.scores, maxCandidates);
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
        item: catalogue.at(index),
        source,
        score: lowest,
        share: shareOf(lowest),
        ...stackedOf(),
      }),
    };
  }

  /** The best proposed items, then new and drawn ones, then further proposed ones while there is room. */
  #withUnproposed(request: CandidateRequest, scored: ScoredCandidates): Candidate[] {
    const { gatherer, lists, best, maxCandidates } = this.#with;
    const { items } = gatherer;
    const { proposed, unproposed } = this.#describe(scored);
    const order = best.of(items, scored.scores, maxCandidates);
    const first = maxCandidates - this.#newPlaces;
    const found = new Map<number, Candidate>();
    const add = (c: number) => found.set(items[c]!, proposed(c));
    for (const c of order.slice(0, first)) add(c);
    const fill = (indices: Iterable<number>, source: CandidateSource, until: number) => {
      let looks = LOOKS_PER_PLACE * (until - found.size);
      for (const index of indices) {
        if (found.size >= until || looks-- <= 0) return;
        if (found.has(index) || !gatherer.may(index)) continue;
        const at = gatherer.placeOf(index);
        if (at >= 0) add(at);
        else found.set(index, unproposed(index, source));
      }
    };
    // Half of all places that the sources leave free are for the newest items.
    fill(lists.fresh(), "new", found.size + Math.ceil((maxCandidates - found.size) / 2));
    fill(lists.ring.from(placeOf(request)), "drawn", maxCandidates);
    for (let k = first; k < order.length && found.size < maxCandidates; k++) add(order[k]!);
    return [...found.values()];
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
    return this.#with.sources[best]?.name ?? POPULAR.name;
  }
}

/** Place in the ring where a request starts drawing, in [0, 1). */
function placeOf({ user, time }: CandidateRequest): number {
  return hashString(`${user?.id ?? ""}\0${time}`, 0) / 2 ** 32;
}
