/**
 * Writes the current list of each user whenever it changes, for deployments that push lists instead of requesting them.
 *
 * ```text
 *   behaviours of a user   x   x x  x                    x
 *   lists made             ■        □                    ■     ■ differs: written   □ same as before: not written
 *                          ├─ everyMs ─┤                       made by the first event after that time
 * ```
 *
 * A list is made after an event that changes its user's behaviours or profile. Within `everyMs` of the last one it is
 * made when that time is over, so that the last behaviour of a visit counts. Time is the partition's clock, which
 * stands still while no events arrive. An event makes at most {@linkcode MOST_PER_EVENT} lists, of any users, so that
 * many lists that are due at once do not hold up a request. An event adds one waiting user at most (more only where
 * interactions were parked), so the queue shrinks.
 *
 * A generation that is built while another leads writes nothing, but notes which users may still wait for a list there.
 * Once it leads, they get one, and everybody's next list is written even if it is the same.
 *
 * A list written here does not count as shown: whoever shows it sends an impression event that names its `request`.
 */

import type { RequestEvent } from "../events/event.ts";
import { MAX_ITEMS } from "../events/limits.ts";
import type { Recommendation } from "../events/recommendation.ts";
import {
  integer,
  natural,
  type Option,
  type OptionsOf,
  orAbsent,
  part,
  settle,
  type Settled,
  text,
} from "../options/option.ts";
import { DeadlineQueue } from "../users/deadline_queue.ts";
import { idHash, type ListedState, type UserState } from "../users/user_state.ts";
import type { TaskCounters } from "./task_counters.ts";
import type { TaskOutputs } from "./task_outputs.ts";

const MOST_PER_EVENT = 2;
/** Hashes of an empty list, and of an unknown one, from which every list differs. */
const EMPTY = 0, UNKNOWN = 1;

/** Which lists are written. */
export interface UserListsOptions {
  /** Items of a list, 1 to 1000. @default {10} */
  readonly count?: number | undefined;
  /** Where in the product they are shown. @default {none} */
  readonly surface?: string | undefined;
  /** Shortest time between two lists of a user, milliseconds of event time. @default {60000} */
  readonly everyMs?: number | undefined;
}

const USER_LISTS_OPTIONS = {
  count: integer(10, { minimum: 1, maximum: MAX_ITEMS }, "items of a list"),
  surface: orAbsent(text<string>("", "the surface that the lists are for")),
  everyMs: natural(60_000, "shortest time between two lists of a user, in event time"),
} satisfies OptionsOf<UserListsOptions>;

/** The option of {@linkcode UserListsOptions}; if absent, no lists are written. */
export const USER_LISTS: Option<UserListsOptions | null> = {
  ...part(
    USER_LISTS_OPTIONS,
    "writes each user's list to the topic `lists` when it changes; see [topics](topics.md#lists)",
    "none",
  ),
  value: null,
};

/** What {@linkcode UserLists} read and change; a `TaskState` is one. */
export interface UserListsState {
  readonly users: ReadonlyMap<string, UserState>;
  /** Collects the users that change. */
  readonly dirtyUsers: Set<UserState>;
  readonly counters: TaskCounters;
  /** Provides the numbers that break ties of time. */
  readonly join: { nextSequence: number };
  /** Newest event time. */
  readonly maxTime: number;
}

export type MakeList = (user: UserState, event: RequestEvent) => Recommendation;

/** Writes the lists of one task's users when they change. */
export class UserLists {
  readonly #state: UserListsState;
  readonly #options: Settled<typeof USER_LISTS_OPTIONS>;
  readonly #make: MakeList;
  readonly #due = new DeadlineQueue();
  /** Whether another generation writes the lists. */
  isFollowing = false;

  /** Writes lists of the users in `state`, each made by `make`. */
  constructor(state: UserListsState, options: UserListsOptions, make: MakeList) {
    this.#state = state;
    this.#options = settle(USER_LISTS_OPTIONS, options);
    this.#make = make;
  }

  /** Reports that a user's behaviours or profile have changed. */
  touch(user: UserState): void {
    const { listed } = user;
    const { maxTime } = this.#state;
    const { everyMs } = this.#options;
    if (this.isFollowing) this.#follow(user, maxTime + everyMs);
    else if (listed === null) this.#wait(user, { time: 0, hash: UNKNOWN }, maxTime);
    else if (listed.due === null) this.#wait(user, listed, Math.max(maxTime, listed.time + everyMs));
  }

  /** Queues a user until a time. The queue holds one deadline per user; a later one applies once that is reached. */
  #follow(user: UserState, until: number): void {
    const { listed } = user;
    if (listed === null || listed.due === null) return this.#wait(user, { time: 0, hash: UNKNOWN }, until);
    user.listed = { time: 0, hash: UNKNOWN, due: { ...listed.due, time: until } };
    this.#state.dirtyUsers.add(user);
  }

  #wait(user: UserState, { time, hash }: Pick<ListedState, "time" | "hash">, until: number): void {
    const due = { time: until, sequence: this.#state.join.nextSequence++ };
    user.listed = { time, hash, due };
    this.#state.dirtyUsers.add(user);
    this.#watch(user.id, due);
  }

  /** Adds a restored user who waits for a list. @param before the same user, restored earlier */
  restore(user: UserState, before?: UserState): void {
    const due = user.listed?.due ?? null;
    if (due !== null && before?.listed?.due?.sequence !== due.sequence) this.#watch(user.id, due);
  }

  /** Makes lists that are due, after the event at an offset. */
  give(offset: number, out: TaskOutputs): void {
    const { users, maxTime, dirtyUsers } = this.#state;
    for (let made = 0; made < MOST_PER_EVENT;) {
      const next = this.#due.peek();
      if (next === undefined || next.time > maxTime) return;
      this.#due.pop();
      const user = users.get(next.user);
      // A user who has been erased since, and perhaps returned, waits under another number or not at all.
      if (user?.listed?.due?.sequence !== next.sequence) continue;
      if (user.listed.due.time > next.time) {
        this.#watch(user.id, user.listed.due);
        continue;
      }
      made++;
      if (!this.isFollowing) this.#give(user, user.listed.hash, offset, out);
      else {
        user.listed = null; // by now the other generation has written it
        dirtyUsers.add(user);
      }
    }
  }

  #give(user: UserState, before: number, offset: number, out: TaskOutputs): void {
    const { maxTime: time, counters, dirtyUsers } = this.#state;
    const { count, surface } = this.#options;
    // Always the same request id, because the draws of a policy that explores depend on it and must not make lists
    // differ.
    const event = { type: "request", request: user.id, user: user.id, time, count } as const;
    const list = this.#make(user, surface === undefined ? event : { ...event, surface });
    const hash = list.items.length === 0 ? EMPTY : idHash(list.items.map(({ item }) => item).join("\0"));
    user.listed = { time, hash, due: null };
    dirtyUsers.add(user);
    counters.listsMade++;
    if (hash === before) return;
    counters.listsChanged++;
    out.lists?.push({ ...list, request: `list:${offset}` });
  }

  #watch(user: string, { time, sequence }: { readonly time: number; readonly sequence: number }): void {
    this.#due.push({ time, sequence, user });
  }
}
