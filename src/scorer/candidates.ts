/** The candidates of a request: the items that it names, or retrieved ones, after its filters. */

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
  readonly behaviours: Context;
  /** Items that the list has to match; `undefined` = the list is for the user. */
  readonly query: readonly string[] | undefined;
  /** Ids that the request leaves out. */
  readonly excludedIds: readonly string[];
  /** Items that the user already had, if those are left out. */
  readonly seen: readonly number[];
  /** Whether an item is left out because the user had it before those. */
  readonly hadBefore: (item: CatalogueItem) => boolean;
  /** Whether an item is hidden; also, unless the request names candidates, one that a complete catalogue lacks. */
  readonly hidden: (item: CatalogueItem) => boolean;
  /** Whether the filter lets an item through. */
  readonly passes: (item: Filtered) => boolean;
  /** Items that the user was shown too often. */
  readonly shownTooOften: ReadonlySet<number> | null;
}

function gatesOf(
  { catalogue, retrieval }: CandidatesView,
  user: UserState,
  event: RequestEvent,
  frequency: FrequencyOptions | null,
): Gates {
  const { candidates, filter, list, time } = event;
  const query = event.item === undefined ? event.like : [event.item];
  // By default, lists that are made for the user alone leave out items that the user already had.
  const isForSeen = candidates !== undefined || query !== undefined || list === "recent";
  const seenToo = filter?.seen ?? (isForSeen || retrieval.revisits);
  // Candidates that the request names are capped only if it sets a cap, too.
  const cap = event.frequency ?? (candidates === undefined ? frequency : null);
  return {
    behaviours: retrieval.past.context(user, time),
    query,
    excludedIds: [...event.exclude ?? [], ...query ?? []],
    seen: seenToo ? [] : [...retrieval.past.items(user, time)],
    hadBefore: (item) => !seenToo && retrieval.past.hadBefore(user, item),
    hidden: (item) => candidates === undefined ? !catalogue.offers(item) : item.withheld,
    passes: filterOf(filter),
    shownTooOften: cap === null ? null : overshown(user, cap, time, frequency?.remembered ?? 0),
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
  const { seen, hadBefore, hidden, excludedIds, passes, shownTooOften } = gates;
  const excluded = [...seen];
  for (const id of excludedIds) {
    const item = catalogue.get(id);
    if (item !== undefined) excluded.push(item.index);
  }
  const allowed = (item: CatalogueItem): boolean =>
    !(shownTooOften?.has(item.index) ?? false) && !hidden(item) && item.expires > time && passes(item) &&
    !hadBefore(item);
  if (event.candidates === undefined) {
    return retrieved(view, user, event, gates, { excluded, allowed, most, stacked });
  }
  const without = new Set(excluded);
  const unknown = new Set(excludedIds);
  let { open } = catalogue.room;
  const given = event.candidates.filter((id) => {
    const item = catalogue.get(id);
    return item === undefined
      ? !unknown.has(id) && passes(UNKNOWN) && open-- > 0
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
  { behaviours, query }: Gates,
  { excluded, allowed, most, stacked }: Wanted,
): OrderedCandidates {
  if (list !== "personal") {
    const without = new Set(excluded);
    const isWanted = (item: CatalogueItem) => !without.has(item.index) && allowed(item);
    const listed = list === "recent"
      ? recentItems(behaviours, catalogue).filter(isWanted)
      : retrieval.listed(list, isWanted);
    // Only the order is known: each share is half of the previous one.
    return unstacked(
      listed.slice(0, most)
        .map((item, place) => ({ item, source: list, score: -place, share: 2 ** (-1 - place) })),
    );
  }
  const like = query?.map((id) => catalogue.get(id)).filter((item) => item !== undefined).reverse();
  if (like?.length === 0) return unstacked([]);
  const context = like === undefined
    ? behaviours
    : contextOf(like.map(({ index }) => ({ item: index, time })));
  const categories = filter?.categories ?? filter?.allCategories;
  return retrieval.candidates(
    { user: like === undefined ? user : null, context, time, excluded, allowed, categories },
    { most, stacked },
  );
}

/** The user's items, newest first, without those whose newest behaviour was negative. */
function recentItems({ size, items, liked }: Context, catalogue: Catalogue): CatalogueItem[] {
  const newest = new Map<number, boolean>();
  for (let x = 0; x < size; x++) {
    const item = items[x]!;
    if (!newest.has(item)) newest.set(item, liked[x] === 1);
  }
  return Array.from(newest).flatMap(([item, isLiked]) => isLiked ? [catalogue.at(item)] : []);
}

function unstacked(candidates: readonly Candidate[]): OrderedCandidates {
  return { candidates, stacked: null };
}

/**
 * Why a list is empty: the last step that an item reached. Runs the search again, so it costs as much as
 * {@linkcode findCandidates}.
 */
export function whyEmpty(
  view: CandidatesView,
  user: UserState,
  event: RequestEvent,
  frequency: FrequencyOptions | null,
): EmptyReason {
  const { catalogue } = view;
  const gates = gatesOf(view, user, event, frequency);
  const stepOf = stepsOf(gates, event.time);
  const isUnknown = gates.query?.every((id) => catalogue.get(id) === undefined);
  let last = STEPS.indexOf(isUnknown ? "unknown" : "no-candidates");
  const note = (id: string, item: CatalogueItem | undefined) => {
    last = Math.max(last, STEPS.indexOf(stepOf(id, item)));
  };
  if (event.candidates === undefined) {
    // It allows none, so that the search visits every item that it can find.
    const allowed = (item: CatalogueItem) => {
      note(item.id, item);
      return false;
    };
    retrieved(view, user, event, gates, { excluded: [], allowed, most: 1, stacked: false });
  } else {
    for (const id of event.candidates) note(id, catalogue.get(id));
  }
  return STEPS[last]!;
}

/** The step that leaves an item out: one of the request's, or else `variant`. */
function stepsOf(
  { excludedIds, seen, hadBefore, hidden, passes, shownTooOften }: Gates,
  time: number,
): (id: string, item: CatalogueItem | undefined) => EmptyReason {
  const [excluded, had] = [new Set(excludedIds), new Set(seen)];
  return (id, item) => {
    if (item !== undefined && hidden(item)) return "hidden";
    if (item !== undefined && item.expires <= time) return "expired";
    if (!passes(item ?? UNKNOWN)) return "filtered";
    if (excluded.has(id)) return "excluded";
    if (item === undefined) return "variant";
    if (had.has(item.index) || hadBefore(item)) return "seen";
    return shownTooOften?.has(item.index) ? "frequency" : "variant";
  };
}
