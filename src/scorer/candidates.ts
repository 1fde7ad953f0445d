/**
 * The items that may be in an answer: those that the request names, or retrieved ones, without what its filters
 * leave out.
 *
 * @module
 */

import type { RequestEvent } from "../events/event.ts";
import type { CandidateSource } from "../retrieval/features.ts";
import type { Retrieval } from "../retrieval/retrieval.ts";
import type { Catalogue, CatalogueItem } from "../state/catalogue.ts";
import type { UserState } from "../state/user_state.ts";

/** An item that may be in the answer. */
export interface Found {
  /** Id of the item. */
  readonly item: string;
  /** Where it came from. */
  readonly source: CandidateSource;
  /** The blend's score of a retrieved one; 0 for one that the request names. */
  readonly score: number;
}

/** What {@linkcode findCandidates} reads. */
export interface CandidatesView {
  readonly catalogue: Catalogue;
  readonly retrieval: Retrieval;
}

/** Finds the candidates of a request, best first when they are retrieved. */
export function findCandidates(view: CandidatesView, user: UserState, event: RequestEvent): Found[] {
  const { catalogue, retrieval } = view;
  const excluded = new Set(event.exclude);
  const categories = event.filter?.categories === undefined ? null : new Set(event.filter.categories);
  const context = retrieval.context(user, event.time);
  const seen = new Set(event.candidates === undefined && !retrieval.revisits ? context.items : []);
  const allowed = (item: CatalogueItem): boolean => {
    if (excluded.has(item.id)) return false;
    if (item.hidden || item.expires <= event.time || seen.has(item.index)) return false;
    return categories === null || item.categories.some((category) => categories.has(category));
  };
  if (event.candidates !== undefined) {
    return event.candidates.filter((id) => {
      const item = catalogue.get(id);
      return item === undefined ? categories === null && !excluded.has(id) : allowed(item);
    }).map((item) => ({ item, source: "given", score: 0 }));
  }
  const query = { user, context, time: event.time, allowed };
  return retrieval.candidates(categories === null ? query : { ...query, categories: [...categories] })
    .map(({ item, source, score }) => ({ item: item.id, source, score }));
}
