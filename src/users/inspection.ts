/**
 * Panels of the users' recurrent states.
 *
 * @module
 */

import { type Inspection, meanPanels, type Panel } from "../nn/models/core/panel.ts";
import type { UserState } from "./user_state.ts";

/** Options of {@linkcode inspectUsers}. */
export interface InspectionOptions {
  /** Most users to look at. @default {200} */
  readonly most?: number;
  /** The state of a user, `null` if there is none. @default {the stored one} */
  readonly stateOf?: (user: UserState) => Float32Array | null;
}

/** Something that makes panels of states, such as a `Serving`. */
export interface Inspector {
  /** Panels of a state. Absent: the model has none. */
  inspect?(state: Float32Array): readonly Panel[];
  /** Floats of a state. */
  readonly stateSize: number;
}

/**
 * Mean panels of the most recently active users, at a cost that does not depend on the number of users; `null` if the
 * model has no panels or no user has a state yet.
 *
 * @param users users in memory, least recently active first
 */
export function inspectUsers(
  users: ReadonlyMap<string, UserState>,
  model: Inspector,
  { most = 200, stateOf = ({ hidden }) => hidden }: InspectionOptions = {},
): Inspection | null {
  if (model.inspect === undefined) return null;
  const panels: (readonly Panel[])[] = [];
  let skip = Math.max(0, users.size - most);
  for (const user of users.values()) {
    if (skip-- > 0) continue;
    const state = stateOf(user);
    if (state?.length === model.stateSize) panels.push(model.inspect(state));
  }
  return meanPanels(panels);
}
