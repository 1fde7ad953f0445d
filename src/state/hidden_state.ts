/**
 * Carries a user's recurrent state along the sequence: one step a behaviour where that is exact, a fold again
 * where it is not (a behaviour came late, the window moved, the state is of an old version).
 *
 * **Window.** The state is the fold over the window of the sequence; it is folded again when the window moves.
 *
 * **Lifelong.** The state is the fold over the whole life, in two parts. With n behaviours so far, K the fewest
 * that learning goes back through (`recent`) and P the hop:
 *
 * ```text
 *  0                        a             n − K           n
 *  ├───── anchor state ─────┼──── recent behaviours ──────┤      K ≤ n − a < K + P, once n ≥ K + P
 *  └──────────────────── state ───────────────────────────┘
 * ```
 *
 * The anchor is the state before the recent behaviours, the constant that learning starts from (mode S of
 * truncated back-propagation); while a = 0 it is the start state. It moves on by P steps at a time. A behaviour
 * costs two steps, however long the life is, plus what is spent on folding again.
 *
 * @module
 */

import type { SampleState } from "../learner/sample.ts";
import type { Serving } from "../scorer/serving.ts";
import type { Catalogue } from "./catalogue.ts";
import type { SequenceSlab } from "./sequence.ts";
import { createRecurrent, type RecurrentState, type UserState } from "./user_state.ts";

/** Counts of what keeping the states cost. */
export interface FoldCounters {
  /** Behaviours folded by a single step. */
  steps: number;
  /** States folded again. */
  refolds: number;
  /** Steps that folding again lifelong states of old versions took. */
  refoldSteps: number;
  /** Behaviours so far. */
  behaviours: number;
}

/** What {@linkcode carryHidden} works on. */
export interface FoldContext {
  readonly sequences: SequenceSlab;
  readonly catalogue: Catalogue;
  readonly serving: Serving;
  /** Versions that a state may be behind before it is folded again. */
  readonly maxStaleVersions: number;
  /** Whether the states of a lifelong model cover the whole life, and not the window only. */
  readonly lifelong: boolean;
  /** Steps spent on lifelong states of old versions, at most, for each behaviour on average. */
  readonly refoldShare: number;
  readonly counters: FoldCounters;
}

/** Steps that may be spent in advance of the behaviours that pay for them. */
const BURST = 1000;

/** Where a behaviour went. */
export interface Inserted {
  /** Index of the item in the catalogue. */
  readonly item: number;
  readonly strength: number;
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
  /** Whether it became the newest one. */
  readonly atEnd: boolean;
}

/** Brings the state up to date after an insert. */
export function carryHidden(user: RecurrentState, inserted: Inserted, context: FoldContext): void {
  const { serving, lifelong, maxStaleVersions } = context;
  if (serving.stateSize === 0) return;
  const behind = serving.version - user.hiddenVersion;
  // A restored state may be of another model: then its length differs, or its version is ahead of ours.
  const known = user.hidden.length === serving.stateSize && behind >= 0;
  if (lifelong && serving.lifelong) carryLife(user, inserted, known && isOfLife(user, serving), context);
  else carryWindow(user, inserted.atEnd && known && behind <= maxStaleVersions, context);
}

/**
 * Brings the states of variants' models up to date, one each. A model that is there no more has none: what is left of
 * it goes with the next behaviour.
 */
export function carryVariants(user: UserState, inserted: Inserted, folds: readonly FoldContext[]): void {
  if (folds.length === 0 && user.variants.size === 0) return;
  user.variants = new Map(folds.map((fold) => {
    const { model } = fold.serving;
    const state = user.variants.get(model) ?? createRecurrent(user.row);
    carryHidden(state, inserted, fold);
    return [model, state];
  }));
}

/** Whether a state that does not begin with the first behaviour has an anchor there; that of a window has none. */
function isOfLife({ hiddenStart, anchor }: RecurrentState, { stateSize }: Serving): boolean {
  return hiddenStart === 0 || anchor.length === stateSize;
}

