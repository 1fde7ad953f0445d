/**
 * Answers requests: candidates given or retrieved, filtered, scored, and chosen by the policy with exact
 * propensities, all as set by the user's variants.
 */

import { type Assignment, type Experiments, settingsOf } from "../assignment/assignment.ts";
import { HOLDOUT } from "../assignment/holdout.ts";
import type { RequestEvent } from "../events/event.ts";
import type { EmptyReason, Recommendation, ScoreKind } from "../events/recommendation.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import type { OrderedCandidates } from "../retrieval/finder.ts";
import type { Retrieval } from "../retrieval/retrieval.ts";
import type { Pending } from "../users/pending/pending.ts";
import type { FrequencyOptions } from "../users/shown_items.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import type { UserState } from "../users/user_state.ts";
import { findCandidates, whyEmpty } from "./candidates.ts";
import { asVariant, rankingOf } from "./ranking.ts";
import { type Models, othersOf, rulesOf, Slates, type SlatesOptions } from "./slates.ts";

export interface AnswererOptions extends SlatesOptions {
  /** Caps for every request; `null` = none. */
  readonly frequency: FrequencyOptions | null;
  /** A clock in microseconds for `tookMicros`. */
  readonly nowMicros: () => number;
}

/** A recommendation, with the parts that the join keeps. */
export interface Recommended {
  readonly recommendation: Recommendation;
  /** The recommended items, in their places. */
  readonly list: Pending;
  /** All scored candidates, without places. Call before another list is scored. */
  candidates(): Pending;
  /** Whether a variant of the user's experiment needs a model that this task does not have, so that it was ignored. */
  readonly unserved: boolean;
  /** Whether the stack orders a list for the request. */
  readonly stacked: boolean;
}

export interface AnswererState {
  readonly catalogue: Catalogue;
  readonly sequences: SequenceSlab;
  readonly retrieval: Retrieval;
  readonly models: Models & { readonly experiments: Pick<Experiments, "assign"> };
  /** The item of an id; a missing one is added. */
  item(id: string, time: number): CatalogueItem;
}

/** Answers requests from the state of one task. */
export class Answerer {
  readonly #state: AnswererState;
  readonly #options: AnswererOptions;
  readonly #slates: Slates;

  constructor(state: AnswererState, options: AnswererOptions) {
    this.#state = state;
    this.#options = options;
    this.#slates = new Slates(state, options);
  }

  /** Answers a request; the list is empty when nothing passes the filters. */
  answer(user: UserState, request: RequestEvent): Recommended {
    const start = this.#options.nowMicros();
    const assigned = this.#assigned(user);
    const { settings, interleaved, shadows, exposures, unserved } = assigned;
    const event = asVariant(request, settings);
    const stacked = this.isStacked(user, event, assigned);
    const found = this.candidates(user, event, { most: this.#needed(event, assigned), stacked });
    const { serving } = this.#state.models.own;
    const kind = this.#kindOf((interleaved ?? [settings]).map(({ model }) => model));
    const asked = { ...found, user, event, kind, byModel: new Map() };
    const own = this.#slates.order(asked, settings);
    const slate = interleaved === null
      ? this.#slates.ofVariant(asked, own)
      : this.#slates.interleaved(asked, interleaved, settings);
    const shadowSlates = shadows.flatMap((shadow) => this.#slates.ofShadow(asked, shadow, settings));
    const { model, items, share } = slate;
    const head: Omit<Pending, "rows"> = {
      ...own.scored.head,
      model: model === serving.model ? undefined : model,
      exposures: exposures.length === 0 ? undefined : exposures,
    };
    return {
      list: { ...head, rows: slate.rows },
      candidates: () => ({ ...head, rows: own.scored.awaitingPlaces() }),
      unserved,
      stacked,
      recommendation: {
        request: event.request,
        user: user.id,
        time: event.time,
        items,
        model,
        version: head.version,
        orderedBy: slate.orderedBy,
        scoreKind: kind,
        modelShare: share === 1 ? undefined : share,
        stateVersion: this.#state.sequences.total(user.row),
        ...exposures[0],
        exposures: exposures.length > 1 ? exposures : undefined,
        shadows: shadowSlates.length === 0 ? undefined : shadowSlates,
        empty: items.length > 0 ? undefined : this.whyEmpty(user, event),
        others: this.#options.logCandidates ? othersOf(found.candidates, own, items) : undefined,
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
      maxCandidates === undefined && rulesOf(event, this.#options.boosts).length === 0;
    return decides && takesAll && !logCandidates && interleaved === null && shadows.length === 0
      ? event.count
      : Infinity;
  }

  /** The user's variants; if one of their models is missing, only what is promoted. */
  #assigned(user: UserState): Assignment & Pick<Recommended, "unserved"> {
    const assigned = this.#state.models.experiments.assign(user.id);
    if (this.#isServed(...assigned.models)) return { ...assigned, unserved: false };
    const { promoted } = assigned;
    const settings = this.#isServed(promoted.model) ? promoted : {};
    const exposures = assigned.exposures.filter(({ experiment }) => experiment === HOLDOUT);
    return { ...assigned, exposures, settings, interleaved: null, shadows: [], unserved: true };
  }

  /** What the scores of a list by these models mean: probabilities if each model's do. */
  #kindOf(models: readonly (string | undefined)[]): ScoreKind {
    const { calibrations, own } = this.#state.models;
    const kinds = models.map((model) => {
      const scorer = this.#slates.scorerOf(model) ?? own;
      const { serving } = scorer;
      return calibrations.kindOf(scorer === own ? undefined : serving.model, serving.share ?? 1);
    });
    return kinds.includes("share") ? "share" : "probability";
  }

  /** Whether the models are here; `undefined` is the task's own. */
  #isServed(...models: readonly (string | undefined)[]): boolean {
    return models.every((model) => this.#slates.scorerOf(model) !== undefined);
  }
}
