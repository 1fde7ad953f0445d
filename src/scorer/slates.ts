/**
 * Makes the lists of a request: candidates scored and ordered as a variant does, and chosen by its policy with exact
 * propensities.
 */

import { settingsOf } from "../assignment/assignment.ts";
import type { Variant, VariantSettings } from "../assignment/experiment.ts";
import { type Team, teamDraft } from "../assignment/interleaving.ts";
import { fullKey } from "../assignment/pins.ts";
import { choose, type PolicyOptions } from "../draws/policy.ts";
import { hash32, mulberry32 } from "../draws/random.ts";
import type { Boost, RequestEvent } from "../events/event.ts";
import type {
  OrderedBy,
  Recommendation,
  RecommendedItem,
  ScoreKind,
  ShadowSlate,
} from "../events/recommendation.ts";
import type { Candidate } from "../retrieval/finder.ts";
import type { Retrieval } from "../retrieval/retrieval.ts";
import type { Stacked } from "../retrieval/stack/stack.ts";
import { Rows } from "../samples/rows.ts";
import type { UserState } from "../users/user_state.ts";
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
import { hasOwnOrder, orderedByOf, rankingOf } from "./ranking.ts";
import { type Calibrations, scoreIn } from "./score_kind.ts";
import type { ScoredRows } from "./scored_rows.ts";

/** The model of a list that two models made together. */
const SEVERAL_MODELS = "several";

/** Added to the seed, so that several lists for one request have different draws. */
const DRAW = { own: 0, teams: [1, 2], coin: 3, shadow: 4 } as const;

export interface SlatesOptions {
  readonly policy: PolicyOptions;
  /** Rules for every request. */
  readonly boosts: readonly Boost[];
  readonly ranking: CandidateOrder;
  /** Seed of exploration; a request's draws depend on it and on the request's id alone. */
  readonly seed: number;
  /** Whether recommendations contain the candidates that were not chosen, for off-policy evaluation. */
  readonly logCandidates: boolean;
}

/** The models that order candidates. */
export interface Models {
  /** Scores with the deployment's own model. */
  readonly own: ListScorer;
  /** Score with the models of variants and with pinned versions, by full key (`pins.ts`). */
  readonly byModel: ReadonlyMap<string, ListScorer>;
  /** Whether their predictions have proved calibrated. */
  readonly calibrations: Calibrations;
}

/** A request and its candidates, with their scores by model, so that variants with the same model share them. */
export interface RequestCandidates {
  readonly user: UserState;
  readonly event: RequestEvent;
  readonly candidates: readonly Candidate[];
  readonly kind: ScoreKind;
  /** Which parts of the stack order; `null` if it does not. */
  readonly stacked: Stacked | null;
  readonly byModel: Map<ListScorer, ScoredRows>;
}

/** Candidates as one variant orders them. */
export interface Ordered extends Choosable {
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
export interface Slate {
  readonly rows: Rows;
  readonly items: readonly RecommendedItem[];
  readonly model: string;
  readonly orderedBy: OrderedBy;
  readonly share: number;
}

/** Makes lists of candidates. */
export class Slates {
  readonly #models: Models;
  /** Has the stack. */
  readonly #retrieval: Pick<Retrieval, "ordering">;
  readonly #options: SlatesOptions;

  constructor(
    { models, retrieval }: { readonly models: Models; readonly retrieval: Pick<Retrieval, "ordering"> },
    options: SlatesOptions,
  ) {
    this.#models = models;
    this.#retrieval = retrieval;
    this.#options = options;
  }

  /** Scores with a model, by default the deployment's own; `undefined` = it is not here, or has no version yet. */
  scorerOf(model = ""): ListScorer | undefined {
    const { own, byModel } = this.#models;
    const key = fullKey(model, own.serving.model);
    if (key === own.serving.model) return own;
    const other = byModel.get(key);
    // Without a first version there is nothing to score with.
    return other === undefined || other.serving.version === 0 ? undefined : other;
  }

