/**
 * The candidates of a request: the items that it names, or retrieved ones, after its filters.
 *
 * @module
 */

import type { RequestEvent } from "../events/event.ts";
import { EMPTY_REASONS, type EmptyReason } from "../events/recommendation.ts";
import { type Context, contextOf } from "../retrieval/signals/context.ts";
import type { Candidate, OrderedCandidates } from "../retrieval/finder.ts";
import type { Retrieval } from "../retrieval/retrieval.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import { type FrequencyOptions, overshown } from "../users/shown_items.ts";
import type { UserState } from "../users/user_state.ts";
import { keysOf } from "../values/record.ts";
import { type Filtered, filterOf } from "./filters.ts";

const STEPS = keysOf(EMPTY_REASONS);

/** An item without events and without a catalogue record. */
const UNKNOWN: Filtered = { categories: [], attributes: {} };

/** The state that {@linkcode findCandidates} reads. */
export interface CandidatesView {
  readonly catalogue: Catalogue;
  readonly retrieval: Retrieval;
}

export interface FindOptions {
  /** Caps for every request; `null` = none. */
  readonly frequency: FrequencyOptions | null;
  /** Most retrieved candidates, those with the largest scores. */
  readonly most: number;
  /** Whether the stack orders them. */
  readonly stacked: boolean;
  /** The item of an id that the request names. */
  readonly itemOf: (id: string) => CatalogueItem;
}

/** The steps by which candidates of a request are filtered. */
interface Gates {
  /** The user's behaviours, newest first. */
  readonly own: Context;
  /** Items that the list has to match; `undefined` = the list is for the user. */
  readonly query: readonly string[] | undefined;
  /** Ids that the request leaves out. */
  readonly ids: readonly string[];
  /** Items that the user already had, if those are left out. */
  readonly seen: readonly number[];
  /** Whether an item is left out because the user had it before those. */
  readonly hadBefore: (item: CatalogueItem) => boolean;
  /** Whether the filter lets an item through. */
  readonly passes: (item: Filtered) => boolean;
  /** Items that the user was shown too often. */
  readonly over: ReadonlySet<number> | null;
}

function gatesOf(
  { retrieval }: CandidatesView,
  user: UserState,
  event: RequestEvent,
  frequency: FrequencyOptions | null,
): Gates {
  const { candidates, filter, time } = event;
  const query = event.item === undefined ? event.like : [event.item];
  const own = retrieval.past.context(user, time);
  // By default, lists that are made for the user alone leave out items that the user already had.
  const seenToo = filter?.seen ?? (candidates !== undefined || query !== undefined || retrieval.revisits);
  // Candidates that the request names are capped only if it sets a cap, too.
  const cap = event.frequency ?? (candidates === undefined ? frequency : null);
  return {
    own,
    query,
    ids: [...event.exclude ?? [], ...query ?? []],
    seen: seenToo ? [] : [...retrieval.past.items(user, time)],
    hadBefore: (item) => !seenToo && retrieval.past.hadBefore(user, item),
    passes: filterOf(filter),
    over: cap === null ? null : overshown(user, cap, time, frequency?.remembered ?? 0),
  };
}

/** The candidates of a request, best first when they are retrieved. */
export function findCandidates(
  view: CandidatesView,
  user: UserState,
  event: RequestEvent,
  { frequency, most, stacked, itemOf }: FindOptions,
): OrderedCandidates {
  const { catalogue } = view;
  const { time } = event;
  const gates = gatesOf(view, user, event, frequency);
  const { seen, hadBefore, ids, passes, over } = gates;
  const excluded = [...seen];
  for (const id of ids) {
    const item = catalogue.get(id);
    if (item !== undefined) excluded.push(item.index);
  }
  const allowed = (item: CatalogueItem): boolean =>
    !(over?.has(item.index) ?? false) && !item.withheld && item.expires > time && passes(item) &&
    !hadBefore(item);
  if (event.candidates === undefined) {
    return retrieved(view, user, event, gates, { excluded, allowed, most, stacked });
  }
  const without = new Set(excluded);
  const unknown = new Set(ids);
  let { room } = catalogue;
  const given = event.candidates.filter((id) => {
    const item = catalogue.get(id);
    return item === undefined
      ? !unknown.has(id) && passes(UNKNOWN) && room-- > 0
      : !without.has(item.index) && allowed(item);
  });
  return unstacked(given.map((id) => ({ item: itemOf(id), source: "given", score: 0, share: 0 })));
}

/** Which items retrieval may find. */
interface Wanted {
  readonly excluded: readonly number[];
  readonly allowed: (item: CatalogueItem) => boolean;
  readonly most: number;
  readonly stacked: boolean;
}

function retrieved(
  { catalogue, retrieval }: CandidatesView,
  user: UserState,
  { filter, list = "personal", time }: RequestEvent,
  { own, query }: Gates,
  { excluded, allowed, most, stacked }: Wanted,
): OrderedCandidates {
  if (list !== "personal") {
    const without = new Set(excluded);
    const listed = retrieval.listed(list, (item) => !without.has(item.index) && allowed(item));
    // Only the order is known: each share is half of the previous one.
    return unstacked(
      listed.slice(0, most)
        .map((item, place) => ({ item, source: list, score: -place, share: 2 ** (-1 - place) })),
    );
  }
  const like = query?.map((id) => catalogue.get(id)).filter((item) => item !== undefined).reverse();
  if (like?.length === 0) return unstacked([]);
  const context = like === undefined ? own : contextOf(like.map(({ index }) => ({ item: index, time })));
  const categories = filter?.categories ?? filter?.allCategories;
  return retrieval.candidates(
    { user: like === undefined ? user : null, context, time, excluded, allowed, categories },
    { most, stacked },
  );
}

function unstacked(candidates: readonly Candidate[]): OrderedCandidates {
  return { candidates, stacked: null };
}

/** Why a list is empty. Runs the search again, so it costs as much as {@linkcode findCandidates}. */
export function whyEmpty(
  view: CandidatesView,
  user: UserState,
  event: RequestEvent,
  frequency: FrequencyOptions | null,
): EmptyReason {
  const { catalogue } = view;
  const { candidates, time } = event;
  const gates = gatesOf(view, user, event, frequency);
  const { hadBefore, query, passes, over } = gates;
  const [ids, seen] = [new Set(gates.ids), new Set(gates.seen)];
  let last = STEPS.indexOf(
    query?.every((id) => catalogue.get(id) === undefined) ? "unknown" : "no-candidates",
  );
  const stepOf = (id: string, item: CatalogueItem | undefined): EmptyReason => {
    if (item?.withheld) return "hidden";
    if (item !== undefined && item.expires <= time) return "expired";
    if (!passes(item ?? UNKNOWN)) return "filtered";
    if (ids.has(id)) return "excluded";
    if (item !== undefined && (seen.has(item.index) || hadBefore(item))) return "seen";
    return item !== undefined && over?.has(item.index) ? "frequency" : "variant";
  };
  const look = (id: string, item: CatalogueItem | undefined): false => {
    last = Math.max(last, STEPS.indexOf(stepOf(id, item)));
    return false;
  };
  if (candidates === undefined) {
    const allowed = (item: CatalogueItem) => look(item.id, item);
    retrieved(view, user, event, gates, { excluded: [], allowed, most: 1, stacked: false });
  } else {
    for (const id of candidates) look(id, catalogue.get(id));
  }
  return STEPS[last]!;
}
