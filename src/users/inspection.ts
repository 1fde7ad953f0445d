/**
 * What a model shows of the states that a task carries for its users.
 *
 * @module
 */

import { type Inspection, meanPanels, type Panel } from "../nn/models/core/panel.ts";
import type { UserState } from "./user_state.ts";

/** Options of {@linkcode inspectUsers}. */
export interface InspectionOptions {
  /** Users that are looked at, at most. @default {200} */
  readonly most?: number;
  /** The state of a user, `null` when there is none. @default {the one that is carried} */
  readonly stateOf?: (user: UserState) => Float32Array | null;
}

/** Something that shows states, such as a `Serving`. */
export interface Inspector {
  /** Absent: it has nothing to show. */
  inspect?(state: Float32Array): readonly Panel[];
  /** Floats of a state. */
  readonly stateSize: number;
}

/**
 * The mean panels of the users who were active last, so that it costs the same however many there are; `null` when the
 * model has nothing to show, or of nobody yet.
 *
 * @param users Users in memory, least recently active first.
 */
export function inspectUsers(
  users: ReadonlyMap<string, UserState>,
  model: Inspector,
  { most = 200, stateOf = ({ hidden }) => hidden }: InspectionOptions = {},
): Inspection | null {
  if (model.inspect === undefined) return null;
  const found: (readonly Panel[])[] = [];
  let skip = Math.max(0, users.size - most);
  for (const user of users.values()) {
    if (skip-- > 0) continue;
    const state = stateOf(user);
    if (state?.length === model.stateSize) found.push(model.inspect(state));
  }
  return meanPanels(found);
}
