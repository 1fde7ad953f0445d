/**
 * The join of impressions with their outcomes: opens lists that are shown, labels their items by interactions, and
 * settles lists whose deadline the watermark has passed. See `pending.ts` for the timeline.
 *
 * An interaction that arrives before the impression that it names is parked *whole*: if it were in the history or the
 * statistics when its impression is scored, the features would leak the label. It is applied when the impression opens,
 * or when the watermark has passed it and no impression can arrive any more.
 */

import type { InteractionEvent } from "../events/event.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import type { Sample } from "../samples/sample.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import type { ItemNumbers } from "./item_numbers.ts";
import {
  clickSample,
  lateShare,
  remembers,
  settledSample,
  shownSample,
} from "../users/pending/label_policy.ts";
import { type Deadline, DeadlineQueue } from "../users/deadline_queue.ts";
import { isShown, type Pending, toSample } from "../users/pending/pending.ts";
import type { RowOutcome, Rows } from "../samples/rows.ts";
import type { TaskCounters } from "./task_counters.ts";
import type { TaskModels } from "./task_models.ts";
import type { TaskSettings } from "./task_options.ts";
import { idHash, type ParkedInteraction, putPending, type UserState } from "../users/user_state.ts";

/** Most open impressions per user; beyond that, the oldest is settled early. */
const MAX_PENDING = 100;
/** Most items in a user's open impressions: all of them are in the user's record, which Kafka limits in size. */
const MAX_PENDING_ROWS = 10_000;
/** Most parked interactions per user; beyond that, the oldest is applied. */
const MAX_PARKED = 64;
/** Fields kept of a parked interaction; the others, which may be a megabyte, are never read. */
const PARKED_FIELDS: ReadonlySet<string> = new Set<keyof InteractionEvent>(
  ["type", "id", "user", "time", "item", "action", "value", "request", "surface"],
);

export interface Outcome extends RowOutcome {
  /** Id of the impression that it names, if any. */
  readonly request?: string;
  /** Event time. */
  readonly time: number;
}

/** What the join reads and changes; implemented by `TaskState`. */
export interface JoinState {
  readonly catalogue: Catalogue;
  /** Learns from settled impressions. */
  readonly statistics: FeatureStatistics;
  readonly counters: TaskCounters;
  /** Compares their predictions with outcomes. */
  readonly models: TaskModels;
  readonly users: ReadonlyMap<string, UserState>;
  /** Collects the users that change. */
  readonly dirtyUsers: Set<UserState>;
  /** Collects the items whose numbers change. */
  readonly numbers: ItemNumbers;
  /** Newest event time. */
  readonly maxTime: number;
  /** See `TaskState.watermark`. */
  readonly watermark: number;
}

/** Applies a parked interaction. */
export type Release<Outputs> = (user: UserState, event: InteractionEvent, out: Outputs) => void;

export interface JoinOutputs {
  /** Samples, in the order in which they were made. */
  readonly samples: Sample[];
}

/** When an impression is settled or dropped, or when a parked interaction stops waiting for one. */
interface JoinDeadline extends Deadline {
  /** Id of the request or impression; `null` = of a parked interaction. */
  readonly request: string | null;
}

/** Joins the impressions of one task with their outcomes. */
export class ImpressionJoin<Outputs extends JoinOutputs> {
  /** Running number of the next impression that opens. */
  nextSequence = 0;
  readonly #state: JoinState;
  readonly #settings: TaskSettings;
  /** How long after its window an impression is remembered for late clicks, milliseconds. */
  readonly #lateMs: number;
  readonly #release: Release<Outputs>;
  readonly #deadlines = new DeadlineQueue<JoinDeadline>();

  /** Creates a join over `state`; `release` applies interactions that need not wait any longer. */
  constructor(state: JoinState, settings: TaskSettings, release: Release<Outputs>) {
    this.#state = state;
    this.#settings = settings;
    this.#lateMs = remembers(settings.labelPolicy) ? settings.lateOutcomeMs : 0;
    this.#release = release;
  }

