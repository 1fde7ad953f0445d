/**
 * The join of impressions with their outcomes: opens what is shown, labels what is answered, parks outcomes that
 * come before their impression, and settles what the watermark has passed. See `pending.ts` for the timeline.
 *
 * @module
 */

import type { FeatureStatistics } from "../features/statistics.ts";
import type { Sample } from "../learner/sample.ts";
import type { Catalogue, CatalogueItem } from "./catalogue.ts";
import { DeadlineQueue, type Pending, toSample } from "./pending.ts";
import type { TaskCounters } from "./task_counters.ts";
import type { UserState } from "./user_state.ts";

/** Open impressions a user may have; the oldest is settled early when one more comes. */
const MAX_PENDING = 100;
/** Outcomes kept a user that wait for their impression. */
const MAX_PARKED = 64;

/** An outcome of an item. */
export interface Outcome {
  /** The impression that it names, if any. */
  readonly request?: string;
  /** 1 is positive, 0 explicitly negative. */
  readonly label: 0 | 1;
  /** Event time. */
  readonly time: number;
}

/** What the join works on; a `TaskState` is one. */
export interface JoinState {
  /** The items. */
  readonly catalogue: Catalogue;
  /** Learns what is settled. */
  readonly statistics: FeatureStatistics;
  /** Counts what happens. */
  readonly counters: TaskCounters;
  /** Users in memory. */
  readonly users: ReadonlyMap<string, UserState>;
  /** Gets the users that change. */
  readonly dirtyUsers: Set<UserState>;
  /** Gets the items that change. */
  readonly dirtyItems: Set<CatalogueItem>;
  /** Newest event time. */
  readonly maxTime: number;
  /** See `TaskState.watermark`. */
  readonly watermark: number;
}

/** Where samples go. */
export interface JoinOutputs {
  /** In the order in which they are settled. */
  readonly samples: Sample[];
}

/** Joins the impressions of one task with their outcomes. */
export class ImpressionJoin {
  /** Running number of the next impression that opens. */
  nextSequence = 0;
  readonly #state: JoinState;
  readonly #dedupIds: number;
  readonly #deadlines = new DeadlineQueue();

  /** Makes a join without open impressions. @param dedupIds Newest event ids and settled requests kept a user. */
  constructor(state: JoinState, dedupIds: number) {
    this.#state = state;
    this.#dedupIds = dedupIds;
  }

  /** Notes an id; whether it is none of the user's newest ones. */
  firstSight(user: UserState, id: string): boolean {
    if (user.recentIds.has(id)) return false;
    user.recentIds.add(id);
    if (user.recentIds.size > this.#dedupIds) {
      for (const oldest of user.recentIds) {
        user.recentIds.delete(oldest);
        break;
      }
    }
    return true;
  }

  /** Whether the sample of a request is out. */
  isSettled(user: UserState, request: string): boolean {
    return user.recentIds.has(settledId(request));
  }

  /** Settles the shown impressions with a deadline before `time`, and drops those never shown. */
  settleBefore(time: number, out: JoinOutputs): void {
    for (let next = this.#deadlines.peek(); next !== undefined; next = this.#deadlines.peek()) {
      if (next.time >= time) return;
      this.#deadlines.pop();
      const user = this.#state.users.get(next.user);
      const pending = user?.pending.get(next.request);
      // The queue may hold entries of impressions that were settled or replaced meanwhile.
      if (user === undefined || pending === undefined || pending.sequence !== next.sequence) continue;
      if (pending.shown) {
        this.#settle(user, pending, next.time, out);
      } else {
        user.pending.delete(pending.request);
        this.#state.dirtyUsers.add(user);
        this.#state.counters.unshown++;
      }
    }
  }

