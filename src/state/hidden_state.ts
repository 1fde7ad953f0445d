/**
 * Carries a user's recurrent state along the sequence: one step a behaviour where that is exact, a fold over
 * the window where it is not (the window moved, a behaviour came late, the state is of an old version).
 *
 * @module
 */

import type { Serving } from "../scorer/serving.ts";
import type { Catalogue } from "./catalogue.ts";
import type { SequenceSlab } from "./sequence.ts";
import type { UserState } from "./user_state.ts";

/** Counts of what keeping the states cost. */
export interface FoldCounters {
  /** Behaviours folded by a single step. */
  steps: number;
  /** Whole windows folded again. */
  refolds: number;
}

/** What {@linkcode carryHidden} works on. */
export interface FoldContext {
  readonly sequences: SequenceSlab;
  readonly catalogue: Catalogue;
  readonly serving: Serving;
  /** Versions that a state may be behind before it is folded again. */
  readonly maxStaleVersions: number;
  readonly counters: FoldCounters;
}

/** Brings the state up to date after an insert. @param atEnd Whether the behaviour became the newest one. */
export function carryHidden(user: UserState, atEnd: boolean, context: FoldContext): void {
  const { sequences, serving, maxStaleVersions, counters } = context;
  if (serving.stateSize === 0) return;
  const length = sequences.length(user.row);
  const first = sequences.windowStart(user.row);
  const start = sequences.total(user.row) - length + first;
  const behind = serving.version - user.hiddenVersion;
  const fresh = behind >= 0 && behind <= maxStaleVersions;
  // A restored state may be of another model: then its length differs, or its version is ahead of ours.
  if (atEnd && fresh && user.hidden.length === serving.stateSize && user.hiddenStart === start) {
    step(user, length - 1, context);
    counters.steps++;
    return;
  }
  user.hidden = serving.initState();
  user.hiddenVersion = serving.version;
  user.hiddenStart = start;
  for (let i = first; i < length; i++) step(user, i, context);
  counters.refolds++;
}

function step(user: UserState, index: number, { sequences, catalogue, serving }: FoldContext): void {
  const item = catalogue.at(sequences.item(user.row, index));
  serving.step(user.hidden, item.id, item.categories, sequences.strength(user.row, index));
}
