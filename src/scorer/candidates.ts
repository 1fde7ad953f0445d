/**
 * The items that may be in an answer: those that the request names, or retrieved ones, without what its filters
 * leave out.
 *
 * @module
 */

import type { RequestEvent } from "../events/event.ts";
import { contextOf, itemsOf } from "../retrieval/context.ts";
import type { CandidateSource } from "../retrieval/features.ts";
import type { Retrieval } from "../retrieval/retrieval.ts";
import type { Catalogue, CatalogueItem } from "../state/catalogue.ts";
import { type FrequencyOptions, overshown } from "../state/shown_items.ts";
import type { UserState } from "../state/user_state.ts";
import { type Filtered, filterOf } from "./filters.ts";

/** An item that may be in the answer. */
export interface Found {
  /** Id of the item. */
  readonly item: string;
  /** Where it came from. */
  readonly source: CandidateSource;
  /** The blend's score, or minus the place on a list; 0 for one that the request names. */
  readonly score: number;
}

/** An item that no event and no catalogue record has named. */
const UNKNOWN: Filtered = { categories: [], attributes: {} };

/** What {@linkcode findCandidates} reads. */
export interface CandidatesView {
  readonly catalogue: Catalogue;
  readonly retrieval: Retrieval;
}

/** Options of {@linkcode findCandidates}. */
export interface FindOptions {
  /** Caps for every request; `null` = none. */
  readonly frequency: FrequencyOptions | null;
  /** Retrieved candidates at most: those with the largest scores. */
  readonly most: number;
}

/** Finds the candidates of a request, best first when they are retrieved. */
export function findCandidates(
  view: CandidatesView,
  user: UserState,
  event: RequestEvent,
  { frequency, most }: FindOptions,
): Found[] {
  const { catalogue, retrieval } = view;
  const { candidates, filter, list = "personal", time } = event;
  const query = event.item === undefined ? event.like : [event.item];
  const ids = [...event.exclude ?? [], ...query ?? []];
  const passes = filterOf(filter);
  const own = retrieval.context(user, time);
  // By default, what the user had is left out of what is made for the user alone.
  const seenToo = filter?.seen ?? (candidates !== undefined || query !== undefined || retrieval.revisits);
  const excluded = seenToo ? [] : [...itemsOf(own)];
  for (const id of ids) {
    const item = catalogue.get(id);
    if (item !== undefined) excluded.push(item.index);
  }
  // What a request names itself is capped only when it says so, too.
  const cap = event.frequency ?? (candidates === undefined ? frequency : null);
  const over = cap === null ? null : overshown(user, cap, time, frequency?.remembered ?? 0);
  const allowed = (item: CatalogueItem): boolean =>
    !(over?.has(item.index) ?? false) && !item.hidden && item.expires > time && passes(item);
  if (candidates !== undefined) {
    const without = new Set(excluded);
    const unknown = new Set(ids);
    const found: Found[] = [];
    for (const id of candidates) {
      const item = catalogue.get(id);
      const isAllowed = item === undefined
        ? !unknown.has(id) && passes(UNKNOWN)
        : !without.has(item.index) && allowed(item);
      if (isAllowed) found.push({ item: id, source: "given", score: 0 });
    }
    return found;
  }
  if (list !== "personal") {
    const without = new Set(excluded);
    const listed = retrieval.listed(list, (item) => !without.has(item.index) && allowed(item));
    return listed.slice(0, most).map((item, place) => ({ item: item.id, source: list, score: -place }));
  }
  const like = query?.map((id) => catalogue.get(id)).filter((item) => item !== undefined).reverse();
  if (like?.length === 0) return [];
  const context = like === undefined ? own : contextOf(like.map(({ index }) => ({ item: index, time })));
  const categories = filter?.categories ?? filter?.allCategories;
  return retrieval.candidates({
    user: like === undefined ? user : null,
    context,
    time,
    excluded,
    allowed,
    ...(categories === undefined ? {} : { categories }),
  }, most).map(({ item, source, score }) => ({ item: item.id, source, score }));
}