  /** Opens an impression, replacing any of the same request. */
  open(user: UserState, pending: Pending, out: Outputs): void {
    const opened = { ...pending, sequence: this.nextSequence++ };
    const before = user.pending.get(opened.request);
    this.#put(user, opened);
    this.#watch(user.id, opened);
    if (isShown(opened)) {
      const shownBefore = before !== undefined && isShown(before) ? before.rows : undefined;
      const sample = shownSample(this.#settings.labelPolicy, user.id, opened, shownBefore);
      if (sample !== null) out.samples.push(sample);
    }
    this.#makeRoom(user, out);
  }

  /** Drops the oldest impressions of a user with too many: first those that wait for late clicks. Settles open ones. */
  #makeRoom(user: UserState, out: Outputs): void {
    let rows = 0;
    for (const pending of user.pending.values()) rows += pending.rows.length;
    while (user.pending.size > MAX_PENDING || rows > MAX_PENDING_ROWS) {
      const all = [...user.pending.values()];
      const oldest = all.find(({ stage }) => stage === "settled") ?? all[0]!;
      rows -= oldest.rows.length;
      if (oldest.stage !== "settled") {
        this.#state.counters.crowdedOut++;
        if (oldest.stage === "open") {
          this.#settle(user, oldest, Math.min(this.#state.maxTime, oldest.deadline), out);
        }
      }
      this.#drop(user, oldest.request);
    }
  }

  outcome(user: UserState, item: CatalogueItem, event: Outcome, out: Outputs): void {
    const pending = findPending(user, item.index, event, this.#lateMs);
    const row = pending?.rows.find(item.index) ?? -1;
    if (pending === undefined || row < 0) {
      if (event.request !== undefined) this.#unmatched(user, event.request);
      return;
    }
    const late = pending.stage === "settled" || event.time > pending.deadline;
    if (event.label === 1 && isShown(pending)) {
      this.#clicked(user, pending, row, { time: event.time, late }, out);
    }
    if (late) {
      this.#state.counters.lateOutcomes++;
      return;
    }
    pending.rows.answer(row, event);
    if (pending.stage === "open" && !some(pending.rows, (rows, row) => !rows.isClosed(row))) {
      this.#settle(user, pending, event.time, out);
    }
  }

  /** Counts the first click on a row, and emits a sample for it if the label policy asks for one. */
  #clicked(
    user: UserState,
    pending: Pending,
    row: number,
    { time, late }: { readonly time: number; readonly late: boolean },
    out: Outputs,
  ): void {
    const { rows } = pending;
    if (rows.label(row) === 1 || rows.isLate(row) || time > pending.deadline + this.#lateMs) return;
    const { counters } = this.#state;
    const share = lateShare(counters);
    if (late) {
      rows.clickLate(row);
      counters.clicksLate++;
    } else counters.clicksInTime++;
    const sample = clickSample(this.#settings.labelPolicy, user.id, pending, row, { time, late, share });
    if (sample !== null) out.samples.push(sample);
  }

  #unmatched(user: UserState, request: string): void {
    if (this.isSettled(user, request)) this.#state.counters.lateOutcomes++;
    else this.#state.counters.unmatchedOutcomes++;
  }

  /** Settles shown impressions due before `time`, drops those never shown, and releases parked interactions. */
  settleBefore(time: number, out: Outputs): void {
    let due = this.#deadlines.peek();
    for (; due !== undefined && due.time < time; due = this.#deadlines.peek()) {
      this.#deadlines.pop();
      const user = this.#state.users.get(due.user);
      if (user !== undefined) this.#reach(user, due, out);
    }
  }

  #reach(user: UserState, { request, sequence, time }: JoinDeadline, out: Outputs): void {
    if (request === null) return this.#releaseParked(user, sequence, out);
    const pending = user.pending.get(request);
    // The queue may hold entries of impressions that were settled or replaced meanwhile.
    if (pending === undefined || pending.sequence !== sequence) return;
    if (pending.stage === "open") return this.#settle(user, pending, time, out);
    this.#drop(user, request);
    this.#state.dirtyUsers.add(user);
    if (pending.stage === "unconfirmed") this.#state.counters.unshown++;
  }

