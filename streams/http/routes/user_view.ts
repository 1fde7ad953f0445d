/**
 * A user's state as JSON, for people.
 *
 * @module
 */

import type { TaskState } from "../../../src/engine/task_state.ts";
import type { UserState } from "../../../src/users/user_state.ts";

/** What is known of a user. */
export interface UserView {
  /** Id of the user. */
  readonly user: string;
  /** Attributes, newest value of each. */
  readonly profile: Readonly<Record<string, unknown>>;
  /** Behaviours ever. */
  readonly totalBehaviours: number;
  /** Those kept, oldest first. */
  readonly behaviours: readonly {
    readonly item: string;
    readonly categories: readonly string[];
    readonly action: string;
    readonly time: number;
    readonly strength: number;
  }[];
  /** Lists whose outcome is open, oldest first. */
  readonly pending: readonly {
    readonly request: string;
    readonly shown: boolean;
    readonly time: number;
    readonly deadline: number;
    readonly items: readonly {
      readonly item: string;
      readonly label: 0 | 1 | null;
      readonly position: number;
    }[];
  }[];
  /** Interactions that wait for the list that they name. */
  readonly parked: number;
  /** The recurrent state that is stored: its size, and the version of the parameters that made it. */
  readonly hidden: { readonly size: number; readonly version: number };
  /** Offset of the last event of the user. */
  readonly lastOffset: number;
}

/** Views a user of a task. */
export function viewUser(state: TaskState, user: UserState): UserView {
  const { sequences, catalogue } = state;
  const { row } = user;
  const behaviours = Array.from({ length: sequences.length(row) }, (_, i) => {
    const item = catalogue.at(sequences.item(row, i));
    return {
      item: item.id,
      categories: item.categories,
      action: sequences.action(row, i),
      time: sequences.time(row, i),
      strength: sequences.strength(row, i),
    };
  });
  return {
    user: user.id,
    profile: user.profile,
    totalBehaviours: sequences.total(row),
    behaviours,
    pending: [...user.pending.values()].map(({ request, shown, time, deadline, rows }) => ({
      request,
      shown,
      time,
      deadline,
      items: [...rows].map(({ item, label, position }) => ({ item: catalogue.at(item).id, label, position })),
    })),
    parked: user.parked.length,
    hidden: { size: user.anchor?.floats().length ?? user.hidden.length, version: user.hiddenVersion },
    lastOffset: user.lastOffset,
  };
}
