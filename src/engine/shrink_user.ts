/**
 * Shrinks a user's state whose record is too large for the log, least useful part first: the older half of the lists,
 * parked interactions, the older half of the behaviours, the profile. Every part has a bounded number of entries, but
 * with long ids and texts all of them may exceed a topic's limit.
 */

import type { SequenceSlab } from "../users/states/sequence.ts";
import { clearBehaviours, type UserState } from "../users/user_state.ts";
import type { ImpressionJoin } from "./impression_join.ts";
import type { TaskOutputs } from "./task_outputs.ts";

/** What {@linkcode shrinkUser} changes; a `TaskState` is one. */
export interface ShrinkState {
  readonly sequences: SequenceSlab;
  readonly join: Pick<ImpressionJoin<TaskOutputs>, "abandonHalf">;
}

/** Drops part of a user's state. @returns what was dropped, in words; `null` = nothing is left to drop */
export function shrinkUser({ sequences, join }: ShrinkState, user: UserState): string | null {
  const lists = join.abandonHalf(user);
  if (lists > 0) return `${lists} of its open lists`;
  if (user.parked.length > 0) {
    const { length } = user.parked;
    user.parked = [];
    return `${length} interactions that wait for their lists`;
  }
  const behaviours = sequences.behaviours(user.row);
  if (behaviours.length > 0) {
    const kept = behaviours.slice(Math.ceil(behaviours.length / 2));
    sequences.clear(user.row);
    sequences.restore(user.row, kept, kept.length);
    clearBehaviours(user);
    return `${behaviours.length - kept.length} of its behaviours`;
  }
  if (Object.keys(user.profile).length === 0) return null;
  user.profile = {};
  return "its profile";
}
