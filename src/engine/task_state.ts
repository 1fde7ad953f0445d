/**
 * The state machine of a task: one partition's events in, recommendations, samples and rejections out. It is
 * deterministic and does no I/O; `streams/task/task.ts` reads, commits and restores around it.
 *
 * Watermark = max event time − allowed lateness. Before an event is applied, every impression whose deadline
 * lies before the watermark is settled, so that the event sees all outcomes that are final by then.
 *
 * The effects of an event are in `interactions.ts`, `lists.ts` (requests and impressions), `impression_join.ts` (outcomes)
 * and `user_memory.ts` (users in memory).
 */

import type { Attributes, Event, ItemRecord } from "../events/event.ts";
import type { Rejected } from "../events/rejected.ts";
import type { ExperimentRecord } from "../assignment/experiment.ts";
import { PooledPairs } from "../features/pooled/pooled_pairs.ts";
import { pooledOptions } from "../features/schema.ts";
import { FeatureStatistics } from "../features/statistics.ts";
import { Retrieval } from "../retrieval/retrieval.ts";
import type { OthersJournal } from "../retrieval/retrieval_state.ts";
import type { Serving } from "../features/serving.ts";
import { Catalogue, type CatalogueItem } from "../items/catalogue.ts";
import { type Arrival, EventClock } from "../users/event_clock.ts";
import { ImpressionJoin } from "./impression_join.ts";
import { Interactions } from "./interactions.ts";
import { ItemNumbers } from "./item_numbers.ts";
import { type GivenList, Lists } from "./lists.ts";
import { SequenceSlab } from "../users/states/sequence.ts";
import { createTaskCounters, type TaskCounters } from "./task_counters.ts";
import { TaskModels } from "./task_models.ts";
import { type TaskOptions, type TaskSettings, taskSettings } from "./task_options.ts";
import type { TaskOutputs, TaskRejection } from "./task_outputs.ts";
import { UserLists } from "./user_lists.ts";
import { ErasedUsers } from "../users/erased_users.ts";
import { UserMemory } from "../users/user_memory.ts";
import type { UserState } from "../users/user_state.ts";

/** Most attributes per profile. */
const MAX_ATTRIBUTES = 256;

/**
 * The state machine of one partition: events in; recommendations, samples and users to erase out. It is a function of
 * its options and of the events in order, with no other clock or randomness. It is in memory only: for a state that
 * survives the process, run a `Service` on a durable log.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * import { DEFAULT_SCHEMA, PRIOR, type TaskOutputs, TaskState } from "@meander/meander/core";
 *
 * const task = new TaskState({ schema: DEFAULT_SCHEMA }, PRIOR);
 * const out: TaskOutputs = { recommendations: [], samples: [], forgotten: [] };
 * const time = Date.UTC(2026, 0, 1);
 * task.applyItem({ item: "tent", time });
 * task.apply({ type: "request", user: "ann", request: "r1", count: 2, time }, 0, out);
 * assert.deepEqual(out.recommendations[0]?.items.map(({ item }) => item), ["tent"]);
 * ```
 */
export class TaskState {
  /** @internal The items. */
  readonly catalogue: Catalogue;
  /** @internal The behaviours of all users. */
  readonly sequences: SequenceSlab;
  /** @internal Running statistics of users, items and values. */
  readonly statistics: FeatureStatistics;
  /** @internal Pairs of behaviours and candidates; `null` if the schema has none. */
  readonly pooled: PooledPairs | null;
  /** @internal Finds candidates, and learns how. */
  readonly retrieval: Retrieval;
  /** @internal The open impressions. */
  readonly join: ImpressionJoin<TaskOutputs>;
  /** Counters since the start. */
  readonly counters: TaskCounters = createTaskCounters();
  /** @internal The models that score, and the experiments that choose among them. */
  readonly models: TaskModels;
  /** @internal Answers requests, and opens lists. */
  readonly lists: Lists;
  /**
   * @internal Users in memory, their order and their records. Evict only right after a commit: evicted users must be on
   * the log, and be restored before their next event.
   */
  readonly memory: UserMemory;
  /** @internal Users in memory, by id. */
  readonly users: ReadonlyMap<string, UserState>;
  /** @internal Users changed since the last commit. */
  readonly dirtyUsers: Set<UserState> = new Set();
  /** @internal Items whose catalogue entry has changed since the last commit, and new ones. */
  readonly dirtyItems: Set<CatalogueItem> = new Set();
  /** @internal The numbers of items. */
  readonly numbers: ItemNumbers;
  /** @internal Users who were erased. */
  readonly erased: ErasedUsers = new ErasedUsers();
  /** @internal Event time of the partition. */
  readonly clock: EventClock;
  /** @internal Makes users' lists when they change; `null` = not configured. */
  readonly userLists: UserLists | null;

