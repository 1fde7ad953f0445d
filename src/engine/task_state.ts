/**
 * The state machine of a task: one partition's events in, recommendations, samples and rejections out. It is
 * deterministic and does no I/O; `streams/task/task.ts` reads, commits and restores around it.
 *
 * Watermark = max event time − allowed lateness. Before an event is applied, every impression whose deadline
 * lies before the watermark is settled, so that the event sees all outcomes that are final by then.
 *
 * The effects of an event are in `interactions.ts`, `lists.ts` (requests and impressions), `impression_join.ts` (outcomes)
 * and `user_memory.ts` (users in memory).
 *
 * @module
 */

import { settle, type Settled } from "../options/option.ts";
import type { Attributes, Event, ItemRecord, RequestEvent } from "../events/event.ts";
import type { Rejected } from "../events/rejected.ts";
import { Experiments } from "../assignment/assignment.ts";
import { type ExperimentRecord, isExperiment } from "../assignment/experiment.ts";
import { DEFAULT_ACTIONS } from "../features/actions.ts";
import { PooledPairs } from "../features/pooled/pooled_pairs.ts";
import { pooledOptions } from "../features/schema.ts";
import { FeatureStatistics } from "../features/statistics.ts";
import { Retrieval } from "../retrieval/retrieval.ts";
import type { OthersJournal } from "../retrieval/retrieval_state.ts";
import { Answerer } from "../scorer/answerer.ts";
import { ListScorer } from "../scorer/list_scorer.ts";
import { knowsRates } from "../scorer/score_kind.ts";
import type { PairNames, ScoreList } from "../nn/models/pair_head/pair_list.ts";
import { PRIOR } from "../serving/prior_serving.ts";
import type { ServedBank } from "../bank/served_bank.ts";
import type { Serving } from "../features/serving.ts";
import { Catalogue, type CatalogueItem } from "../items/catalogue.ts";
import { type Arrival, EventClock } from "../users/event_clock.ts";
import { currentState, type FoldCounters } from "../users/hidden_state.ts";
import { ImpressionJoin } from "./impression_join.ts";
import { Interactions } from "./interactions.ts";
import { ItemNumbers } from "./item_numbers.ts";
import { type GivenList, Lists, type Preview, type Unscored } from "./lists.ts";
import { SequenceSlab } from "../users/states/sequence.ts";
import { SaidByModel } from "../scorer/score_kind.ts";
import { partsOf } from "../assignment/pins.ts";
import { createTaskCounters, type TaskCounters } from "./task_counters.ts";
import { DEFAULT_POLICY, TASK_OPTIONS, type TaskOptions } from "./task_options.ts";
import type { TaskOutputs, TaskRejection } from "./task_outputs.ts";
import { UserLists } from "./user_lists.ts";
import { ErasedUsers } from "../users/erased_users.ts";
import { UserMemory } from "../users/user_memory.ts";
import type { UserState } from "../users/user_state.ts";
import { VariantScorers } from "./variant_scorers.ts";
import { rejectUnknown } from "./unknown_items.ts";

/** Most attributes per profile. */
const MAX_ATTRIBUTES = 256;
/** Length of a list whose request does not set one. */
const USUAL_COUNT = 10;