  /** Scores and orders the candidates as a variant does. */
  order(
    asked: RequestCandidates,
    settings: VariantSettings,
    { draw = DRAW.own, isShadow = false }: { readonly draw?: number; readonly isShadow?: boolean } = {},
  ): Ordered {
    const { user, event, candidates, kind, stacked, byModel } = asked;
    const policy = settings.policy ?? this.#options.policy;
    const scorer = this.scorerOf(settings.model) ?? this.#models.own;
    const scored = byModel.get(scorer) ?? scorer.score(user, candidates.map(({ item }) => item), event);
    byModel.set(scorer, scored);
    // The list of a shadow is not shown, so its model orders alone, proved or not.
    const [logits, share] = isShadow ? [scored.logits, 1] : [scored.ordering, scored.share];
    const ranking = rankingOf(event, settings, this.#options.ranking);
    const modelPart = ranking === "auto" ? this.#modelPart(stacked, logits) : null;
    const own = rankingScores(candidates, logits, ranking, modelPart);
    const all = scoresOf(candidates, { own, logits }, {
      boosts: rulesOf(event, this.#options.boosts),
      policy,
    });
    const eligible = diverseOf(eligibleOf(candidates, event, settings), candidates, all, {
      count: event.count,
      diversity: event.diversity ?? settings.diversity,
    });
    const isModelled = modelPart !== null;
    const { own: ownScorer, calibrations } = this.#models;
    const key = scorer === ownScorer ? undefined : scorer.serving.model;
    const probabilityOf = calibrations.probabilityOf(key, share);
    return {
      scorer,
      scored,
      scoreOf: scoreIn(kind, { candidates, logits, probabilityOf, ranking, scores: own, isModelled }),
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
    return this.#retrieval.ordering.stack.modelScores(logits).map((score) => modelWeight * score);
  }

  /** The list of one variant. */
  ofVariant(asked: RequestCandidates, by: Ordered): Slate {
    const { eligible, ordered, policy, random, scorer, orderedBy, share } = by;
    const chosen = choose(ordered, asked.event.count, policy, random)
      .map(({ index, propensity }) => ({ index: eligible[index]!, propensity, by, team: null }));
    return { ...slateOf(asked, chosen), model: scorer.serving.model, orderedBy, share };
  }

  /** The interleaved list of two variants. */
  interleaved(
    asked: RequestCandidates,
    variants: readonly [Variant, Variant],
    settings: VariantSettings,
  ): Slate {
    const order = (team: Team) =>
      this.order(asked, { ...settings, ...settingsOf(variants[team]) }, { draw: DRAW.teams[team] });
    const teams = [order(0), order(1)] as const;
    const [one, other] = teams;
    const { event } = asked;
    const pickers = [pickerOf(one, event.count), pickerOf(other, event.count)] as const;
    const coin = mulberry32(hash32(event.request, this.#options.seed + DRAW.coin));
    const chosen = teamDraft(pickers, event.count, coin)
      .map(({ item: index, picker, team, propensity }) => ({ index, propensity, by: teams[picker], team }));
    const models = teams.map(({ scorer }) => scorer.serving.model);
    return {
      ...slateOf(asked, chosen, variants),
      model: models[0] === models[1] ? models[0]! : SEVERAL_MODELS,
      orderedBy: one.orderedBy === other.orderedBy ? one.orderedBy : "several",
      share: Math.min(one.share, other.share),
    };
  }

  /** The list of a shadow; none if its model is missing. */
  ofShadow(asked: RequestCandidates, shadow: Variant, settings: VariantSettings): ShadowSlate[] {
    const own = { ...settings, ...settingsOf(shadow) };
    if (this.scorerOf(own.model) === undefined) return [];
    const by = this.order(asked, own, { draw: DRAW.shadow, isShadow: true });
    const { model, items } = this.ofVariant(asked, by);
    const list = items.map(({ item, score }) => ({ item, score }));
    return [{ variant: shadow.name, model, version: by.scored.head.version, items: list }];
  }
}

/** Rules that apply to a request; none for lists with an order of their own. */
export function rulesOf(event: RequestEvent, boosts: readonly Boost[]): readonly Boost[] {
  return hasOwnOrder(event) ? [] : [...boosts, ...event.boosts ?? []];
}

/** Puts the chosen candidates in their places. */
function slateOf(
  { candidates }: RequestCandidates,
  chosen: readonly Chosen[],
  variants?: readonly [Variant, Variant],
): Pick<Slate, "rows" | "items"> {
  const rows = new Rows(chosen.length, chosen[0]?.by.scored.rows.width ?? 0);
  const items = chosen.map(({ index, propensity, by, team }, position): RecommendedItem => {
    const { scorer, scored, scoreOf, orderOf } = by;
    const row = rows.copy(scored.rows, index);
    rows.setLogit(row, scorer.serving.place(scored.logits[index]!, position));
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

/** Candidates that could have been on a list but are not; without those that the variant or diversity left out. */
export function othersOf(
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