  readonly #settings: TaskSettings;
  readonly #interactions: Interactions;

  /**
   * Makes an empty state. `serving` is read at every score, so its version may change between events.
   *
   * @param variants Models for variants of experiments, in addition to the task's own.
   * @throws RangeError when sizes do not fit together, or the schema names its own numeric features.
   */
  constructor(options: TaskOptions, serving: Serving, variants: Iterable<Serving> = []) {
    const { schema } = options;
    const settings = this.#settings = taskSettings(options);
    this.clock = new EventClock(settings.allowedLatenessMs, options.maxJumpMs);
    this.catalogue = new Catalogue(schema, settings.maxUnlistedItems);
    this.numbers = new ItemNumbers(this.catalogue);
    this.sequences = new SequenceSlab(settings.sequence);
    this.memory = new UserMemory(this.sequences, this.catalogue);
    this.users = this.memory.users;
    this.statistics = new FeatureStatistics(schema);
    const pooled = pooledOptions(schema);
    this.pooled = pooled === null ? null : new PooledPairs((index) => this.catalogue.at(index), pooled);
    this.models = new TaskModels(this, settings, serving, variants);
    this.retrieval = new Retrieval(this, settings.retrieval);
    this.join = new ImpressionJoin(
      this,
      settings,
      (user, event, out) => this.#interactions.apply(user, event, out),
    );
    this.#interactions = new Interactions(this, settings);
    this.lists = new Lists(this, this.#interactions, settings);
    this.userLists = settings.userLists === null
      ? null
      : new UserLists(this, settings.userLists, (user, event) => this.lists.withoutOutcome(user, event));
  }

  /** All outcomes before this event time are final; milliseconds since the epoch. */
  get watermark(): number {
    return this.maxTime - this.#settings.allowedLatenessMs;
  }

  /** All lists that were shown before this event time have final outcomes; milliseconds since the epoch. */
  get settledBefore(): number {
    return this.watermark - this.#settings.outcomeWindowMs;
  }

  /** Newest event time, milliseconds since the epoch, as {@linkcode EventClock} determines it. */
  get maxTime(): number {
    return this.clock.time;
  }

  /** Name of the deployment's own model. */
  get servingModel(): string {
    return this.models.own.serving.model;
  }

  /** The current experiments, by name. */
  get experiments(): ReadonlyMap<string, ExperimentRecord> {
    return this.models.experiments.records;
  }

  /** Applies experiments from the next request on. Older revisions change nothing. */
  applyExperiments(records: Iterable<ExperimentRecord>): void {
    this.models.applyExperiments(records);
  }

  /** Applies a catalogue record. @returns why it is rejected, or `null` */
  applyItem(record: ItemRecord): Rejected | null {
    const rejected = this.catalogue.check(record);
    if (rejected !== null) return rejected;
    const item = this.catalogue.apply(record);
    this.retrieval.lists.add(item);
    this.dirtyItems.add(item);
    this.counters.items++;
    return null;
  }

  /** Removes an item from the catalogue. @param time of the removal, milliseconds since the epoch */
  removeItem(id: string, time: number): void {
    if (this.catalogue.get(id) === undefined && this.catalogue.room.left === 0) return; // no room to note its removal
    const item = this.catalogue.remove(id, time);
    this.retrieval.lists.add(item);
    this.dirtyItems.add(item);
  }

  /** @internal The item of an id; a new one becomes durable, with the time of its first event. */
  item(id: string, time: number): CatalogueItem {
    const known = this.catalogue.get(id);
    if (known !== undefined) return known;
    const item = this.catalogue.intern(id, time);
    this.catalogue.room.take();
    this.dirtyItems.add(item);
    return item;
  }

  /**
   * Learns from the journal of another partition's task, whose items become durable here. Call only right after a
   * commit.
   *
   * @returns The number of signals and positives learnt.
   * @throws SyntaxError when it is not a journal; nothing is learnt then
   *
   * @internal
   */
  learnOthers(journal: OthersJournal): number {
    return this.retrieval.state.learnOthers(journal, (id, time) => this.item(id, time).index);
  }

  /**
   * Follows a task of another generation, which answers the requests and writes the lists of users.
   *
   * @param givenAt the answer that the request at an offset was given; `null` = it is unknown
   *
   * @internal
   */
  follow(givenAt: (offset: number) => GivenList | null): void {
    this.lists.follow(givenAt);
    if (this.userLists !== null) this.userLists.isFollowing = true;
  }

  /**
   * Applies one event. An event time later than the arrival counts as the arrival, see {@linkcode EventClock}.
   *
   * @param offset Position of the event in its partition; one at or below the user's last is a no-op.
   * @param arrival When its record arrived. @default {unknown}
   * @returns Why the event, though valid, cannot be applied, else `null`.
   */
  apply(event: Event, offset: number, out: TaskOutputs, arrival?: Arrival): TaskRejection | null {
    const time = this.clock.update(event.user, event.time, arrival);
    this.catalogue.room.moveTo(this.maxTime);
    this.join.settleBefore(this.watermark, out);
    const capped = time < event.time ? { ...event, time } : event;
    const user = this.#userOf(capped, offset);
    // Not even `give`: lists are named after the offset, and this one has already been used.
    if (user === "reapplied") return null;
    if (user !== null && event.time - time > this.clock.toleranceMs) this.counters.ahead++;
    const rejection = user === null ? null : this.#fold(user, capped, { offset, out, arrival });
    if (rejection !== null && user !== null && event.id !== undefined) this.join.forgetId(user, event.id);
    this.userLists?.give(offset, out);
    return rejection;
  }

  /** The user to whom an event is applied; `null` = it is a repeat, or belongs to an erased life of the user. */
  #userOf(event: Event, offset: number): UserState | null | "reapplied" {
    if (event.type === "merge" && this.erased.includes(event.user, event.time)) {
      this.counters.erasedMerges++;
      return null;
    }
    const user = this.memory.activate(event.user);
    if (offset <= user.lastOffset) {
      this.counters.reapplied++;
      return "reapplied";
    }
    user.lastOffset = offset;
    this.dirtyUsers.add(user);
    if (event.id !== undefined && !this.join.noteId(user, event.id)) {
      this.counters.duplicates++;
      return null;
    }
    this.counters.events++;
    return user;
  }