/** What a list of `length` behaviours, of which `first` is the row's index, is scored from and learnt from. */
export function statesOf(
  user: RecurrentState,
  { sequences, serving, lifelong }: Pick<FoldContext, "sequences" | "serving" | "lifelong">,
  first: number,
  length: number,
): { readonly scored?: SampleState; readonly learnt?: SampleState } {
  if (!lifelong || !serving.lifelong || user.hidden.length !== serving.stateSize) return {};
  if (!isOfLife(user, serving)) return {};
  const stored = sequences.length(user.row);
  const from = user.hiddenStart - (sequences.total(user.row) - stored) - first;
  const anchored = user.hiddenStart > 0 && from >= 0 && from <= length;
  const learnt = anchored ? { learnt: { from, values: user.anchor } } : {};
  // The newest behaviours may be later than the list: then the state knows too much.
  if (first + length < stored) return anchored ? { ...learnt, scored: { from, values: user.anchor } } : {};
  return { ...learnt, scored: { from: length, values: user.hidden } };
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
  user.anchor = NONE;
  user.hiddenVersion = serving.version;
  user.hiddenStart = start;
  for (let i = first; i < length; i++) step(user.hidden, user, i, context);
  counters.refolds++;
}

function carryLife(user: RecurrentState, inserted: Inserted, known: boolean, context: FoldContext): void {
  const { sequences, serving, counters, maxStaleVersions, refoldShare } = context;
  const { row } = user;
  const total = sequences.total(row), forgotten = total - sequences.length(row);
  if (!known) {
    startAgain(user, context);
  } else if (inserted.atEnd) {
    step(user.hidden, user, total - 1 - forgotten, context);
    counters.steps++;
  } else {
    if (forgotten + place(user, inserted.time, sequences) < user.hiddenStart) {
      joinAnchor(user, inserted, context);
    }
    foldRecent(user, context);
  }
  moveAnchor(user, context);
  const cost = total - user.hiddenStart;
  const stale = serving.version - user.hiddenVersion > maxStaleVersions;
  if (!stale || counters.refoldSteps + cost > BURST + refoldShare * counters.behaviours) return;
  counters.refoldSteps += cost;
  foldRecent(user, context);
}

/** Folds what is left of the life, when its state cannot be used. */
function startAgain(user: RecurrentState, context: FoldContext): void {
  const { sequences, serving } = context;
  const total = sequences.total(user.row), length = sequences.length(user.row);
  user.anchor = serving.initState();
  user.hiddenStart = total - length;
  foldRecent(user, context);
  if (total === length) user.anchor = NONE;
}

/** The state again, from the anchor. */
function foldRecent(user: RecurrentState, context: FoldContext): void {
  const { sequences, serving, counters } = context;
  const length = sequences.length(user.row);
  user.hidden = user.anchor.length === 0 ? serving.initState() : user.anchor.slice();
  const first = user.hiddenStart - (sequences.total(user.row) - length);
  for (let i = Math.max(0, first); i < length; i++) step(user.hidden, user, i, context);
  user.hiddenVersion = serving.version;
  counters.refolds++;
}

/** A behaviour that is older than the recent ones is one more of those in the anchor. */
function joinAnchor(user: RecurrentState, { item, strength }: Inserted, context: FoldContext): void {
  const { catalogue, serving } = context;
  const { id, categories } = catalogue.at(item);
  user.anchor = user.anchor.length === 0 ? serving.initState() : user.anchor.slice();
  serving.step(user.anchor, id, categories, strength);
  user.hiddenStart++;
}

/** Keeps the number of recent behaviours below K + P. */
function moveAnchor(user: RecurrentState, context: FoldContext): void {
  const { sequences, serving } = context;
  const total = sequences.total(user.row), forgotten = total - sequences.length(user.row);
  if (total - user.hiddenStart < sequences.recent + sequences.hop) return;
  // Samples share the old one, so it stays as it is.
  user.anchor = user.anchor.length === 0 ? serving.initState() : user.anchor.slice();
  while (total - user.hiddenStart > sequences.recent) {
    step(user.anchor, user, user.hiddenStart - forgotten, context);
    user.hiddenStart++;
  }
}

const NONE = new Float32Array(0);

/** Index in the row of the newest behaviour that is no later than `time`; −1 when there is none. */
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