  #settle(user: UserState, pending: Pending, closedTime: number, out: Outputs): void {
    this.#drop(user, pending.request);
    this.#state.dirtyUsers.add(user);
    this.noteId(user, settledId(pending.request));
    if (
      remembers(this.#settings.labelPolicy) &&
      some(pending.rows, (rows, row) => rows.label(row) !== 1 && !rows.isClosed(row))
    ) {
      const kept: Pending = { ...pending, stage: "settled", sequence: this.nextSequence++ };
      this.#put(user, kept);
      this.#watch(user.id, kept);
    }
    const { rows } = pending;
    for (let row = 0; row < rows.length; row++) {
      const item = this.#state.catalogue.at(rows.items[row]!.index);
      const label = rows.label(row);
      this.#state.statistics.learnOutcome(user.statistics, item, label);
      this.#state.numbers.change(item);
      this.#state.counters.rows++;
      this.#state.counters.positives += label;
    }
    const { models } = this.#state;
    const scorer = models.of(pending.model);
    const unplaced = (logit: number, position: number) => scorer.serving.unplace(logit, position);
    models.calibrations.judge(pending.model, rows, unplaced);
    this.#state.counters.samples++;
    const sample = toSample(user.id, pending, closedTime);
    out.samples.push(settledSample(this.#settings.labelPolicy, sample, lateShare(this.#state.counters)));
  }

  /** Whether an interaction belongs to a list of the user, open or settled. */
  hasListOf(user: UserState, event: InteractionEvent): boolean {
    const { request } = event;
    if (request !== undefined) return user.pending.has(request) || this.isSettled(user, request);
    const item = this.#state.catalogue.get(event.item);
    return item !== undefined && findPending(user, item.index, event, this.#lateMs) !== undefined;
  }

  /** How long a list may have outcomes, milliseconds of event time. */
  get openMs(): number {
    return this.#settings.outcomeWindowMs + this.#lateMs;
  }

  /** Whether an interaction arrived before the impression it names, and so must wait. */
  mustWait(user: UserState, event: InteractionEvent): boolean {
    if (event.request === undefined || event.time < this.#state.watermark) return false;
    if (this.isSettled(user, event.request)) return false;
    const pending = user.pending.get(event.request);
    if (pending === undefined || !isShown(pending)) return true;
    // An impression event may still correct the list that we recommended.
    const item = this.#state.catalogue.get(event.item);
    return this.#settings.impressions === "served" &&
      (item === undefined || pending.rows.find(item.index) < 0);
  }

  /** Parks an interaction until the impression that it names opens. */
  park(user: UserState, event: InteractionEvent, out: Outputs): void {
    this.#state.counters.parked++;
    const parked = { sequence: this.nextSequence++, event: withoutUnknown(event) };
    user.parked = [...user.parked, parked];
    this.#watchParked(user.id, parked);
    if (user.parked.length <= MAX_PARKED) return;
    const [oldest, ...others] = user.parked;
    user.parked = others;
    if (oldest !== undefined) this.#release(user, oldest.event, out);
  }

  /** Removes and returns the interactions that waited for a request. */
  takeParked(user: UserState, request: string): InteractionEvent[] {
    const own = user.parked.filter(({ event }) => event.request === request);
    if (own.length > 0) user.parked = user.parked.filter(({ event }) => event.request !== request);
    return own.map(({ event }) => event);
  }

  #releaseParked(user: UserState, sequence: number, out: Outputs): void {
    const due = user.parked.find((parked) => parked.sequence === sequence);
    if (due === undefined) return;
    user.parked = user.parked.filter((parked) => parked !== due);
    this.#state.dirtyUsers.add(user);
    this.#release(user, due.event, out);
  }

  /** Remembers an event id. @returns whether it is new: not among the user's newest ids */
  noteId(user: UserState, id: string): boolean {
    const hash = idHash(id);
    if (user.recentIds.includes(hash)) return false;
    user.recentIds.push(hash);
    if (user.recentIds.length > this.#settings.dedupIds) user.recentIds.shift();
    return true;
  }

  /** Forgets the id of a rejected event, so that it can be sent again. */
  forgetId(user: UserState, id: string): void {
    if (user.recentIds.at(-1) === idHash(id)) user.recentIds.pop();
  }

  /** Whether the sample of a request has already been emitted. */
  isSettled(user: UserState, request: string): boolean {
    return user.recentIds.includes(idHash(settledId(request)));
  }

  /**
   * Drops all impressions that are not settled, because their outcomes may be among lost events. They yield no
   * samples; later clicks on those that were shown count as late.
   */
  abandon(): void {
    for (const user of this.#state.users.values()) {
      for (const pending of [...user.pending.values()]) {
        if (pending.stage !== "settled") this.#abandon(user, pending);
      }
    }
  }

  /** Drops the older half of a user's impressions, as {@linkcode ImpressionJoin.abandon} does. @returns how many */
  abandonHalf(user: UserState): number {
    const all = [...user.pending.values()];
    const oldest = all.slice(0, Math.ceil(all.length / 2));
    for (const pending of oldest) this.#abandon(user, pending);
    return oldest.length;
  }

  #abandon(user: UserState, { request, stage }: Pending): void {
    this.#drop(user, request);
    this.#state.dirtyUsers.add(user);
    if (stage !== "open") return;
    this.noteId(user, settledId(request));
    this.#state.counters.abandoned++;
  }

  /** Queues the deadlines of a restored user. @param before the same user, restored earlier */
  restore(user: UserState, before?: UserState): void {
    for (const pending of user.pending.values()) {
      if (before?.pending.get(pending.request)?.sequence !== pending.sequence) this.#watch(user.id, pending);
    }
    const known = before?.parked.map(({ sequence }) => sequence) ?? [];
    for (const parked of user.parked) {
      if (!known.includes(parked.sequence)) this.#watchParked(user.id, parked);
    }
  }

  #watch(user: string, { deadline, stage, sequence, request }: Pending): void {
    const time = stage === "settled" ? deadline + this.#lateMs : deadline;
    this.#deadlines.push({ time, sequence, user, request });
  }

  #watchParked(user: string, { sequence, event: { time } }: ParkedInteraction): void {
    this.#deadlines.push({ time, sequence, user, request: null });
  }

  /** Items in all open lists, except lists that a release without these counters opened. */
  get openItems(): number {
    const { itemsOpened, itemsClosed } = this.#state.counters;
    return itemsOpened - itemsClosed;
  }

  /** Counts the lists of an erased user as closed. */
  forget(user: UserState): void {
    for (const pending of user.pending.values()) this.#countClosed(pending);
  }

  #put(user: UserState, pending: Pending): void {
    this.#countClosed(user.pending.get(pending.request));
    putPending(user, pending);
    this.#state.counters.itemsOpened += pending.rows.length;
  }