  #fold(
    user: UserState,
    event: Event,
    { offset, out, arrival }: {
      readonly offset: number;
      readonly out: TaskOutputs;
      readonly arrival: Arrival | undefined;
    },
  ): TaskRejection | null {
    switch (event.type) {
      case "interaction":
        return this.#interactions.receive(user, event, out, arrival?.isMended);
      case "request":
        this.lists.request(user, event, offset, out);
        return null;
      case "impression":
        return this.lists.impression(user, event, offset, out);
      case "profile":
        user.profile = newest({ ...user.profile, ...event.attributes });
        this.userLists?.touch(user);
        return null;
      case "alias":
        this.#interactions.alias(user, event, out);
        return null;
      case "merge":
        if (event.outcome !== undefined) {
          this.#interactions.outcome(user, event.outcome, out);
          return null;
        }
        if (this.#interactions.passOn(user, event, out)) return null;
        user.profile = newest({ ...event.attributes, ...user.profile });
        this.userLists?.touch(user);
        this.#interactions.merge(user, event, out);
        return null;
      case "forget":
        this.#forget(user, offset, out);
        this.erased.note(event.user, event.time);
        return null;
    }
  }

  /**
   * Counts events of the partition that were deleted before they were applied, and abandons the open impressions: any
   * of the lost events may have been their outcomes.
   *
   * @param events Number of events, or of offsets if it is unknown which of them had an event.
   *
   * @internal
   */
  lose(events: number): void {
    this.counters.lost += events;
    this.join.abandon();
  }

  /** Settles every open impression, as at the end of a finite stream. */
  flush(out: TaskOutputs): void {
    this.join.settleBefore(Infinity, out);
  }

  /** @internal Restores a user from their record, replacing the state restored from an earlier one. */
  restoreUser(id: string, record: Uint8Array): void {
    const before = this.users.get(id);
    this.dropUser(id);
    const user = this.memory.restore(id, record);
    this.join.restore(user, before);
    if (this.userLists !== null) this.userLists.restore(user, before);
    else if (user.listed !== null) user.listed = { ...user.listed, due: null }; // no lists are written any more
  }

  /** @internal Drops a restored user who need not be in memory any more. */
  dropUser(id: string): void {
    const user = this.users.get(id);
    if (user !== undefined) this.memory.remove(user);
  }

  #forget(user: UserState, offset: number, out: TaskOutputs): void {
    this.retrieval.state.forget(user.id, offset);
    this.join.forget(user);
    this.memory.forget(user);
    this.dirtyUsers.delete(user);
    this.models.forgetUsers();
    this.counters.forgotten++;
    out.forgotten.push({ user: user.id, afterSamples: out.samples.length });
  }
}

/** The newest attributes, as many as a profile keeps. */
function newest(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).slice(-MAX_ATTRIBUTES));
}
