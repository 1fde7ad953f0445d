/**
 * Answers requests: candidates given or retrieved, filtered, scored, and chosen by the policy with exact
 * propensities, all as set by the user's variants.
 *
 * @module
 */

import { type Assignment, settingsOf } from "../assignment/assignment.ts";
import type { Variant, VariantSettings } from "../assignment/experiment.ts";
import { type Team, teamDraft } from "../assignment/interleaving.ts";
import { fullKey } from "../assignment/pins.ts";
import { choose, type PolicyOptions } from "../draws/policy.ts";
import { hash32, mulberry32 } from "../draws/random.ts";
import type { Boost, RequestEvent } from "../events/event.ts";
import type {
  EmptyReason,
  OrderedBy,
  Recommendation,
  RecommendedItem,
  ScoreKind,
  ShadowSlate,
} from "../events/recommendation.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import type { Candidate, OrderedCandidates } from "../retrieval/finder.ts";
import type { Retrieval } from "../retrieval/retrieval.ts";
import type { Stacked } from "../retrieval/stack/stack.ts";
import { Rows } from "../samples/rows.ts";
import type { Pending } from "../users/pending/pending.ts";
import type { FrequencyOptions } from "../users/shown_items.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import type { UserState } from "../users/user_state.ts";
import { findCandidates, whyEmpty } from "./candidates.ts";
import type { ListScorer } from "./list_scorer.ts";
import {
  type CandidateOrder,
  type Choosable,
  diverseOf,
  eligibleOf,
  pickerOf,
  rankingScores,
  scoresOf,
  subset,
} from "./ordering.ts";
import { asVariant, isForEverybody, orderedByOf, rankingOf } from "./ranking.ts";
import { type Said, scoreIn, scoreKindOf } from "./score_kind.ts";
import type { ScoredRows } from "./scored_rows.ts";

/** The model of a list that two models made together. */
const SEVERAL_MODELS = "several";

/** Added to the seed, so that several lists for one request have different draws. */
const DRAW = { own: 0, teams: [1, 2], coin: 3, shadow: 4 } as const;

export interface AnswererOptions {
  readonly policy: PolicyOptions;
  /** Rules for every request. */
  readonly boosts: readonly Boost[];
  /** Caps for every request; `null` = none. */
  readonly frequency: FrequencyOptions | null;
  readonly ranking: CandidateOrder;
  /** Seed of exploration; a request's draws depend on it and on the request's id alone. */
  readonly seed: number;
  /** Whether recommendations contain the candidates that were not chosen, for off-policy evaluation. */
  readonly logCandidates: boolean;
  /** A clock in microseconds for `tookMicros`. */
  readonly nowMicros: () => number;
}

/** A recommendation, with the parts that the join keeps. */
export interface Recommended {
  readonly recommendation: Recommendation;
  /** All scored candidates, without places. Valid until another list is scored. */
  scored(): Pending;
  /** The chosen candidates, with their places. */
  readonly chosen: Pending;
  /** Whether a variant of the user's experiment needs a model that this task does not have, so that it was ignored. */
  readonly unserved: boolean;
  /** Whether the stack orders a list for the request. */
  readonly stacked: boolean;
}

/** The state that an {@linkcode Answerer} reads. */
export interface AnswererState {
  readonly catalogue: Catalogue;
  readonly sequences: SequenceSlab;
  readonly retrieval: Retrieval;
  readonly counters: Readonly<Said>;
  /** Scores with the deployment's own model. */
  readonly scorer: ListScorer;
  /** Score with the models of variants and with pinned versions, by full key (`pins.ts`). */
  readonly scorers: ReadonlyMap<string, ListScorer>;
  /** The item of an id, which is added if it is missing. */
  item(id: string, time: number): CatalogueItem;
  /** The user's current variants. */
  assign(user: string): Assignment;
}

/** Candidates as one variant orders them. */
interface Ordered extends Choosable {
  readonly scorer: ListScorer;
  readonly scored: ScoredRows;
  readonly scoreOf: (index: number) => number;
  /** The score that orders a candidate, by its index, if candidates are logged. */
  readonly orderOf: (index: number) => number | undefined;
  /** The model's share in what orders them. */
  readonly share: number;
  readonly orderedBy: OrderedBy;
}

