/**
 * Answers requests: candidates given or retrieved, filtered, scored, and chosen by the policy with exact
 * propensities.
 *
 * @module
 */

import type { RequestEvent } from "../events/event.ts";
import type { Recommendation } from "../events/recommendation.ts";
import type { Catalogue } from "../state/catalogue.ts";
import type { Pending } from "../state/pending.ts";
import type { SequenceSlab } from "../state/sequence.ts";
import type { UserState } from "../state/user_state.ts";
import type { ListScorer } from "./list_scorer.ts";
import { type Candidates, choose, type PolicyOptions } from "./policy.ts";
import { hash32, mulberry32 } from "./random.ts";
import type { Candidate, Retrieval } from "./retrieval.ts";
import type { Serving } from "./serving.ts";
import { logitDeviation } from "./thompson.ts";

/** Behaviours whose categories retrieval looks at, and how many categories it takes. */
const RECENT_BEHAVIOURS = 10;
const RECENT_CATEGORIES = 5;

/** Options of an {@linkcode Answerer}. */
export interface AnswererOptions {
  readonly policy: PolicyOptions;
  /** Seed of exploration; a request's draws depend on it and on the request's id alone. */
  readonly seed: number;
  /** A clock in microseconds for `tookMicros`. */
  readonly nowMicros: () => number;
}

/** An answer and what is to be remembered of it. */
export interface Answer {
  readonly recommendation: Recommendation;
  /** All scored candidates, not placed. */
  readonly scored: Pending;
  /** The chosen ones, placed. */
  readonly chosen: Pending;
}

/** What an {@linkcode Answerer} reads. */
export interface AnswererState {
  readonly catalogue: Catalogue;
  readonly sequences: SequenceSlab;
  readonly retrieval: Retrieval;
  readonly scorer: ListScorer;
  readonly serving: Serving;
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
    const { scorer, serving, sequences } = this.#state;
    const start = this.#options.nowMicros();
    const candidates = this.#candidates(user, event);
    const scored = scorer.score(user, candidates.map(({ item }) => item), event);
    const random = mulberry32(hash32(event.request, this.#options.seed));
    const choices = choose(this.#scores(scored), event.count, this.#options.policy, random);
    const chosen = {
      ...scored,
      rows: choices.map(({ index, propensity }, position) =>
        scorer.place(scored.rows[index]!, position, propensity)
      ),
    };
    return {
      scored,
      chosen,
      recommendation: {
        request: event.request,
        user: user.id,
        time: event.time,
        items: choices.map(({ index, propensity }, position) => ({
          item: candidates[index]!.item,
          score: 1 / (1 + Math.exp(-scored.rows[index]!.logit)),
          position,
          propensity,
          source: candidates[index]!.source,
        })),
        model: serving.model,
        version: serving.version,
        stateVersion: sequences.total(user.row),
        tookMicros: this.#options.nowMicros() - start,
      },
    };
  }

  #scores({ rows }: Pending): Candidates {
    const { catalogue } = this.#state;
    const scores = rows.map(({ logit }) => logit);
    if (this.#options.policy.name !== "thompson") return { scores };
    const deviations = rows.map(({ item, logit }) =>
      logitDeviation(catalogue.at(item).statistics.outcomes, logit)
    );
    return { scores, deviations };
  }

  #candidates(user: UserState, event: RequestEvent): Candidate[] {
    const { catalogue, retrieval, scorer } = this.#state;
    const excluded = new Set(event.exclude);
    const categories = event.filter?.categories === undefined ? null : new Set(event.filter.categories);
    const seen = event.candidates === undefined ? scorer.window(user, event.time).seen : null;
    const allowed = (id: string): boolean => {
      if (excluded.has(id)) return false;
      const item = catalogue.get(id);
      if (item === undefined) return categories === null;
      if (item.hidden || item.expires <= event.time || seen?.has(item.index)) return false;
      return categories === null || item.categories.some((category) => categories.has(category));
    };
    if (event.candidates !== undefined) {
      return event.candidates.filter(allowed).map((item) => ({ item, source: "given" }));
    }
    const wanted = categories === null ? this.#recentCategories(user) : [...categories];
    return retrieval.candidates(wanted, allowed);
  }

  /** Categories of the user's newest behaviours, newest first. */
  #recentCategories(user: UserState): string[] {
    const { catalogue, sequences } = this.#state;
    const categories = new Set<string>();
    const length = sequences.length(user.row);
    for (let i = length - 1; i >= Math.max(0, length - RECENT_BEHAVIOURS); i--) {
      for (const category of catalogue.at(sequences.item(user.row, i)).categories) categories.add(category);
    }
    return [...categories].slice(0, RECENT_CATEGORIES);
  }
}