  #settle(user: UserState, pending: Pending, closedTime: number, out: JoinOutputs): void {
    user.pending.delete(pending.request);
    this.#state.dirtyUsers.add(user);
    this.firstSight(user, settledId(pending.request));
    for (const row of pending.rows) {
      const item = this.#state.catalogue.at(row.item);
      const label = row.label ?? 0;
      this.#state.statistics.learnOutcome(user.statistics, item, label);
      this.#state.dirtyItems.add(item);
      this.#state.counters.rows++;
      this.#state.counters.positives += label;
    }
    this.#state.counters.samples++;
    out.samples.push(toSample(user.id, pending, closedTime, this.#state.catalogue));
  }

  /** Takes the deadline of a restored impression in. */
  watch(user: string, pending: Pending): void {
    this.#deadlines.push({
      time: pending.deadline,
      sequence: pending.sequence,
      user,
      request: pending.request,
    });
  }

  /** Joins an interaction with the impression that it answers. */
  outcome(user: UserState, item: CatalogueItem, event: Outcome, out: JoinOutputs): void {
    const pending = findPending(user, item.index, event);
    const row = pending?.rows.find((row) => row.item === item.index);
    if (pending === undefined) {
      if (event.request !== undefined) this.#park(user, event.request, item.id, event.label, event.time);
      return;
    }
    if (row === undefined) {
      this.#state.counters.unmatchedOutcomes++;
      return;
    }
    if (event.time > pending.deadline) {
      this.#state.counters.lateOutcomes++;
      return;
    }
    if (event.label === 1) row.label = 1;
    else row.label ??= 0;
    if (pending.shown && pending.rows.every((row) => row.label !== null)) {
      this.#settle(user, pending, event.time, out);
    }
  }

  /** Keeps an outcome whose impression has not come, as long as one may still come in time. */
  #park(user: UserState, request: string, item: string, label: 0 | 1, time: number): void {
    if (this.isSettled(user, request)) {
      this.#state.counters.lateOutcomes++;
      return;
    }
    const kept = user.parked.filter((outcome) => outcome.time >= this.#state.watermark);
    const dropped = user.parked.length - kept.length + Math.max(0, kept.length + 1 - MAX_PARKED);
    this.#state.counters.unmatchedOutcomes += dropped;
    this.#state.counters.parkedOutcomes++;
    user.parked = [...kept, { request, item, label, time }].slice(-MAX_PARKED);
  }

  /** Opens an impression, in place of one of the same request. */
  open(user: UserState, pending: Pending, out: JoinOutputs): void {
    const opened = { ...pending, sequence: this.nextSequence++ };
    user.pending.set(opened.request, opened);
    this.watch(user.id, opened);
    if (opened.shown) this.#unpark(user, opened, out);
    if (user.pending.size <= MAX_PENDING) return;
    for (const oldest of user.pending.values()) {
      this.#state.counters.crowdedOut++;
      if (oldest.shown) this.#settle(user, oldest, this.#state.maxTime, out);
      else user.pending.delete(oldest.request);
      return;
    }
  }

  /** Joins the outcomes that came before their impression. */
  #unpark(user: UserState, pending: Pending, out: JoinOutputs): void {
    const own = user.parked.filter((outcome) => outcome.request === pending.request);
    if (own.length === 0) return;
    user.parked = user.parked.filter((outcome) => outcome.request !== pending.request);
    for (const { item, label, time } of own) {
      const index = this.#state.catalogue.get(item)?.index;
      const row = pending.rows.find((row) => row.item === index);
      if (row === undefined || time > pending.deadline) this.#state.counters.unmatchedOutcomes++;
      else if (label === 1) row.label = 1;
      else row.label ??= 0;
    }
    if (pending.rows.every((row) => row.label !== null)) {
      this.#settle(user, pending, this.#state.maxTime, out);
    }
  }
}

/** Stands for a settled request among the recent ids; no event's id has a control character. */
function settledId(request: string): string {
  return `\0settled:${request}`;
}

/** The impression that an interaction answers: the one it names, else the newest that shows the item. */
function findPending(user: UserState, item: number, event: Outcome): Pending | undefined {
  if (event.request !== undefined) return user.pending.get(event.request);
  let newest: Pending | undefined;
  for (const pending of user.pending.values()) {
    if (!pending.shown || pending.time > event.time || pending.deadline < event.time) continue;
    if (newest !== undefined && pending.time < newest.time) continue;
    if (pending.rows.some((row) => row.item === item && row.label === null)) newest = pending;
  }
  return newest;
}
