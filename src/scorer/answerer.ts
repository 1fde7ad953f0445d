/**
 * Answers requests: candidates given or retrieved, filtered, scored, and chosen by the policy with exact
 * propensities, all as the user's variants say.
 *
 * @module
 */

import { boostOf } from "./boosts.ts";
import { findCandidates, type Found, whyEmpty } from "./candidates.ts";
import { diversify } from "./diversity.ts";
import { type Assignment, settingsOf } from "../assignment/assignment.ts";
import type { RANKINGS, Variant, VariantSettings } from "../assignment/experiment.ts";
import { type Drafted, listPicker, type Picker, type Team, teamDraft } from "../assignment/interleaving.ts";
import { fullKey } from "../assignment/pins.ts";
import type { Boost, Diversity, RequestEvent } from "../events/event.ts";
import type {
  EmptyReason,
  OrderedBy,
  Recommendation,
  RecommendedItem,
  ShadowSlate,
} from "../events/recommendation.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import type { Pending } from "../users/pending/pending.ts";
import type { FrequencyOptions } from "../users/shown_items.ts";
import type { Retrieval } from "../retrieval/retrieval.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import type { UserState } from "../users/user_state.ts";
import type { ListScorer } from "./list_scorer.ts";
import {
  type Candidates,
  type Choice,
  choose,
  draw,
  type PolicyOptions,
  propensitiesOf,
} from "../draws/policy.ts";
import { hash32, mulberry32 } from "../draws/random.ts";
import type { ScoredList } from "./scored_list.ts";
import { logitDeviation } from "../draws/thompson.ts";

/**
 * What orders retrieved candidates: the model's probability of a positive outcome (`model`), the blend's of being taken
 * next (`blend`), or their product (`both`).
 */
export type Ranking = typeof RANKINGS[number];

/** The model of a list that two models made together. */
const SEVERAL_MODELS = "several";

/** Tell the draws of several lists for one request apart; those between are of the teams of a draft. */
const OWN_DRAW = 0, SHADOW_DRAW = 4;

/** Options of an {@linkcode Answerer}. */
export interface AnswererOptions {
  readonly policy: PolicyOptions;
  /** Rules for every request. */
  readonly boosts: readonly Boost[];
  /** Caps for every request; `null` = none. */
  readonly frequency: FrequencyOptions | null;
  /** What orders retrieved candidates. */
  readonly ranking: Ranking;
  /** Seed of exploration; a request's draws depend on it and on the request's id alone. */
  readonly seed: number;
  /** Write the candidates that were not chosen into the answer, for the evaluation of other policies. */
  readonly logCandidates: boolean;
  /** A clock in microseconds for `tookMicros`. */
  readonly nowMicros: () => number;
}

/** An answer and what is to be remembered of it. */
export interface Answer {
  readonly recommendation: Recommendation;
  /** All scored candidates, not placed. Only until another list is scored. */
  scored(): Pending;
  /** The chosen ones, placed. */
  readonly chosen: Pending;
  /** Whether the user's variant wants a model that this task does not have: then it was left out. */
  readonly unserved: boolean;
}

/** What an {@linkcode Answerer} reads. */
export interface AnswererState {
  readonly catalogue: Catalogue;
  readonly sequences: SequenceSlab;
  readonly retrieval: Retrieval;
  /** Scores with the deployment's own model. */
  readonly scorer: ListScorer;
  /** Score with the models of variants and with pinned versions, by full key (`pins.ts`). */
  readonly scorers: ReadonlyMap<string, ListScorer>;
  /** The user's variants as of now. */
  assign(user: string): Assignment;
}

/** Candidates as one variant scored them. */
interface Ranked {
  readonly scorer: ListScorer;
  readonly scored: ScoredList;
  /** Logits of the candidates by whoever orders; their scores are made of them. */
  readonly logits: Float64Array;
  /** Share of the model in them. */
  readonly share: number;
  readonly orderedBy: OrderedBy;
  /** Indices of those that it chooses from, and what it orders them by. */
  readonly eligible: readonly number[];
  readonly ordered: Candidates;
  readonly policy: PolicyOptions;
  readonly random: () => number;
}

/** The list of a variant: indices of the candidates. */
interface Slate extends Ranked {
  readonly choices: readonly Choice[];
}

/** The scores of a request by model, so that variants with the same model share them. */
interface Scores {
  readonly user: UserState;
  readonly event: RequestEvent;
  readonly candidates: readonly Found[];
  readonly byModel: Map<ListScorer, ScoredList>;
}

