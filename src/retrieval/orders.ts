/**
 * Orders the blend's best candidates by the parts of the stack that exist. Learns from what users take how far to trust
 * each part, and makes the preferences that teach the pair head.
 */

import { mulberry32 } from "../draws/random.ts";
import { hashString } from "../embeddings/hash.ts";
import type { CatalogueItem } from "../items/catalogue.ts";
import type { PairList, ScoreList } from "../nn/models/pair_head/pair_list.ts";
import { drawPlaces, type Preference, preferenceOf } from "../samples/preference.ts";
import { isShown } from "../users/pending/pending.ts";
import type { UserState } from "../users/user_state.ts";
import type { BestPlaces } from "./best_places.ts";
import type { Features } from "./features.ts";
import type { Gatherer, RetrievalView } from "./gatherer.ts";
import type { PairLists } from "./head/pair_lists.ts";
import type { OrderingState } from "./ordering_state.ts";
import type { Past } from "./past.ts";
import type { CandidateRequest } from "./signals/candidate_request.ts";
import { NEXT } from "./sources/next.ts";
import { type Part, PARTS, partsWith, type ScoresByPart, type Stacked } from "./stack/stack.ts";

/** Candidates per preference: for the same bytes, more preferences are worth as much as more candidates in each. */
const PREFERENCE_CANDIDATES = 16;

export interface OrdersParts {
  readonly view: RetrievalView;
  readonly ordering: OrderingState;
  readonly past: Past;
  readonly gatherer: Gatherer;
  readonly best: BestPlaces;
  /** Makes the lists that the pair head orders; `null` without a head. */
  readonly pairLists: PairLists | null;
  /** Candidates that are ordered, the blend's best. */
  readonly maxCandidates: number;
}

/** Scores by the stack without the model's part. */
export interface StackedScores extends Stacked {
  /** By candidate; all but the blend's best have the lowest score. */
  readonly scores: Float64Array;
  readonly lowest: number;
}

/** A behaviour before which a list was made. */
export interface TakenFrom {
  readonly request: CandidateRequest & { readonly user: UserState };
  readonly features: Features;
  readonly place: number;
  /** 32 bits that depend on the behaviour alone. */
  readonly draw: number;
}

/** Candidates with the blend's scores. */
interface Blended {
  readonly features: Features;
  /** By candidate. */
  readonly scores: Float64Array;
  /** Places of the best, best first. */
  readonly places: readonly number[];
}

/** Which of the best was taken. */
interface Draw {
  /** Its place among them. */
  readonly taken: number;
  /** See {@linkcode TakenFrom}. */
  readonly draw: number;
}

/** Orders candidates by the stack, and teaches it. */
export class Orders {
  readonly #with: OrdersParts;

  /** Orders the candidates that were gathered last. */
  constructor(parts: OrdersParts) {
    this.#with = parts;
  }

  /** Whether the stack uses the model's scores, too. */
  get needsModel(): boolean {
    return this.#with.ordering.stack.partsOf(this.#available, this.#modelShare).includes("model");
  }

  /** The parts that order lists under `ranking: "auto"` now; none before such a list was requested. */
  get parts(): readonly Part[] {
    const { stack, hasStackRequests } = this.#with.ordering;
    return hasStackRequests ? stack.partsOf(this.#available, this.#modelShare) : [];
  }

  /** The parts that can order a list now. */
  get #available(): readonly Part[] {
    const exists = {
      blend: true,
      head: this.#scorePairs !== null,
      bank: (this.#with.view.models?.bank ?? null) !== null,
      model: this.#modelShare > 0,
    };
    return PARTS.filter((part) => exists[part]);
  }

  get #modelShare(): number {
    return this.#with.view.models?.share ?? 0;
  }