/** A candidate that was chosen. */
interface Chosen {
  readonly index: number;
  readonly propensity: number;
  /** The order that it was chosen from, which gives its score and prediction. */
  readonly by: Ordered;
  /** The variant of an interleaved list that is credited with it; `null` = none. */
  readonly team: Team | null;
}

/** The ordered list that is chosen. */
interface Slate {
  readonly rows: Rows;
  readonly items: readonly RecommendedItem[];
  readonly model: string;
  readonly orderedBy: OrderedBy;
  readonly share: number;
}

/** The scores of a request by model, so that variants with the same model share them. */
interface Scores {
  readonly user: UserState;
  readonly event: RequestEvent;
  readonly candidates: readonly Candidate[];
  readonly kind: ScoreKind;
  /** Which parts of the stack order; `null` if it does not. */
  readonly stacked: Stacked | null;
  readonly byModel: Map<ListScorer, ScoredRows>;
}

/** Answers requests from the state of one task. */
export class Answerer {
  readonly #state: AnswererState;
  readonly #options: AnswererOptions;

  constructor(state: AnswererState, options: AnswererOptions) {
    this.#state = state;
    this.#options = options;
  }

  /** Answers a request; the list is empty when nothing passes the filters. */
  answer(user: UserState, asked: RequestEvent): Recommended {
    const start = this.#options.nowMicros();
    const assigned = this.#assigned(user);
    const event = asVariant(asked, assigned.settings);
    const { settings, interleaved, shadows, unserved } = assigned;
    const stacked = this.isStacked(user, event, assigned);
    const found = this.candidates(user, event, { most: this.#needed(event, assigned), stacked });
    const { candidates } = found;
    const kind = scoreKindOf(this.#state.counters, this.#state.scorer.serving.share ?? 1);
    const scores = { ...found, user, event, kind, byModel: new Map() };
    const own = this.#order(scores, settings, { draw: DRAW.own });
    const slate = interleaved === null
      ? this.#chosen(scores, own)
      : this.#drafted(scores, interleaved, settings);
    const exposures = assigned.exposures.length === 0 ? undefined : assigned.exposures;
    const shadowSlates = shadows.flatMap((shadow) => this.#shadow(scores, shadow, settings));
    const { model, orderedBy, items, rows } = slate;
    const head = {
      ...own.scored.head,
      model: model === this.#state.scorer.serving.model ? undefined : model,
      exposures,
    };
    return {
      scored: () => ({ ...head, rows: own.scored.awaitingPlaces() }),
      chosen: { ...head, rows },
      unserved,
      stacked,
      recommendation: {
        request: event.request,
        user: user.id,
        time: event.time,
        items,
        model,
        version: head.version,
        orderedBy,
        scoreKind: kind,
        modelShare: slate.share === 1 ? undefined : slate.share,
        stateVersion: this.#state.sequences.total(user.row),
        ...exposures?.[0],
        exposures: exposures?.length === 1 ? undefined : exposures,
        shadows: shadowSlates.length === 0 ? undefined : shadowSlates,
        empty: items.length > 0 ? undefined : this.whyEmpty(user, event),
        others: this.#options.logCandidates ? others(candidates, own, items) : undefined,
        tookMicros: this.#options.nowMicros() - start,
      },
    };
  }

  /**
   * The items that may be on the list for a request.
   *
   * @param most largest number of retrieved candidates, those with the largest scores
   * @param stacked whether the stack orders them
   * @param itemOf returns the item of an id that the request names; by default, adds it if it is missing
   */
  candidates(
    user: UserState,
    event: RequestEvent,
    { most = Infinity, stacked = false, itemOf = (id) => this.#state.item(id, event.time) }: {
      readonly most?: number;
      readonly stacked?: boolean;
      readonly itemOf?: (id: string) => CatalogueItem;
    } = {},
  ): OrderedCandidates {
    return findCandidates(this.#state, user, event, {
      frequency: this.#options.frequency,
      most,
      stacked,
      itemOf,
    });
  }

  /** Whether the stack orders a list for the request: the user's, or that of a shadow. */
  isStacked(user: UserState, event: RequestEvent, assigned: Assignment = this.#assigned(user)): boolean {
    const { settings, interleaved, shadows } = assigned;
    const own = asVariant(event, settings);
    return [settings, ...(interleaved ?? []).map(settingsOf), ...shadows.map(settingsOf)]
      .some((each) => rankingOf(own, each, this.#options.ranking) === "auto");
  }

  whyEmpty(user: UserState, event: RequestEvent): EmptyReason {
    return whyEmpty(this.#state, user, event, this.#options.frequency);
  }

  /** How many candidates to score: those on the list if retrieval alone decides, else all. */
  #needed(event: RequestEvent, { interleaved, shadows, settings }: Assignment): number {
    const { policy, logCandidates } = this.#options;
    const { retrieval, maxCandidates, diversity = event.diversity } = settings;
    const ranking = rankingOf(event, settings, this.#options.ranking);
    const isStack = ranking === "auto" && !this.#state.retrieval.orders.needsModel;
    const decides = (ranking === "blend" || isStack) &&
      (settings.policy ?? policy).name === "greedy";
    const takesAll = diversity === undefined && retrieval?.without === undefined &&
      maxCandidates === undefined && this.#rules(event).length === 0;
    return decides && takesAll && !logCandidates && interleaved === null && shadows.length === 0
      ? event.count
      : Infinity;
  }

  /** Rules that apply to a request; none for the lists for everybody, which have an order of their own. */
  #rules(event: RequestEvent): readonly Boost[] {
    return isForEverybody(event) ? [] : [...this.#options.boosts, ...event.boosts ?? []];
  }

  #scorer(model = ""): ListScorer | undefined {
    const { scorer, scorers } = this.#state;
    const key = fullKey(model, scorer.serving.model);
    if (key === scorer.serving.model) return scorer;
    const other = scorers.get(key);
    // Without a first version there is nothing to score with.
    return other === undefined || other.serving.version === 0 ? undefined : other;
  }

  /** The user's variants; only what is promoted where one of their models is missing. */
  #assigned(user: UserState): Assignment & Pick<Recommended, "unserved"> {
    const assigned = this.#state.assign(user.id);
    if (this.#isServed(...assigned.models)) return { ...assigned, unserved: false };
    const { promoted } = assigned;
    const settings = this.#isServed(promoted.model) ? promoted : {};
    return { ...assigned, exposures: [], settings, interleaved: null, shadows: [], unserved: true };
  }

  /** Whether the models are here; `undefined` is the task's own. */
  #isServed(...models: readonly (string | undefined)[]): boolean {
    return models.every((model) => this.#scorer(model) !== undefined);
  }

  /** Scores and orders the candidates as a variant does. */
  #order(
    scores: Scores,
    settings: VariantSettings,
    { draw, isShadow = false }: { readonly draw: number; readonly isShadow?: boolean },
  ): Ordered {
    const { user, event, candidates, kind, stacked, byModel } = scores;
    const policy = settings.policy ?? this.#options.policy;
    const scorer = this.#scorer(settings.model) ?? this.#state.scorer;
    const scored = byModel.get(scorer) ?? scorer.score(user, candidates.map(({ item }) => item), event);
    byModel.set(scorer, scored);
    // The list of a shadow is not shown, so its model orders alone, proved or not.
    const [logits, share] = isShadow ? [scored.logits, 1] : [scored.ordering, scored.share];
    const ranking = rankingOf(event, settings, this.#options.ranking);
    const modelPart = ranking === "auto" ? this.#modelPart(stacked, logits) : null;
    const own = rankingScores(candidates, logits, ranking, modelPart);
    const all = scoresOf(candidates, { own, logits }, { boosts: this.#rules(event), policy });
    const eligible = diverseOf(eligibleOf(candidates, event, settings), candidates, all, {
      count: event.count,
      diversity: event.diversity ?? settings.diversity,
    });
    const isModelled = modelPart !== null;
    return {
      scorer,
      scored,
      scoreOf: scoreIn(kind, { candidates, logits, ranking, scores: own, isModelled }),
      orderOf: (index) => this.#options.logCandidates ? all.scores[index] : undefined,
      share,
      orderedBy: orderedByOf(event, { ranking, share, stacked }),
      eligible,
      ordered: subset(all, eligible),
      policy,
      random: mulberry32(hash32(event.request, this.#options.seed + draw)),
    };
  }

  /** What the model adds to the scores of the stack; `null` = nothing. */
  #modelPart(stacked: Stacked | null, logits: Float64Array): Float64Array | null {
    const { modelWeight = 0 } = stacked ?? {};
    if (modelWeight === 0) return null;
    return this.#state.retrieval.ordering.stack.modelScores(logits).map((score) => modelWeight * score);
  }

  /** The list of one variant. */
  #chosen(scores: Scores, by: Ordered): Slate {
    const { eligible, ordered, policy, random, scorer, orderedBy, share } = by;
    const chosen = choose(ordered, scores.event.count, policy, random)
      .map(({ index, propensity }) => ({ index: eligible[index]!, propensity, by, team: null }));
    return { ...slateOf(scores, chosen), model: scorer.serving.model, orderedBy, share };
  }

  /** The interleaved list of two variants. */
  #drafted(scores: Scores, variants: readonly [Variant, Variant], settings: VariantSettings): Slate {
    const order = (team: Team) =>
      this.#order(scores, { ...settings, ...settingsOf(variants[team]) }, { draw: DRAW.teams[team] });
    const teams = [order(0), order(1)] as const;
    const [one, other] = teams;
    const { event } = scores;
    const pickers = [pickerOf(one, event.count), pickerOf(other, event.count)] as const;
    const coin = mulberry32(hash32(event.request, this.#options.seed + DRAW.coin));
    const chosen = teamDraft(pickers, event.count, coin)
      .map(({ item: index, picker, team, propensity }) => ({ index, propensity, by: teams[picker], team }));
    const models = teams.map(({ scorer }) => scorer.serving.model);
    return {
      ...slateOf(scores, chosen, variants),
      model: models[0] === models[1] ? models[0]! : SEVERAL_MODELS,
      orderedBy: one.orderedBy === other.orderedBy ? one.orderedBy : "several",
      share: Math.min(one.share, other.share),
    };
  }

  /** The list of a shadow; none if its model is missing. */
  #shadow(scores: Scores, shadow: Variant, settings: VariantSettings): ShadowSlate[] {
    const own = { ...settings, ...settingsOf(shadow) };
    if (this.#scorer(own.model) === undefined) return [];
    const by = this.#order(scores, own, { draw: DRAW.shadow, isShadow: true });
    const { model, items } = this.#chosen(scores, by);
    const list = items.map(({ item, score }) => ({ item, score }));
    return [{ variant: shadow.name, model, version: by.scored.head.version, items: list }];
  }
}

/** Puts the chosen candidates in their places. */
function slateOf(
  { candidates }: Scores,
  chosen: readonly Chosen[],
  variants?: readonly [Variant, Variant],
): Pick<Slate, "rows" | "items"> {
  const rows = new Rows(chosen.length, chosen[0]?.by.scored.rows.width ?? 0);
  const items = chosen.map(({ index, propensity, by, team }, position): RecommendedItem => {
    const { scorer, scored, scoreOf, orderOf } = by;
    const row = rows.copy(scored.rows, index);
    rows.setLogit(row, scorer.placedLogit(scored.logits[index]!, position));
    rows.place(row, position, propensity);
    if (team !== null) rows.draft(row, team);
    const { item, source } = candidates[index]!;
    return {
      item: item.id,
      score: scoreOf(index),
      order: orderOf(index),
      position,
      propensity,
      source,
      team: team === null ? undefined : variants?.[team].name,
    };
  });
  return { rows, items };
}

/** Candidates that could have been chosen but were not; without those that the variant or diversity left out. */
function others(
  candidates: readonly Candidate[],
  { eligible, scoreOf, orderOf }: Ordered,
  items: readonly RecommendedItem[],
): Recommendation["others"] {
  const chosen = new Set(items.map(({ item }) => item));
  return eligible.flatMap((index) => {
    const { item: { id } } = candidates[index]!;
    return chosen.has(id) ? [] : [{ item: id, score: scoreOf(index), order: orderOf(index) }];
  });
}