/** Answers requests from the state of one task. */
export class Answerer {
  readonly #state: AnswererState;
  readonly #options: AnswererOptions;

  /** An answerer over `state`. */
  constructor(state: AnswererState, options: AnswererOptions) {
    this.#state = state;
    this.#options = options;
  }

  /** Answers a request; the list is empty when nothing passes the filters. */
  answer(user: UserState, event: RequestEvent): Answer {
    const start = this.#options.nowMicros();
    const assigned = this.#state.assign(user.id);
    const { settings, interleaved, shadows, exposures } = assigned;
    const wanted = [settings, ...(interleaved ?? []).map(settingsOf)].map(({ model }) => model);
    const unserved = wanted.some((model) => this.#scorer(model) === undefined);
    const candidates = this.candidates(user, event, this.#needed(event, assigned));
    const scores = { user, event, candidates, byModel: new Map() };
    const own = this.#slate(scores, unserved ? {} : settings);
    const list = interleaved === null || unserved
      ? this.#placed(scores, own)
      : this.#drafted(scores, interleaved, settings);
    const marks = {
      ...(list.model === this.#state.scorer.serving.model ? {} : { model: list.model }),
      ...(exposures.length === 0 || unserved ? {} : { exposures }),
    };
    const shadowed = unserved ? [] : shadows.flatMap((shadow) => this.#shadow(scores, shadow, settings));
    return {
      scored: () => ({ ...own.scored.pending(), ...marks }),
      chosen: { ...own.scored.head, ...marks, rows: list.rows },
      unserved,
      recommendation: {
        request: event.request,
        user: user.id,
        time: event.time,
        items: list.items,
        model: list.model,
        version: own.scored.head.version,
        orderedBy: list.orderedBy,
        ...(list.share === 1 ? {} : { modelShare: list.share }),
        stateVersion: this.#state.sequences.total(user.row),
        ...exposureFields(unserved ? [] : exposures),
        ...(shadowed.length === 0 ? {} : { shadows: shadowed }),
        ...(list.items.length > 0 ? {} : { empty: this.whyEmpty(user, event) }),
        ...(this.#options.logCandidates ? { others: others(scores, own.logits, list.items) } : {}),
        tookMicros: this.#options.nowMicros() - start,
      },
    };
  }

  /** The items that may be in the answer to a request, at most so many: those with the largest scores. */
  candidates(user: UserState, event: RequestEvent, most = Infinity): readonly Found[] {
    return findCandidates(this.#state, user, event, { frequency: this.#options.frequency, most });
  }

  /** Why there is nothing to answer a request with, when that is so. */
  whyEmpty(user: UserState, event: RequestEvent): EmptyReason {
    return whyEmpty(this.#state, user, event, this.#options.frequency);
  }

  /** How many candidates models have to score: where the blend alone decides, those that it puts on the list. */
  #needed(event: RequestEvent, { interleaved, shadows, settings }: Assignment): number {
    const { policy, logCandidates } = this.#options;
    const { retrieval, maxCandidates, diversity = event.diversity } = settings;
    const decides = this.#ranking(event, settings) === "blend" &&
      (settings.policy ?? policy).name === "greedy";
    const takesAll = diversity === undefined && retrieval?.without === undefined &&
      maxCandidates === undefined && this.#rules(event).length === 0;
    return decides && takesAll && !logCandidates && interleaved === null && shadows.length === 0
      ? event.count
      : Infinity;
  }

  /** Rules that a request is ranked by. The lists for everybody have an order of their own. */
  #rules({ boosts = [], list = "personal" }: RequestEvent): readonly Boost[] {
    return list === "personal" ? [...this.#options.boosts, ...boosts] : [];
  }

  /** What orders the candidates of a request. */
  #ranking(
    { candidates, item, like, list = "personal" }: RequestEvent,
    { retrieval }: VariantSettings,
  ): Ranking {
    if (candidates !== undefined) return "model";
    if (item !== undefined || like !== undefined || list !== "personal") return "blend";
    return retrieval?.ranking ?? this.#options.ranking;
  }

  #scorer(model = ""): ListScorer | undefined {
    const { scorer, scorers } = this.#state;
    const key = fullKey(model, scorer.serving.model);
    if (key === scorer.serving.model) return scorer;
    const other = scorers.get(key);
    // Without a first version there is nothing to score with.
    return other === undefined || other.serving.version === 0 ? undefined : other;
  }

  /** The list of a variant; see `#rank`. */
  #slate(scores: Scores, settings: VariantSettings, draw = OWN_DRAW): Slate {
    const ranked = this.#rank(scores, settings, draw);
    const { eligible, ordered, policy, random } = ranked;
    const choices = choose(ordered, scores.event.count, policy, random)
      .map(({ index, propensity }) => ({ index: eligible[index]!, propensity }));
    return { ...ranked, choices };
  }

  /** What a variant makes of the candidates. @param draw Tells the draws of several lists for one request apart. */
  #rank(scores: Scores, settings: VariantSettings, draw: number): Ranked {
    const { user, event, candidates, byModel } = scores;
    const policy = settings.policy ?? this.#options.policy;
    const scorer = this.#scorer(settings.model) ?? this.#state.scorer;
    const scored = byModel.get(scorer) ?? scorer.list(user, candidates.map(({ item }) => item), event);
    byModel.set(scorer, scored);
    // Nobody is shown what a shadow answers, so it needs no proof; and is there to say what its model would do.
    const [logits, share] = draw === SHADOW_DRAW ? [scored.logits, 1] : [scored.ordering, scored.share];
    const random = mulberry32(hash32(event.request, this.#options.seed + draw));
    const ordered = this.#scores(scored.items, logits, scores, settings);
    const eligible = diverseOf(eligibleOf(scores, settings), scored.items, ordered, {
      count: event.count,
      diversity: event.diversity ?? settings.diversity,
    });
    const orderedBy = this.#orderedBy(event, settings, share);
    const from = { scorer, scored, logits, share, orderedBy };
    return { ...from, eligible, ordered: subset(ordered, eligible), policy, random };
  }

  /** Who orders. @param share of the model in what scores */
  #orderedBy(event: RequestEvent, settings: VariantSettings, share: number): OrderedBy {
    if (event.candidates === undefined && (event.list ?? "personal") !== "personal") return "list";
    const ranking = this.#ranking(event, settings);
    if (ranking !== "model" || share === 1) return ranking;
    return share === 0 ? "prior" : "mix";
  }

  #placed({ candidates }: Scores, { scorer, scored, logits, share, orderedBy, choices }: Slate) {
    const rows = scored.room(choices.length);
    for (let position = 0; position < choices.length; position++) {
      const { index, propensity } = choices[position]!;
      const logit = scorer.placedLogit(scored.logits[index]!, position);
      rows.place(scored.addRow(rows, index, logit), position, propensity);
    }
    return {
      model: scorer.serving.model,
      orderedBy,
      share,
      rows,
      items: choices.map(({ index, propensity }, position): RecommendedItem => ({
        item: candidates[index]!.item,
        score: probabilityOf(logits[index]!),
        position,
        propensity,
        source: candidates[index]!.source,
      })),
    };
  }

  /** A list of two variants; an item's score and prediction are those of the team that drafted it. */
  #drafted(scores: Scores, variants: readonly [Variant, Variant], settings: VariantSettings) {
    const ranked = [0, 1].map((team) =>
      this.#rank(scores, { ...settings, ...settingsOf(variants[team as Team]) }, team + 1)
    ) as [Ranked, Ranked];
    const { event, candidates } = scores;
    const pickers = [pickerOf(ranked[0], event.count), pickerOf(ranked[1], event.count)] as const;
    const coin = mulberry32(hash32(event.request, this.#options.seed + 3));
    const drafted: Drafted<number>[] = teamDraft(pickers, event.count, coin);
    const models = ranked.map(({ scorer }) => scorer.serving.model);
    const rows = ranked[0].scored.room(drafted.length);
    drafted.forEach(({ item, picker, team, propensity }, position) => {
      const { scorer, scored } = ranked[picker];
      const row = scored.addRow(rows, item, scorer.placedLogit(scored.logits[item]!, position));
      rows.place(row, position, propensity);
      if (team !== null) rows.draft(row, team);
    });
    return {
      model: models[0] === models[1] ? models[0]! : SEVERAL_MODELS,
      orderedBy: ranked[0].orderedBy === ranked[1].orderedBy ? ranked[0].orderedBy : "several" as const,
      share: Math.min(ranked[0].share, ranked[1].share),
      rows,
      items: drafted.map(({ item, picker, team, propensity }, position): RecommendedItem => ({
        item: candidates[item]!.item,
        score: probabilityOf(ranked[picker].logits[item]!),
        position,
        propensity,
        source: candidates[item]!.source,
        ...(team === null ? {} : { team: variants[team].name }),
      })),
    };
  }

  /** What a shadow would have answered; nothing when its model is not here. */
  #shadow(scores: Scores, shadow: Variant, settings: VariantSettings): ShadowSlate[] {
    const own = { ...settings, ...settingsOf(shadow) };
    if (this.#scorer(own.model) === undefined) return [];
    const slate = this.#slate(scores, own, SHADOW_DRAW);
    const { model, items } = this.#placed(scores, slate);
    const list = items.map(({ item, score }) => ({ item, score }));
    return [{ variant: shadow.name, model, version: slate.scored.head.version, items: list }];
  }

  /** What the candidates are ordered by, as log-odds. */
  #scores(
    items: readonly CatalogueItem[],
    logits: Float64Array,
    { event, candidates }: Scores,
    settings: VariantSettings,
  ): Candidates {
    const ranking = this.#ranking(event, settings);
    const boost = boostOf(this.#rules(event));
    const scores = ranking === "model" && boost === null ? logits : logits.map((logit, place) => {
      const raised = boost === null ? 0 : boost(items[place]!);
      if (ranking === "model") return logit + raised;
      return candidates[place]!.score + (ranking === "both" ? logSigmoid(logit) : 0) + raised;
    });
    if ((settings.policy ?? this.#options.policy).name !== "thompson") return { scores };
    return {
      scores,
      deviations: logits.map((logit, place) => logitDeviation(items[place]!.statistics.outcomes, logit)),
    };
  }
}

/** Indices of the candidates that a variant chooses from. */
function eligibleOf({ event, candidates }: Scores, { maxCandidates, retrieval }: VariantSettings): number[] {
  const all: number[] = [];
  for (let at = 0; at < candidates.length; at++) all.push(at);
  if (event.candidates !== undefined) return all;
  const without: readonly string[] = retrieval?.without ?? [];
  return all.filter((at) => !without.includes(candidates[at]!.source)).slice(0, maxCandidates);
}

/** Those of the eligible rows that may be on the list when it has to be diverse. */
function diverseOf(
  eligible: readonly number[],
  items: readonly CatalogueItem[],
  { scores }: Candidates,
  { count, diversity }: { readonly count: number; readonly diversity: Diversity | undefined },
): readonly number[] {
  if (diversity === undefined) return eligible;
  const candidates = eligible.map((at) => ({ categories: items[at]!.categories, score: scores[at]! }));
  return diversify(candidates, count, diversity).map((index) => eligible[index]!);
}

/** Picks what a variant would show next, of what is left. */
function pickerOf({ eligible, ordered, policy, random }: Ranked, count: number): Picker<number> {
  if (policy.name === "greedy") {
    return listPicker(choose(ordered, count, policy, random).map(({ index }) => eligible[index]!));
  }
  const left = (above: ReadonlySet<number>) => [...eligible.keys()].filter((at) => !above.has(eligible[at]!));
  return {
    left: (above) => left(above).length,
    draw(above) {
      const places = left(above);
      const [index] = places.length === 0 ? [] : draw(subset(ordered, places), 1, policy, random);
      return index === undefined ? undefined : eligible[places[index]!];
    },
    probability(item, above) {
      const places = left(above);
      const at = places.findIndex((place) => eligible[place] === item);
      return at < 0 ? 0 : propensitiesOf(subset(ordered, places), [at], policy)[0]!;
    },
  };
}

function exposureFields(exposures: Assignment["exposures"]) {
  const [first] = exposures;
  return first === undefined ? {} : { ...first, ...(exposures.length === 1 ? {} : { exposures }) };
}

function others({ candidates }: Scores, logits: Float64Array, items: readonly RecommendedItem[]) {
  const chosen = new Set(items.map(({ item }) => item));
  return candidates.flatMap(({ item }, index) =>
    chosen.has(item) ? [] : [{ item, score: probabilityOf(logits[index]!) }]
  );
}

function probabilityOf(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

function subset(candidates: Candidates, indices: readonly number[]): Candidates {
  const { scores, deviations } = candidates;
  if (indices.length === scores.length && indices.every((index, at) => index === at)) return candidates;
  const of = (values: ArrayLike<number>) => indices.map((index) => values[index]!);
  return { scores: of(scores), ...(deviations === undefined ? {} : { deviations: of(deviations) }) };
}

/** ln σ(x). */
function logSigmoid(x: number): number {
  return x < 0 ? x - Math.log1p(Math.exp(x)) : -Math.log1p(Math.exp(-x));
}