  #drop(user: UserState, request: string): void {
    this.#countClosed(user.pending.get(request));
    user.pending.delete(request);
  }

  #countClosed(pending: Pending | undefined): void {
    const { counters } = this.#state;
    counters.itemsClosed = Math.min(counters.itemsOpened, counters.itemsClosed + (pending?.rows.length ?? 0));
  }
}

function withoutUnknown(event: InteractionEvent): InteractionEvent {
  const kept: InteractionEvent & Record<string, unknown> = { ...event };
  for (const name of Object.keys(kept)) if (!PARKED_FIELDS.has(name)) delete kept[name];
  return kept;
}

/** Prefix that marks a settled request among the recent ids; ids of events have no control characters. */
function settledId(request: string): string {
  return `\0settled:${request}`;
}

/** The impression that an outcome belongs to: the one it names, else the newest in which the item is open. */
function findPending(
  user: UserState,
  item: number,
  event: Pick<Outcome, "request" | "time">,
  lateMs: number,
): Pending | undefined {
  if (event.request !== undefined) return user.pending.get(event.request);
  let newest: Pending | undefined;
  for (const pending of user.pending.values()) {
    if (!isShown(pending) || pending.time > event.time || pending.deadline + lateMs < event.time) continue;
    if (newest !== undefined && pending.time < newest.time) continue;
    if (some(pending.rows, (rows, row) => rows.items[row]!.index === item && rows.isOpen(row))) {
      newest = pending;
    }
  }
  return newest;
}

function some(rows: Rows, is: (rows: Rows, row: number) => boolean): boolean {
  for (let row = 0; row < rows.length; row++) if (is(rows, row)) return true;
  return false;
}