  /** The pair head; `null` if there is none. */
  get #scorePairs(): ScoreList | null {
    const { pairLists, view } = this.#with;
    return pairLists === null ? null : view.models?.order(pairLists.names) ?? null;
  }

  /** Whether preferences are made for the pair head: until lists are requested, and then if the stack orders some. */
  get #teachesHead(): boolean {
    const { pairLists, ordering } = this.#with;
    return pairLists !== null && (ordering.hasStackRequests || !ordering.hasRequests);
  }

  /** Scores candidates by the stack without the model's part. @param blended Their scores by the blend */
  score(request: CandidateRequest, features: Features, blended: Float64Array): StackedScores {
    const { ordering: { stack }, gatherer, best, maxCandidates, past } = this.#with;
    const share = this.needsModel ? this.#modelShare : 0;
    const places = best.of(gatherer.items, blended, maxCandidates);
    const ranked = { features, scores: blended, places };
    const by = this.#scoresByPart(ranked);
    const scorePairs = features.count > 0 && past.knowsAll(request.user) ? this.#scorePairs : null;
    const byPart = { ...by, head: scorePairs, model: share > 0 || null };
    const available = PARTS.filter((part) => byPart[part] !== null);
    // Making the head's list takes time, so it is skipped when the head has no weight.
    const list = stack.partsOf(available, share).includes("head") ? this.#pairList(request, ranked) : null;
    const head = list === null ? null : scorePairs!(list);
    const { scores: ordered, ...stacked } = stack.scoreBut({ ...by, head }, share, available);
    const lowest = ordered.length === 0 ? 0 : ordered.reduce((least, score) => Math.min(least, score));
    const scores = new Float64Array(features.count).fill(lowest);
    for (const [i, place] of places.entries()) scores[place] = ordered[i]!;
    return { scores, lowest, ...stacked };
  }

  /**
   * Learns which of the blend's best candidates was taken.
   *
   * @returns The preference for the pair head; `null` if there is none
   */
  learn({ request, features, place, draw }: TakenFrom): Preference | null {
    const { ordering, gatherer, best, maxCandidates } = this.#with;
    if (!ordering.hasStackRequests && !this.#teachesHead) return null;
    const scores = ordering.blend.score(features);
    const places = best.of(gatherer.items, scores, maxCandidates);
    const taken = places.indexOf(place);
    if (taken < 0) return null;
    const ranked = { features, scores, places };
    if (ordering.hasStackRequests && ordering.stack.isDue(draw)) {
      this.#teachStack({ request, features, place, draw }, ranked);
    }
    return this.#preference(request, ranked, { taken, draw });
  }

  /** Teaches the stack which of the blend's best candidates was taken. */
  #teachStack({ request, place, draw }: TakenFrom, ranked: Blended): void {
    const { ordering, gatherer, view } = this.#with;
    const { user, time } = request;
    const { places } = ranked;
    const scorePairs = this.#scorePairs;
    const list = scorePairs === null ? null : this.#pairList(request, ranked);
    const head = list === null ? null : scorePairs!(list);
    const others = { ...this.#scoresByPart(ranked), head };
    const isJudge = ordering.stack.judgesModel(partsWith(others), this.#modelShare, draw) &&
      !this.#isRecommended(user, gatherer.items[place]!);
    const by = { ...others, model: isJudge ? this.#logits(user, places, time) : null };
    if (by.head === null && by.bank === null && by.model === null) return;
    ordering.learnStack(by, places.indexOf(place), hashString(user.id, 0), view.models?.share);
  }

  /** The preference for a candidate among others; `null` if there is none. */
  #preference(request: TakenFrom["request"], ranked: Blended, { taken, draw }: Draw): Preference | null {
    const { ordering: { stack }, pairLists } = this.#with;
    // Very active users count less, or a robot that makes most of the behaviours would dominate the head.
    if (mulberry32(~draw)() >= stack.weightOf(hashString(request.user.id, 0))) return null;
    const { places } = ranked;
    const options = { taken, candidates: PREFERENCE_CANDIDATES, random: mulberry32(draw) };
    const drawn = drawPlaces(places.length, options);
    const list = this.#pairList(request, ranked, drawn.map((place) => places[place]!));
    return list && preferenceOf(list, pairLists!.names, drawn.indexOf(taken));
  }

  /** Whether an item is on an open list that this engine ordered and the user was shown. */
  #isRecommended({ pending }: UserState, item: number): boolean {
    const { id } = this.#itemAt(item);
    for (const list of pending.values()) {
      const { recommended, rows } = list;
      if (isShown(list) && recommended && rows.items.some((one) => one.id === id)) return true;
    }
    return false;
  }

  #logits(user: UserState, places: readonly number[], time: number): Float64Array | null {
    const { view, gatherer: { items } } = this.#with;
    return view.models?.logits(user, places.map((place) => this.#itemAt(items[place]!)), time) ?? null;
  }

  #itemAt(index: number): CatalogueItem {
    return this.#with.view.catalogue.at(index);
  }

  /**
   * Some of the best candidates with values for the pair head; `null` if the head does not apply.
   *
   * @param of Their places
   */
  #pairList(
    request: CandidateRequest,
    ranked: Blended,
    of: readonly number[] = ranked.places,
  ): PairList | null {
    const { past, pairLists, gatherer: { items } } = this.#with;
    const { features: { count, values }, scores, places } = ranked;
    if (count === 0 || pairLists === null || !past.knowsAll(request.user)) return null;
    const middle = places.reduce((sum, place) => sum + scores[place]!, 0) / places.length;
    return pairLists.make(request, { places: of, items, values, scores, middle });
  }

  /** Scores of the best candidates by part, except those of head and model. */
  #scoresByPart({ features: { values }, scores, places }: Blended): ScoresByPart {
    const { view, gatherer: { names } } = this.#with;
    const blend = ofEach(places, (place) => scores[place]!);
    if ((view.models?.bank ?? null) === null) return { blend, head: null, bank: null, model: null };
    const [F, next] = [names.length, names.indexOf(NEXT.name)];
    // Features are ln(1 + s/mean); scores of the bank are ln s up to a constant.
    const bank = ofEach(places, (place) => Math.log(Math.expm1(values[place * F + next]!)));
    return { blend, head: null, bank: bank.some(Number.isFinite) ? bank : null, model: null };
  }
}

/** A number for each place, in a tenth of the time that `Float64Array.from` takes. */
function ofEach(places: readonly number[], numberOf: (place: number) => number): Float64Array {
  const numbers = new Float64Array(places.length);
  for (let i = 0; i < places.length; i++) numbers[i] = numberOf(places[i]!);
  return numbers;
}
