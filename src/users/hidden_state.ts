/**
 * Keeps a user's recurrent state up to date: by one step per behaviour if that is exact, else by a refold (a behaviour
 * arrived late, the window moved, the state is of an old version).
 *
 * **Window.** The state is the fold over the window of the sequence; it is refolded when the window moves.
 *
 * **Lifelong.** The state is the fold over the whole life. Only the anchor is stored; readers fold the rest with the
 * current version. With n behaviours so far, K the fewest that learning propagates back through (`recent`), P the hop:
 *
 * ```text
 *  0                        a             n − K           n
 *  ├───── anchor state ─────┼──── recent behaviours ──────┤      K ≤ n − a < K + P, once n ≥ K + P
 *  └──────────────────── state ───────────────────────────┘
 * ```
 *
 * The anchor is the state before the recent behaviours: a constant from which lists are scored and learning starts
 * (mode S of truncated back-propagation). While a = 0 it is the start state. It advances at least P steps at a time, and
 * is then rounded to its stored precision, so everything computes with the same numbers.
 */

import type { Serving } from "../features/serving.ts";
import type { Catalogue } from "../items/catalogue.ts";
import type { PendingState } from "./pending/pending.ts";
import type { SequenceSlab } from "./states/sequence.ts";
import { StoredState } from "./states/stored_state.ts";
import { createRecurrent, type RecurrentState, type UserState } from "./user_state.ts";

/** Work spent on keeping states up to date. */
export interface FoldCounters {
  /** Behaviours folded by a single step. */
  steps: number;
  refolds: number;
}

/** Context of {@linkcode carryHidden}. */
export interface FoldContext {
  readonly sequences: SequenceSlab;
  readonly catalogue: Catalogue;
  readonly serving: Serving;
  /** Versions that the state of a window may lag before it is refolded. */
  readonly maxStaleVersions: number;
  /** Whether the states of a lifelong model cover the whole life rather than the window. */
  readonly lifelong: boolean;
  readonly counters: FoldCounters;
}

export interface Inserted {
  /** Index of the item in the catalogue. */
  readonly item: number;
  readonly strength: number;
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** Whether it is the newest one. */
  readonly atEnd: boolean;
}

/** Brings the state up to date after an insert. */
export function carryHidden(user: RecurrentState, inserted: Inserted, context: FoldContext): void {
  const { serving, lifelong, maxStaleVersions } = context;
  if (serving.stateSize === 0) return;
  if (lifelong && serving.lifelong) return carryLife(user, inserted, context);
  const behind = serving.version - user.hiddenVersion;
  // A restored state may be of another model, whose state has another length or whose version is ahead of ours.
  const known = user.hidden.length === serving.stateSize && behind >= 0;
  carryWindow(user, inserted.atEnd && known && behind <= maxStaleVersions, context);
}

/** Brings the states of the variants' models up to date. States of models that no longer exist are dropped. */
export function carryVariants(user: UserState, inserted: Inserted, folds: readonly FoldContext[]): void {
  if (folds.length === 0 && user.variants.size === 0) return;
  user.variants = new Map(folds.map((fold) => {
    const { model } = fold.serving;
    const state = user.variants.get(model) ?? createRecurrent(user.row);
    carryHidden(state, inserted, fold);
    return [model, state];
  }));
}

/** Whether the anchor and the stored behaviours after it cover the user's whole life, as far as it is known. */
function isOfLife(
  { hiddenStart, anchor, row }: RecurrentState,
  sequences: SequenceSlab,
  serving: Serving,
): boolean {
  if (hiddenStart < sequences.total(row) - sequences.length(row)) return false;
  return hiddenStart === 0 || anchor?.size === serving.stateSize;
}

/** The anchor from which a list is scored and learnt; its window has `length` behaviours from index `first` on. */
export function stateOf(
  user: RecurrentState,
  { sequences, serving, lifelong }: Pick<FoldContext, "sequences" | "serving" | "lifelong">,
  first: number,
  length: number,
): PendingState | null {
  const { anchor, hiddenStart, row } = user;
  if (!lifelong || !serving.lifelong || anchor === null || !isOfLife(user, sequences, serving)) return null;
  const from = hiddenStart - (sequences.total(row) - sequences.length(row)) - first;
  // A list may be older than the anchor, which then contains behaviours after the list.
  if (from < 0 || from > length) return null;
  return { from, stored: anchor };
}

