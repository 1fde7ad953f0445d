/**
 * The list of each user as it is now, given whenever it changes: for those who send lists instead of asking for them.
 *
 * ```text
 *   behaviours of a user   x   x x  x                    x
 *   lists made             ■        □                    ■     ■ differs: given   □ the same as before: nothing
 *                          ├─ everyMs ─┤                       at the latest with the first event behind it
 * ```
 *
 * A list is made after an event that changes behaviours or profile of its user; within `everyMs` of the last one, when
 * that time is over, so that the last behaviour of a visit counts. Time is the partition's clock: it stands still while
 * no events come. An event has at most {@linkcode MOST_PER_EVENT} lists made, whoever they are of, so that a crowd that
 * is due at once does not hold up a request; an event adds one user at most (more only where interactions were parked),
 * so those who wait become fewer.
 *
 * A generation that follows another one gives nothing, and notes who may still wait for a list there: once it leads, they
 * get one, and everybody's next list is given anyhow.
 *
 * A list written here does not count as shown: whoever shows it sends an impression event that names its `request`.
 *
 * @module
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
import { DeadlineQueue } from "../users/pending/pending.ts";
import { idHash, type ListedState, type UserState } from "../users/user_state.ts";
import type { TaskCounters } from "./task_counters.ts";
import type { TaskOutputs } from "./task_outputs.ts";

/** Lists that one event has made at most. */
const MOST_PER_EVENT = 2;
/** Hashes of a list without items, and of one that nobody here knows: any other differs from it. */
const EMPTY = 0, UNKNOWN = 1;

/** Which lists are given. */
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

/** The option of {@linkcode UserListsOptions}; absent, no lists are given. */
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
  /** Users in memory. */
  readonly users: ReadonlyMap<string, UserState>;
  /** Gets the users that change. */
  readonly dirtyUsers: Set<UserState>;
  /** Counts what happens. */
  readonly counters: TaskCounters;
  /** Gives the numbers that break ties of time. */
  readonly join: { nextSequence: number };
  /** Newest event time. */
  readonly maxTime: number;
}

/** Makes the list of a user that nobody has asked for. */
export type MakeList = (user: UserState, event: RequestEvent) => Recommendation;

/** Gives the lists of one task's users when they change. */
export class UserLists {
  readonly #state: UserListsState;
  readonly #options: Settled<typeof USER_LISTS_OPTIONS>;
  readonly #make: MakeList;
  readonly #due = new DeadlineQueue();
  /** Whether another generation gives the lists. */
  isFollowing = false;

  /** Lists of users in `state`, each made by `make`. */
  constructor(state: UserListsState, options: UserListsOptions, make: MakeList) {
    this.#state = state;
    this.#options = settle(USER_LISTS_OPTIONS, options);
    this.#make = make;
  }

  /** Notes that behaviours or profile of a user have changed. */
  touch(user: UserState): void {
    const { listed } = user;
    const { maxTime } = this.#state;
    const { everyMs } = this.#options;
    if (this.isFollowing) this.#follow(user, maxTime + everyMs);
    else if (listed === null) this.#wait(user, { time: 0, hash: UNKNOWN }, maxTime);
    else if (listed.due === null) this.#wait(user, listed, Math.max(maxTime, listed.time + everyMs));
  }

  /** Makes a user wait until a time; one deadline is held per user, and moves when it is reached. */
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

  /** Takes in a restored user who waits for a list. */
  restore(user: UserState): void {
    const due = user.listed?.due ?? null;
    if (due !== null) this.#watch(user.id, due);
  }

  /** Makes lists that are due, after the event at an offset. */
  give(offset: number, out: TaskOutputs): void {
    const { users, maxTime, dirtyUsers } = this.#state;
    for (let made = 0; made < MOST_PER_EVENT;) {
      const next = this.#due.peek();
      if (next === undefined || next.time > maxTime) return;
      this.#due.pop();
      const user = users.get(next.user);
      // Who was forgotten meanwhile, and came back perhaps, waits under another number or not at all.
      if (user?.listed?.due?.sequence !== next.sequence) continue;
      if (user.listed.due.time > next.time) {
        this.#watch(user.id, user.listed.due);
        continue;
      }
      made++;
      if (!this.isFollowing) this.#give(user, user.listed.hash, offset, out);
      else {
        user.listed = null; // by now it has been given there
        dirtyUsers.add(user);
      }
    }
  }

  #give(user: UserState, before: number, offset: number, out: TaskOutputs): void {
    const { maxTime: time, counters, dirtyUsers } = this.#state;
    const { count, surface } = this.#options;
    // Under the same name every time: draws of a policy that explores depend on it, and are no reason to differ.
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
    this.#due.push({ time, sequence, user, request: null });
  }
}
