/** The state of one user in a task; `user_codec.ts` defines its record on the `state` topic. */

import type { Attributes, InteractionEvent } from "../events/event.ts";
import { hashString } from "../embeddings/hash.ts";
import { UserStatistics } from "../features/kept_statistics.ts";
import type { Pending } from "./pending/pending.ts";
import type { Alias } from "./states/aliases.ts";
import type { FormerItems } from "./states/former_items.ts";
import type { Session } from "./states/sessions.ts";
import type { SequenceSlab } from "./states/sequence.ts";
import type { StoredState } from "./states/stored_state.ts";

export interface ShownItem {
  /** Index in the catalogue. */
  readonly item: number;
  /** Event time, milliseconds since the epoch. */
  readonly time: number;
}

/** An interaction that waits for its impression. */
export interface ParkedInteraction {
  /** Running number in the task, which breaks ties of time. */
  readonly sequence: number;
  readonly event: InteractionEvent;
}

/** The newest list written for a user, and when the next one is due; see `engine/user_lists.ts`. */
export interface ListedState {
  /** When it was made, event time; 0 = none was made here. */
  readonly time: number;
  /** {@linkcode idHash} of its items; 0 = it was empty, 1 = it is not known. */
  readonly hash: number;
  /** When the next one is due; `null` = nothing has changed since. */
  readonly due: {
    /** Event time. */
    readonly time: number;
    /** Running number in the task, which breaks ties of time. */
    readonly sequence: number;
  } | null;
}

export interface RecurrentState {
  /** Row of the user's behaviours in the slab. */
  readonly row: number;
  /** Recurrent state over the window; empty if the model has none or a lifelong one. */
  hidden: Float32Array;
  /** State of a lifelong model before the recent behaviours; `null` = the start state. */
  anchor: StoredState | null;
  /** Parameter version of `hidden`, or of the last steps of the anchor. */
  hiddenVersion: number;
  /** Number of behaviours before the window, or in the anchor. */
  hiddenStart: number;
}

/** The state of one user, including the recurrent state of the deployment's own model. */
export interface UserState extends RecurrentState {
  readonly id: string;
  readonly statistics: UserStatistics;
  profile: Attributes;
  /** Hashes of the newest event ids, oldest first, for de-duplication; see {@linkcode idHash}. */
  readonly recentIds: number[];
  /** Impressions with open outcomes, by request. */
  pending: Map<string, Pending>;
  /** Interactions that arrived before their impression, oldest first; bounded in number. */
  parked: readonly ParkedInteraction[];
  /** Recurrent states of the lifelong models of variants, by name. */
  variants: ReadonlyMap<string, RecurrentState>;
  /** Newest shown items, oldest first; empty unless the deployment remembers them. */
  shown: readonly ShownItem[];
  /** Items that the user had before the behaviours still kept; `null` = none, or none are known. */
  former: FormerItems | null;
  /** The list that was written last; `null` = no list is written. */
  listed: ListedState | null;
  /** The users that this one turned out to be, in order of time. */
  aliases: readonly Alias[];
  /** Sessions that this user was before a login, while their lists may be open. */
  sessions: readonly Session[];
  /** Offset of the last applied event; an event at or below it is a no-op. */
  lastOffset: number;
  /** Estimated bytes in memory, as of its last record. */
  bytes: number;
}

// Most users have none of these and share these constants, which are never modified.
const NONE = new Float32Array(0);
const NO_PROFILE: Attributes = {};
const NONE_PENDING: Map<string, Pending> = new Map();
const NONE_PARKED: readonly ParkedInteraction[] = [];
const NO_VARIANTS: ReadonlyMap<string, RecurrentState> = new Map();
const NONE_SHOWN: readonly ShownItem[] = [];
const NO_ALIASES: readonly Alias[] = [];
const NO_SESSIONS: readonly Session[] = [];

export function createUser(id: string, sequences: SequenceSlab): UserState {
  return {
    id,
    row: sequences.allocate(),
    statistics: new UserStatistics(),
    profile: NO_PROFILE,
    recentIds: [],
    pending: NONE_PENDING,
    parked: NONE_PARKED,
    hidden: NONE,
    anchor: null,
    hiddenVersion: 0,
    hiddenStart: 0,
    variants: NO_VARIANTS,
    shown: NONE_SHOWN,
    former: null,
    listed: null,
    aliases: NO_ALIASES,
    sessions: NO_SESSIONS,
    lastOffset: -1,
    bytes: 0,
  };
}

/** An empty recurrent state of the user whose behaviours are at `row`. */
export function createRecurrent(row: number): RecurrentState {
  return { row, hidden: NONE, anchor: null, hiddenVersion: 0, hiddenStart: 0 };
}

/** Forgets everything computed from behaviours that the user's sequence no longer has. */
export function clearBehaviours(user: UserState): void {
  Object.assign(user, createRecurrent(user.row), { variants: NO_VARIANTS, former: null });
}

/** Opens an impression, replacing one of the same request. */
export function putPending(user: UserState, pending: Pending): void {
  if (user.pending === NONE_PENDING) user.pending = new Map();
  user.pending.set(pending.request, pending);
}

/**
 * A 48-bit hash of an event's id: dozens of whole ids would make up most of a record. A new id collides with one of a
 * user's newest n with probability n / 2^48.
 */
export function idHash(id: string): number {
  return hashString(id, 0x9e3779b9) * 2 ** 16 + (hashString(id, 0x85ebca6b) >>> 16);
}
