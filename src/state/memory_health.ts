/**
 * Health of the memories that a task carries for its users, where the model has one.
 *
 * @module
 */

import { meanHealth, type SlotHealth, type SlotSummary } from "../models/mimn_health.ts";
import type { UserState } from "./user_state.ts";

/** Users that are looked at, at most. */
const MOST = 200;

/** Something that can tell the slots of a state, such as a `Serving`. */
export interface SlotReader {
  /** `null` or absent when a state has none. */
  slots?(state: Float32Array): SlotHealth | null;
  /** Floats of a state. */
  readonly stateSize: number;
}

/**
 * The mean slots of the users who were active last, 200 at most, so that it costs the same however many there
 * are; `null` when the model has no slots or nobody has written to any.
 *
 * @param users Users in memory, least recently active first.
 */
export function memoryHealth(users: ReadonlyMap<string, UserState>, model: SlotReader): SlotSummary | null {
  if (model.slots === undefined) return null;
  const found: SlotHealth[] = [];
  let skip = Math.max(0, users.size - MOST);
  for (const { hidden } of users.values()) {
    if (skip-- > 0 || hidden.length !== model.stateSize) continue;
    const health = model.slots(hidden);
    if (health !== null) found.push(health);
  }
  return meanHealth(found);
}