type TaskSettings = Settled<typeof TASK_OPTIONS>;

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
  /** @internal What models have said, and what came, which tells whether their scores are probabilities. */
  readonly said: SaidByModel = new SaidByModel();
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

  readonly #latenessMs: number;
  readonly #windowMs: number;
  readonly #scorers: VariantScorers;
  #experiments = new Experiments([]);
  readonly #interactions: Interactions;
  readonly #lists: Lists;
  /** Finds the answers of the task that it follows; `null` = it answers. */
  #givenAt: ((offset: number) => GivenList | null) | null = null;

  /**
   * Makes an empty state. `serving` is read at every score, so its version may move between events.
   *
   * @param variants Models for variants of experiments, in addition to the task's own.
   * @throws RangeError when sizes do not fit together, or the schema names its own numeric features.
   */
  constructor(options: TaskOptions, serving: Serving, variants: Iterable<Serving> = []) {
    const settled = settle(TASK_OPTIONS, options);
    const { allowedLatenessMs: latenessMs, outcomeWindowMs: windowMs, learnHistories, learnNext } = settled;
    this.#latenessMs = latenessMs;
    this.#windowMs = windowMs;
    this.clock = new EventClock(latenessMs, options.maxJumpMs);
    this.catalogue = new Catalogue(options.schema, settled.maxUnlistedItems);
    this.numbers = new ItemNumbers(this.catalogue);
    this.sequences = new SequenceSlab(settled.sequence);
    this.memory = new UserMemory(this.sequences, this.catalogue);
    this.users = this.memory.users;
    this.statistics = new FeatureStatistics(options.schema);
    const pooled = pooledOptions(options.schema);
    this.pooled = pooled === null ? null : new PooledPairs((index) => this.catalogue.at(index), pooled);
    this.retrieval = new Retrieval(this, settled.retrieval);
    this.join = this.#makeJoin(settled);
    const scorers = this.#scorers = this.#makeScorers(settled, serving, variants);
    const { actions = DEFAULT_ACTIONS, frequency } = options;
    const interactions = this.#interactions = new Interactions(this, scorers, {
      actions,
      latenessMs,
      learnHistories,
      learnNext,
    });
    const answerer = this.#makeAnswerer(options, settled);
    this.#lists = new Lists(this, { answerer, scorers, interactions }, {
      windowMs,
      served: settled.impressions === "served",
      remembered: frequency?.remembered ?? 0,
    });
    this.userLists = settled.userLists === null
      ? null
      : new UserLists(this, settled.userLists, (user, event) => this.#lists.withoutOutcome(user, event));
  }

  #makeJoin(
    { dedupIds, impressions, labelPolicy, lateOutcomeMs }: TaskSettings,
  ): ImpressionJoin<TaskOutputs> {
    return new ImpressionJoin<TaskOutputs>(
      this,
      { dedupIds, served: impressions === "served", labels: labelPolicy, lateMs: lateOutcomeMs },
      (user, event, out) => this.#interactions.apply(user, event, out),
    );
  }

  /** Scores with the deployment's own model, with those of variants, and with the prior. */
  #makeScorers(
    { outcomeWindowMs: windowMs, maxStaleVersions, lifelong }: TaskSettings,
    serving: Serving,
    variants: Iterable<Serving>,
  ): VariantScorers {
    const { sequences, catalogue, counters } = this;
    const fold = { sequences, catalogue, serving, maxStaleVersions, lifelong, counters };
    const own = new ListScorer(this, { fold, windowMs, isOwn: true });
    return new VariantScorers(own, [PRIOR, ...variants], (serving) => {
      const ofVariant = { ...fold, serving, counters: variantCounters(counters) };
      return new ListScorer(this, { fold: ofVariant, windowMs, isOwn: false });
    });
  }

  #makeAnswerer(options: TaskOptions, { ranking, logCandidates }: TaskSettings): Answerer {
    const { catalogue, sequences, retrieval, said } = this;
    return new Answerer({
      catalogue,
      sequences,
      retrieval,
      said,
      scorer: this.#scorers.own,
      scorers: this.#scorers.byModel,
      item: (id, time) => this.item(id, time),
      assign: (user) => this.#experiments.assign(user),
    }, {
      policy: options.policy ?? DEFAULT_POLICY,
      boosts: options.boosts ?? [],
      frequency: options.frequency ?? null,
      ranking,
      seed: options.seed ?? 0,
      logCandidates,
      nowMicros: options.nowMicros ?? (() => 0),
    });
  }

  /** @internal The bank of the deployment's own model, which predicts next items. */
  get bank(): ServedBank | null {
    return this.#scorers.own.serving.bank ?? null;
  }

  /**
   * @internal The own model's share in ordering lists, set by the learner's proof; 0 until there are enough outcomes.
   */
  get modelShare(): number {
    const { version, share = 1 } = this.#scorers.own.serving;
    return version > 0 && knowsRates(this.statistics) ? share : 0;
  }

  /**
   * @internal The scores by which `ranking: "model"` orders for a user: the logits of the deployment's own model, or of
   * the prior or mix until the model has proved itself.
   */
  logits(user: UserState, items: readonly CatalogueItem[], time: number): Float64Array {
    return this.#scorers.own.score(user, items, { request: "", time, count: USUAL_COUNT }).ordering;
  }

  /** @internal The pair head of the deployment's own model for lists of these values; see {@linkcode Serving.order}. */
  order(names: PairNames): ScoreList | null {
    return this.#scorers.own.serving.order?.(names) ?? null;
  }

  /** All outcomes before this event time are final; milliseconds since the epoch. */
  get watermark(): number {
    return this.maxTime - this.#latenessMs;
  }

  /** All lists that were shown before this event time have final outcomes; milliseconds since the epoch. */
  get settledBefore(): number {
    return this.watermark - this.#windowMs;
  }

  /** Newest event time, milliseconds since the epoch, as {@linkcode EventClock} determines it. */
  get maxTime(): number {
    return this.clock.time;
  }

  /** Name of the deployment's own model. */
  get servingModel(): string {
    return this.#scorers.own.serving.model;
  }

  /** The current experiments, by name. */
  get experiments(): ReadonlyMap<string, ExperimentRecord> {
    return this.#experiments.records;
  }

  /** Applies experiments from the next request on. Older revisions change nothing. */
  applyExperiments(records: Iterable<ExperimentRecord>): void {
    const newer = [...records].filter((record) => {
      const known = this.experiments.get(record.name);
      return known === undefined || !isExperiment(record) || !isExperiment(known) ||
        record.revision > known.revision;
    });
    if (newer.length === 0) return;
    this.#experiments = new Experiments([...this.experiments.values(), ...newer]);
    this.#scorers.follow(this.experiments.values());
  }

  /** @internal Full keys (`pins.ts`) of the pinned versions that experiments or open impressions need. */
  pins(): Set<string> {
    return this.#scorers.pins(this.users.values());
  }

  /** @internal Whether a pinned version may have become unnecessary; {@linkcode TaskState.pins} returns the others. */
  get hasSparePins(): boolean {
    return this.#scorers.hasSparePins(this.watermark);
  }

  /** @internal Replaces the set of pinned versions. */
  setPinned(versions: Iterable<Serving>): void {
    this.#scorers.setPinned(versions);
    this.said.keep((model) => partsOf(model).version === undefined || this.#scorers.byModel.has(model));
  }

  /** Applies a catalogue record. @returns why it is refused, or `null` */
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
    if (rejectUnknown(this.catalogue, [id]) !== null) return; // it is unknown, and there is no room to note its removal
    const item = this.catalogue.remove(id, time);
    this.retrieval.lists.add(item);
    this.dirtyItems.add(item);
  }

  /** @internal The item of an id; a new one becomes durable, with the time of its first event. */
  item(id: string, time: number): CatalogueItem {
    const known = this.catalogue.get(id);
    if (known !== undefined) return known;
    const item = this.catalogue.intern(id, time);
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
    this.#givenAt = givenAt;
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
    this.join.settleBefore(this.watermark, out);
    const capped = time < event.time ? { ...event, time } : event;
    const user = this.#userOf(capped, offset);
    // Outputs carry their event's number, which an event that is applied again has already used.
    if (user === "reapplied") return null;
    if (user !== null && event.time - time > this.clock.toleranceMs) this.counters.ahead++;
    const rejection = user === null ? null : this.#fold(user, capped, offset, out);
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

  #fold(user: UserState, event: Event, offset: number, out: TaskOutputs): TaskRejection | null {
    switch (event.type) {
      case "interaction":
        return this.#interactions.receive(user, event, out);
      case "request":
        if (this.#givenAt === null) this.#lists.request(user, event, out);
        else this.#lists.answered(user, event, this.#givenAt(offset), out);
        return null;
      case "impression":
        return this.#lists.impression(user, event, offset, out);
      case "profile":
        user.profile = newest({ ...user.profile, ...event.attributes });
        this.userLists?.touch(user);
        return null;
      case "alias":
        this.#interactions.alias(user, event, out);
        return null;
      case "merge":
        if (this.#interactions.passOn(user, event, out)) return null;
        user.profile = newest({ ...event.attributes, ...user.profile });
        this.userLists?.touch(user);
        this.#interactions.merge(user, event.behaviours);
        return null;
      case "forget":
        this.#forget(user, out);
        this.erased.note(event.user, event.time);
        return null;
    }
  }

  /**
   * The answer that a request would be given now, with its explanation; changes nothing. Leaves out unknown candidates.
   *
   * @internal
   */
  preview(user: UserState, event: RequestEvent): Preview {
    return this.#lists.preview(user, event);
  }

  /** @internal The list for a user without a past; see {@linkcode TaskState.preview}. */
  previewNobody(event: RequestEvent): Preview {
    return this.memory.viewNobody(event.user, (nobody) => this.#lists.preview(nobody, event));
  }

  /**
   * @internal The answer to a request without a model: its candidates, or popular items, filtered. @param user the
   * user; absent = a user without a past
   */
  withoutModel(event: RequestEvent, user?: UserState): Unscored {
    if (user !== undefined) return this.#lists.withoutModel(user, event);
    return this.memory.viewNobody(event.user, (nobody) => this.#lists.withoutModel(nobody, event));
  }

  /**
   * @internal The recurrent state of a user after all behaviours, by the current version; `null` for an unknown user.
   */
  recurrentState(user: UserState): Float32Array | null {
    return currentState(user, this.#scorers.own.fold);
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

  /** @internal The record of a user for the changelog. */
  record(user: UserState): Uint8Array {
    return this.memory.record(user);
  }

  #forget(user: UserState, out: TaskOutputs): void {
    this.retrieval.state.forget(user.id);
    this.memory.forget(user);
    this.dirtyUsers.delete(user);
    this.#scorers.forgetUsers();
    this.counters.forgotten++;
    out.forgotten.push({ user: user.id, afterSamples: out.samples.length });
  }
}

function variantCounters(counters: TaskCounters): FoldCounters {
  return {
    get steps() {
      return counters.variantSteps;
    },
    set steps(count) {
      counters.variantSteps = count;
    },
    get refolds() {
      return counters.variantRefolds;
    },
    set refolds(count) {
      counters.variantRefolds = count;
    },
  };
}

/** The newest attributes, as many as a profile keeps. */
function newest(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).slice(-MAX_ATTRIBUTES));
}
