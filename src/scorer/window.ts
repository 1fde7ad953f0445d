/** The behaviours of a user that models read, as they were at the time of a list. */

import { TRANSITION_OPTIONS } from "../features/transitions.ts";
import type { Catalogue } from "../items/catalogue.ts";
import type { EarlierBehaviours, SampleHistory } from "../samples/sample.ts";
import type { Pending } from "../users/pending/pending.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import type { UserState } from "../users/user_state.ts";

/** The behaviours that models read. */
export interface Window {
  /** Oldest first. */
  readonly history: SampleHistory;
  /** Index of its first behaviour in the user's sequence. */
  readonly first: number;
  /** How often each item, by index, is among them. */
  readonly seen: ReadonlyMap<number, number>;
}

/** The state that windows are read from. */
export interface WindowView {
  readonly catalogue: Catalogue;
  readonly sequences: SequenceSlab;
}

/** The window of a user as of `time`: it leaves out later behaviours, even those that are already in the sequence. */
export function windowOf(view: WindowView, user: UserState, time: number): Window {
  const { sequences } = view;
  const start = sequences.windowStart(user.row);
  let length = sequences.length(user.row) - start;
  while (length > 0 && sequences.time(user.row, start + length - 1) > time) length--;
  const seen = new Map<number, number>();
  for (let i = 0; i < length; i++) {
    const item = sequences.item(user.row, start + i);
    seen.set(item, (seen.get(item) ?? 0) + 1);
  }
  const history = openHistory(view, user, start, length) ?? newHistory(view, user, start, length);
  const earlier = earlierThan(view, user, { start, time, history });
  return {
    history: earlier === undefined && history.earlier === undefined ? history : { ...history, earlier },
    first: start,
    seen,
  };
}

function newHistory(
  { catalogue, sequences }: WindowView,
  { row }: UserState,
  start: number,
  length: number,
): SampleHistory {
  const items = new Array<string>(length);
  const categories = new Array<readonly string[]>(length);
  const actions = new Array<string>(length);
  const times = new Float64Array(length);
  const strengths = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const item = catalogue.at(sequences.item(row, start + i));
    items[i] = item.id;
    categories[i] = item.categories;
    actions[i] = sequences.action(row, start + i);
    times[i] = sequences.time(row, start + i);
    strengths[i] = sequences.strength(row, start + i);
  }
  return { items, categories, actions, times, strengths, earlier: undefined };
}

/** The history of the user's newest open list if it is still current, so that open lists share it. */
function openHistory(
  { catalogue, sequences }: WindowView,
  { row, pending }: UserState,
  start: number,
  length: number,
): SampleHistory | null {
  let newest: Pending | undefined;
  for (const each of pending.values()) newest = each;
  if (newest === undefined || newest.history.items.length !== length) return null;
  const { history } = newest;
  for (let i = length - 1; i >= 0; i--) {
    const item = catalogue.at(sequences.item(row, start + i));
    if (history.times[i] !== sequences.time(row, start + i) || history.items[i] !== item.id) return null;
    if (history.categories[i] !== item.categories) return null;
    if (history.actions[i] !== sequences.action(row, start + i)) return null;
    if (history.strengths[i] !== sequences.strength(row, start + i)) return null;
  }
  return history;
}

/** The newest behaviour in each category that ended a search before the window, if it is still kept. */
function earlierThan(
  { catalogue, sequences }: WindowView,
  { row }: UserState,
  { start, time, history }: {
    readonly start: number;
    readonly time: number;
    readonly history: SampleHistory;
  },
): EarlierBehaviours | undefined {
  const { transitions } = catalogue.schema;
  if (transitions === null || start === 0) return undefined;
  const ends = transitions?.ends ?? TRANSITION_OPTIONS.ends.value;
  const known = new Set<string>();
  const isNew = (action: string, categories: readonly string[]): boolean => {
    const before = known.size;
    for (const category of categories) known.add(`${action}:${category}`);
    return known.size > before;
  };
  history.actions.forEach((action, t) => {
    if (ends.includes(action)) isNew(action, history.categories[t]!);
  });
  const places: number[] = [];
  for (let i = start - 1; i >= 0; i--) {
    const action = sequences.action(row, i);
    if (!ends.includes(action) || sequences.time(row, i) > time) continue;
    if (isNew(action, catalogue.at(sequences.item(row, i)).categories)) places.push(i);
  }
  if (places.length === 0) return undefined;
  places.reverse();
  const items = places.map((i) => catalogue.at(sequences.item(row, i)));
  return {
    items: items.map(({ id }) => id),
    categories: items.map(({ categories }) => categories),
    actions: places.map((i) => sequences.action(row, i)),
    times: Float64Array.from(places, (i) => sequences.time(row, i)),
  };
}
