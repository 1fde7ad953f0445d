/**
 * Health of the memories that a task carries for its users, where the model has one.
 *
 * @module
 */

import { meanHealth, type SlotSummary } from "../nn/models/mimn/health.ts";
import type { SlotHealth } from "../nn/models/core/model.ts";
import type { UserState } from "./user_state.ts";

/** Options of {@linkcode memoryHealth}. */
export interface MemoryHealthOptions {
  /** Users that are looked at, at most. @default {200} */
  readonly most?: number;
  /** The state of a user, `null` when there is none. @default {the one that is carried} */
  readonly stateOf?: (user: UserState) => Float32Array | null;
}

/** Something that can tell the slots of a state, such as a `Serving`. */
export interface SlotReader {
  /** `null` or absent when a state has none. */
  slots?(state: Float32Array): SlotHealth | null;
  /** Floats of a state. */
  readonly stateSize: number;
}

/**
 * The mean slots of the users who were active last, so that it costs the same however many there are; `null` when
 * the model has no slots or nobody has written to any.
 *
 * @param users Users in memory, least recently active first.
 */
export function memoryHealth(
  users: ReadonlyMap<string, UserState>,
  model: SlotReader,
  { most = 200, stateOf = ({ hidden }) => hidden }: MemoryHealthOptions = {},
): SlotSummary | null {
  if (model.slots === undefined) return null;
  const found: SlotHealth[] = [];
  let skip = Math.max(0, users.size - most);
  for (const user of users.values()) {
    if (skip-- > 0) continue;
    const state = stateOf(user);
    if (state?.length !== model.stateSize) continue;
    const health = model.slots(state);
    if (health !== null) found.push(health);
  }
  return meanHealth(found);
}
