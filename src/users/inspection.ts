/** Panels of the users' recurrent states. */

import { type Inspection, meanPanels, type Panel } from "../nn/models/core/panel.ts";
import type { UserState } from "./user_state.ts";

export interface InspectionOptions {
  /** The state of a user, `null` if there is none. @default {the stored one} */
  readonly stateOf?: (user: UserState) => Float32Array | null;
}

/** Something that makes panels of states, such as a `Serving`. */
export interface Inspector {
  /** Panels of a state. Absent if the model has none. */
  inspect?(state: Float32Array): readonly Panel[];
  /** Floats of a state. */
  readonly stateSize: number;
}

/** Mean panels of users; `null` if the model has no panels or none of them has a state yet. */
export function inspectUsers(
  users: Iterable<UserState>,
  model: Inspector,
  { stateOf = ({ hidden }) => hidden }: InspectionOptions = {},
): Inspection | null {
  if (model.inspect === undefined) return null;
  const panels: (readonly Panel[])[] = [];
  for (const user of users) {
    const state = stateOf(user);
    if (state?.length === model.stateSize) panels.push(model.inspect(state));
  }
  return meanPanels(panels);
}