/** The state after all behaviours, by the current version; `null` if there is none. */
export function currentState(user: RecurrentState, context: FoldContext): Float32Array | null {
  const { sequences, serving, lifelong } = context;
  const length = sequences.length(user.row);
  if (!lifelong || !serving.lifelong) return user.hidden.length === serving.stateSize ? user.hidden : null;
  if (length === 0 || !isOfLife(user, sequences, serving)) return null;
  const state = startOf(user, serving);
  for (let i = user.hiddenStart - (sequences.total(user.row) - length); i < length; i++) {
    step(state, user, i, context);
  }
  return state;
}

function carryWindow(user: RecurrentState, mayStep: boolean, context: FoldContext): void {
  const { sequences, serving, counters } = context;
  const length = sequences.length(user.row);
  const first = sequences.windowStart(user.row);
  const start = sequences.total(user.row) - length + first;
  if (mayStep && user.hiddenStart === start) {
    step(user.hidden, user, length - 1, context);
    counters.steps++;
    return;
  }
  user.hidden = serving.initState();
  user.anchor = null;
  user.hiddenVersion = serving.version;
  user.hiddenStart = start;
  for (let i = first; i < length; i++) step(user.hidden, user, i, context);
  counters.refolds++;
}

function carryLife(user: RecurrentState, inserted: Inserted, context: FoldContext): void {
  const { sequences, serving, counters } = context;
  const forgotten = sequences.total(user.row) - sequences.length(user.row);
  user.hidden = NONE;
  // A restored anchor may be of another model, whose state has another size or whose version is ahead of ours.
  if (!isOfLife(user, sequences, serving) || serving.version < user.hiddenVersion) {
    // Fold what the sequence still holds of the life.
    user.anchor = null;
    user.hiddenStart = forgotten;
    user.hiddenVersion = serving.version;
    counters.refolds++;
  } else if (!inserted.atEnd && forgotten + place(user, inserted.time, sequences) < user.hiddenStart) {
    joinAnchor(user, inserted, context);
  }
  moveAnchor(user, context);
}

/** Adds a behaviour that is older than the recent ones to the anchor. */
function joinAnchor(
  user: RecurrentState,
  { item, strength }: Inserted,
  { catalogue, serving }: FoldContext,
): void {
  const { id, categories } = catalogue.at(item);
  const state = startOf(user, serving);
  serving.step(state, id, categories, strength);
  user.anchor = StoredState.of(state, serving.stretches ?? []);
  user.hiddenStart++;
}

/** Advances the anchor to keep the number of recent behaviours below K + P. */
function moveAnchor(user: RecurrentState, context: FoldContext): void {
  const { sequences, serving, counters } = context;
  const total = sequences.total(user.row), forgotten = total - sequences.length(user.row);
  if (total - user.hiddenStart < sequences.recent + sequences.hop) return;
  // Samples share the old anchor, so it is not modified.
  const state = startOf(user, serving);
  while (total - user.hiddenStart > sequences.recent) {
    step(state, user, user.hiddenStart - forgotten, context);
    user.hiddenStart++;
    counters.steps++;
  }
  user.anchor = StoredState.of(state, serving.stretches ?? []);
  user.hiddenVersion = serving.version;
}

/** The state before the recent behaviours. */
function startOf({ anchor }: RecurrentState, serving: Serving): Float32Array {
  return anchor === null ? serving.initState() : anchor.floats();
}

const NONE = new Float32Array(0);

/** Index in the row of the newest behaviour no later than `time`; −1 if there is none. */
function place(user: RecurrentState, time: number, sequences: SequenceSlab): number {
  let index = sequences.length(user.row) - 1;
  while (index >= 0 && sequences.time(user.row, index) > time) index--;
  return index;
}

function step(
  state: Float32Array,
  user: RecurrentState,
  index: number,
  { sequences, catalogue, serving }: FoldContext,
): void {
  const item = catalogue.at(sequences.item(user.row, index));
  serving.step(state, item.id, item.categories, sequences.strength(user.row, index));
}
