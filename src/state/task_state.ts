/**
 * The state machine of a task: one partition's events in, recommendations, samples and rejections out. It is
 * deterministic and does no I/O; `streams/task.ts` reads, commits and restores around it.
 *
 * Watermark = max event time − allowed lateness. Before an event is applied, every impression whose deadline
 * lies before the watermark is settled, so that the event sees all outcomes that are final by then.
 *
 * @module
 */

import type {
  Attributes,
  Boost,
  Event,
  ImpressionEvent,
  InteractionEvent,
  ItemRecord,
  MergeEvent,
  RequestEvent,
} from "../events/event.ts";
import { type ActionPolicies, type ActionPolicy, DEFAULT_ACTIONS, isPositive } from "../features/actions.ts";
import { Experiments } from "../experiments/assignment.ts";
import { type ExperimentRecord, isExperiment } from "../experiments/experiment.ts";
import type { Instance } from "../features/assembler.ts";
import type { FeatureSchema } from "../features/schema.ts";
import { FeatureStatistics } from "../features/statistics.ts";
import { historySample, type Sample } from "../learner/sample.ts";
import { Answerer, type Ranking } from "../scorer/answerer.ts";
import { ListScorer } from "../scorer/list_scorer.ts";
import type { PolicyOptions } from "../scorer/policy.ts";
import { PRIOR } from "../scorer/prior_serving.ts";
import type { Recommendation, RecommendedItem } from "../events/recommendation.ts";
import type { OthersJournal } from "../retrieval/retrieval_state.ts";
import { Retrieval, type RetrievalOptions } from "../retrieval/retrieval.ts";
import { checkStateSource } from "../retrieval/state_map.ts";
import type { Serving } from "../scorer/serving.ts";
import { Catalogue, type CatalogueItem } from "./catalogue.ts";
import { type FrequencyOptions, rememberShown } from "./shown_items.ts";
import { ImpressionJoin } from "./impression_join.ts";
import { EventClock } from "./event_clock.ts";
import { type Pending, sampleState } from "./pending.ts";
import type { LabelPolicy } from "./label_policy.ts";
import { newBehaviours } from "./merge.ts";
import {
  carryHidden,
  carryVariants,
  currentState,
  type FoldContext,
  type FoldCounters,
} from "./hidden_state.ts";
import { type Behaviour, type SequenceOptions, SequenceSlab } from "./sequence.ts";
import { createTaskCounters, type TaskCounters } from "./task_counters.ts";
import { UserCodec } from "./user_codec.ts";
import { createUser, type UserState } from "./user_state.ts";
import { VariantScorers } from "./variant_scorers.ts";

/** Options of a {@linkcode TaskState}. */
export interface TaskOptions {
  /** Which attributes are features. */
  readonly schema: FeatureSchema;
  /** What each action means. @default {DEFAULT_ACTIONS} */
  readonly actions?: ActionPolicies;
  /** Sizes of the behaviour sequences. */
  readonly sequence?: SequenceOptions;
  /** How long after an impression an outcome counts, milliseconds of event time. @default {600000} */
  readonly outcomeWindowMs?: number;
  /** How far behind the newest event time an event may come, milliseconds. @default {300000} */
  readonly allowedLatenessMs?: number;
  /**
   * Whether our answer counts as shown (`served`), or only what an impression event says (`logged`, for
   * replays of logs that another system made). @default {"served"}
   */
  readonly impressions?: "served" | "logged";
  /** When impressions become labels; see docs/learner.md. @default {"window"} */
  readonly labelPolicy?: LabelPolicy;
  /**
   * How long after its window an impression is remembered for late clicks, milliseconds of event time, if the label
   * policy has a use for them. @default {3600000}
   */
  readonly lateOutcomeMs?: number;
  /**
   * Whether the learner gets histories of which no list was shown: of a user with `sequence.hop` behaviours more than
   * the newest sample has, one more sample without rows. For a model with an auxiliary loss. @default {false}
   */
  readonly learnHistories?: boolean;
  /** Newest event ids kept a user for de-duplication. @default {32} */
  readonly dedupIds?: number;
  /** How a list is chosen from the scores. @default {{ name: "greedy" }} */
  readonly policy?: PolicyOptions;
  /** What orders retrieved candidates. @default {"model"} */
  readonly ranking?: Ranking;
  /** Rules that raise or lower items, for every request. @default {[]} */
  readonly boosts?: readonly Boost[];
  /** How often the same item may be shown. @default {as often as it is best} */
  readonly frequency?: FrequencyOptions;
  /** Where candidates come from when a request names none. */
  readonly retrieval?: RetrievalOptions;
  /** Versions that the state of a window may be behind before it is folded again. @default {100} */
  readonly maxStaleVersions?: number;
  /** Whether the state of a model that can covers a user's whole life, and not the window only. @default {true} */
  readonly lifelong?: boolean;
  /** Write candidates that were not chosen into each answer, to evaluate other policies on. @default {false} */
  readonly logCandidates?: boolean;
  /** Seed of exploration. @default {0} */
  readonly seed?: number;
  /** A clock in microseconds for `tookMicros`. @default {() => 0} */
  readonly nowMicros?: () => number;
}

/** Why an event that could be decoded was not applied. */
export interface Refusal {
  /** For machines. */
  readonly code: "too-late";
  /** A sentence for people. */
  readonly reason: string;
}

/** An answer that is not given. */
export interface Preview {
  /** The answer. */
  readonly recommendation: Recommendation;
  /** The model that scored it, or the own one when there were several. */
  readonly serving: Serving;
  /** What it scored. */
  readonly instance: Instance;
}

/** A user to erase. */
export interface Forgotten {
  /** Whom. */
  readonly user: string;
  /** Samples given before: those that follow are of another life. */
  readonly afterSamples: number;
}

/** What applying events gave; the caller empties it at a commit. */
export interface TaskOutputs {
  /** Answers, in the order of their requests. */
  readonly recommendations: Recommendation[];
  /** Impressions whose outcome became final, and histories without one, in that order. */
  readonly samples: Sample[];
  /** Users to erase everywhere. */
  readonly forgotten: Forgotten[];
}

/** Bytes in memory a byte of a record, beside the slab: maps, strings and objects; measured as 2 to 4. */
const RECORD_GROWTH = 3;

/** Attributes a profile keeps. */
const MAX_ATTRIBUTES = 256;
/** A rating far off its scale must not drown the rest of a history for as long as it is in there. */
const MAX_SURPRISE = 10;

/** The state machine of one partition. */
export class TaskState {
  /** The items. */
  readonly catalogue: Catalogue;
  /** The behaviours of all users. */
  readonly sequences: SequenceSlab;
  /** Running statistics over everything. */
  readonly statistics: FeatureStatistics;
  /** Where candidates come from. */
  readonly retrieval: Retrieval;
  /** The open impressions. */
  readonly join: ImpressionJoin<TaskOutputs>;
  /** What was counted. */
  readonly counters: TaskCounters = createTaskCounters();
  /** Users in memory, least recently active first. */
  readonly users: Map<string, UserState> = new Map();
  /** Users changed since the last commit. */
  readonly dirtyUsers: Set<UserState> = new Set();
  /** Items changed since the last commit. */
  readonly dirtyItems: Set<CatalogueItem> = new Set();
  /** Users that left memory since this process began. */
  evicted = 0;
  /** Users that were restored since this process began. */
  restored = 0;
  /** Event time of the partition. */
  readonly clock: EventClock = new EventClock();

  readonly #actions: ActionPolicies;
  readonly #windowMs: number;
  readonly #latenessMs: number;
  #userBytes = 0;
  readonly #codec: UserCodec;
  readonly #scorer: ListScorer;
  /** Score with the models of variants, and with pinned versions. */
  readonly #variants: VariantScorers;
  #experiments = new Experiments([]);
  readonly #answerer: Answerer;
  readonly #served: boolean;
  readonly #remembered: number;
  readonly #learnsHistories: boolean;
  readonly #fold: FoldContext;

  /**
   * An empty state; `serving` is asked at every score, so its version may move between events.
   *
   * @param variants Models that variants of experiments may want, beside the own one.
   * @throws RangeError when sizes do not fit together, or states are to be searched with and the model has none.
   */
  constructor(options: TaskOptions, serving: Serving, variants: Iterable<Serving> = []) {
    this.#actions = options.actions ?? DEFAULT_ACTIONS;
    this.#windowMs = options.outcomeWindowMs ?? 600_000;
    this.#latenessMs = options.allowedLatenessMs ?? 300_000;
    this.#learnsHistories = options.learnHistories ?? false;
    this.#served = (options.impressions ?? "served") === "served";
    this.#remembered = options.frequency?.remembered ?? 0;
    this.catalogue = new Catalogue(options.schema);
    this.sequences = new SequenceSlab(options.sequence);
    this.#codec = new UserCodec(this.sequences, this.catalogue);
    this.statistics = new FeatureStatistics(options.schema);
    checkStateSource(options.retrieval ?? {}, serving);
    this.retrieval = new Retrieval(this, options.retrieval);
    this.join = new ImpressionJoin<TaskOutputs>(
      this,
      {
        dedupIds: options.dedupIds ?? 32,
        served: this.#served,
        labels: options.labelPolicy ?? "window",
        lateMs: options.lateOutcomeMs ?? 3_600_000,
      },
      (user, event, out) => this.#applyInteraction(user, event, out),
    );
    this.#fold = {
      sequences: this.sequences,
      catalogue: this.catalogue,
      serving,
      maxStaleVersions: options.maxStaleVersions ?? 100,
      lifelong: options.lifelong ?? true,
      counters: this.counters,
    };
    this.#scorer = new ListScorer(this, this.#fold, this.#windowMs, true);
    this.#variants = new VariantScorers(this.#scorer, [PRIOR, ...variants], (serving) => {
      const counters = variantCounters(this.counters);
      return new ListScorer(this, { ...this.#fold, serving, counters }, this.#windowMs, false);
    });
    this.#answerer = new Answerer({
      catalogue: this.catalogue,
      sequences: this.sequences,
      retrieval: this.retrieval,
      scorer: this.#scorer,
      scorers: this.#variants.byModel,
      assign: (user) => this.#experiments.assign(user),
    }, {
      policy: options.policy ?? { name: "greedy" },
      boosts: options.boosts ?? [],
      frequency: options.frequency ?? null,
      ranking: options.ranking ?? "model",
      seed: options.seed ?? 0,
      logCandidates: options.logCandidates ?? false,
      nowMicros: options.nowMicros ?? (() => 0),
    });
  }

  /** No impression will ever be outcome-less that has a deadline before this event time. */
  get watermark(): number {
    return this.maxTime - this.#latenessMs;
  }

  /** Newest event time that counts, see {@linkcode EventClock}. */
  get maxTime(): number {
    return this.clock.time;
  }

  /** Name of the own model. */
  get servingModel(): string {
    return this.#fold.serving.model;
  }

  /** The experiments as of now, by name. */
  get experiments(): ReadonlyMap<string, ExperimentRecord> {
    return this.#experiments.records;
  }

  /** Applies a change of experiments: the next request sees it. Older revisions change nothing. */
  applyExperiments(records: Iterable<ExperimentRecord>): void {
    const newer = [...records].filter((record) => {
      const known = this.experiments.get(record.name);
      return known === undefined || !isExperiment(record) || !isExperiment(known) ||
        record.revision > known.revision;
    });
    if (newer.length === 0) return;
    this.#experiments = new Experiments([...this.experiments.values(), ...newer]);
    this.#variants.follow(this.experiments.values());
  }

  /** Full keys (`pins.ts`) of the pinned versions that are needed: by experiments, and by impressions that are open. */
  pins(): Set<string> {
    return this.#variants.pins(this.users.values());
  }

  /** Whether there may be a pinned version here that is not needed any more; {@linkcode TaskState.pins} knows. */
  get hasSparePins(): boolean {
    return this.#variants.hasSparePins(this.watermark);
  }

  /** Takes the pinned versions that there are in place of those that there were. */
  setPinned(versions: Iterable<Serving>): void {
    this.#variants.setPinned(versions);
  }

  /** Applies a catalogue record. */
  applyItem(record: ItemRecord): void {
    const item = this.catalogue.apply(record);
    this.retrieval.lists.add(item);
    this.dirtyItems.add(item);
    this.counters.items++;
  }

  /** Applies a tombstone of the catalogue. */
  removeItem(id: string, time: number): void {
    const item = this.catalogue.remove(id, time);
    this.retrieval.lists.add(item);
    this.dirtyItems.add(item);
  }

  /** The item of an id; one that is new is durable from now on, with the time of its first sight. */
  item(id: string, time: number): CatalogueItem {
    const known = this.catalogue.get(id);
    if (known !== undefined) return known;
    const item = this.catalogue.intern(id, time);
    this.dirtyItems.add(item);
    return item;
  }

  /**
   * Learns what the task of another partition has learnt; its items are durable here from now on. Only right after a
   * commit.
   *
   * @returns How many signals and positives it was.
   * @throws SyntaxError when it is no journal; nothing is learnt then
   */
  learnOthers(journal: OthersJournal): number {
    return this.retrieval.state.learnOthers(journal, (id, time) => this.item(id, time).index);
  }

  /**
   * Applies one event.
   *
   * @param offset Position of the event in its partition; one at or below the user's last is a no-op.
   * @returns A refusal when the event is valid but cannot be applied, else `null`.
   */
  apply(event: Event, offset: number, out: TaskOutputs): Refusal | null {
    this.clock.update(event.user, event.time);
    this.join.settleBefore(this.watermark, out);
    const user = this.#user(event.user);
    if (offset <= user.lastOffset) {
      this.counters.reapplied++;
      return null;
    }
    user.lastOffset = offset;
    this.dirtyUsers.add(user);
    if (event.id !== undefined && !this.join.firstSight(user, event.id)) {
      this.counters.duplicates++;
      return null;
    }
    this.counters.events++;
    switch (event.type) {
      case "interaction":
        return this.#interaction(user, event, out);
      case "request":
        this.#request(user, event, out);
        return null;
      case "impression":
        return this.#impression(user, event, offset, out);
      case "profile":
        user.profile = newest({ ...user.profile, ...event.attributes });
        return null;
      case "merge":
        this.#merge(user, event);
        return null;
      case "forget":
        this.#forget(user, out);
        return null;
    }
  }

  /**
   * What a request would be answered with now, and what explains it; changes nothing. Candidates that are not known
   * are left out.
   */
  preview(user: UserState, event: RequestEvent): Preview {
    const candidates = event.candidates?.filter((id) => this.catalogue.get(id) !== undefined);
    const asked = candidates === undefined ? event : { ...event, candidates };
    const { recommendation, chosen } = this.#answerer.answer(user, asked);
    const { serving } = this.#variants.of(recommendation.model);
    const rows = chosen.rows.map((row) => ({ ...row, item: this.catalogue.at(row.item).id, position: -1 }));
    const { state: _stored, otherStates: _others, ...list } = chosen;
    const instance = { ...list, ...sampleState(chosen.state), user: user.id, rows };
    return { recommendation, serving, instance };
  }

  /** What a request could be answered with if there were no model: its candidates, or what is popular, filtered. @param user whose it is; without, somebody without a past */
  withoutModel(event: RequestEvent, user?: UserState): readonly Pick<RecommendedItem, "item" | "source">[] {
    const asked: RequestEvent = event.candidates === undefined ? { ...event, list: "popular" } : event;
    if (user !== undefined) return this.#answerer.candidates(user, asked);
    const nobody = createUser(event.user, this.sequences);
    try {
      return this.#answerer.candidates(nobody, asked);
    } finally {
      this.sequences.release(nobody.row);
    }
  }

  /** What somebody without a past would be answered with now; as {@linkcode TaskState.preview}. */
  previewNobody(event: RequestEvent): Preview {
    const nobody = createUser(event.user, this.sequences);
    try {
      return this.preview(nobody, event);
    } finally {
      this.sequences.release(nobody.row);
    }
  }

  /** The recurrent state of a user after all behaviours, by the version of now; `null` when nothing is known. */
  recurrentState(user: UserState): Float32Array | null {
    return currentState(user, this.#fold);
  }

  /** Settles every open impression, as at the end of a finite stream. */
  flush(out: TaskOutputs): void {
    this.join.settleBefore(Infinity, out);
  }

  /** Takes a user in from its record. */
  restoreUser(id: string, record: Uint8Array): void {
    const user = this.#codec.decode(id, record);
    this.#weigh(user, record.length);
    this.users.set(id, user);
    this.restored++;
    this.join.restore(user);
  }

  /** Looks at a user in its record, without taking it in. @param view gets a state that is not valid afterwards */
  viewRecord<View>(id: string, record: Uint8Array, view: (user: UserState) => View): View {
    const user = this.#codec.decode(id, record);
    try {
      return view(user);
    } finally {
      this.sequences.release(user.row);
    }
  }

  /** The record of a user for the changelog. */
  record(user: UserState): Uint8Array {
    const record = this.#codec.encode(user);
    this.#weigh(user, record.length);
    return record;
  }

  /** Estimated bytes of the users in memory. */
  get userBytes(): number {
    return this.#userBytes;
  }

  /**
   * Lets the least recently active users go until those in memory fit into `maxBytes`. Only right after a commit:
   * what leaves memory must be on the log, and be restored before its next event. Users with an open impression stay.
   */
  evict(maxBytes: number): void {
    if (this.#userBytes <= maxBytes) return;
    for (const user of this.users.values()) {
      if (isWaiting(user)) continue;
      this.#remove(user);
      this.evicted++;
      if (this.#userBytes <= maxBytes) return;
    }
  }

  #weigh(user: UserState, recordBytes: number): void {
    const bytes = this.sequences.rowBytes(user.row) + RECORD_GROWTH * recordBytes;
    this.#userBytes += bytes - user.bytes;
    user.bytes = bytes;
  }

  #remove(user: UserState): void {
    this.users.delete(user.id);
    this.sequences.release(user.row);
    this.#userBytes -= user.bytes;
  }

  #user(id: string): UserState {
    const known = this.users.get(id);
    const user = known ?? createUser(id, this.sequences);
    // Taken out and put in again, so that the map stays in the order of activity.
    if (known !== undefined) this.users.delete(id);
    this.users.set(id, user);
    return user;
  }

  #interaction(user: UserState, event: InteractionEvent, out: TaskOutputs): Refusal | null {
    this.counters.interactions++;
    const policy = Object.hasOwn(this.#actions, event.action) ? this.#actions[event.action] : undefined;
    if (policy === undefined) {
      this.counters.otherActions++;
      return null;
    }
    if (policy.strength !== null) {
      const refusal = this.#tooLate(user, event.time);
      if (refusal !== null) return refusal;
    }
    if (this.join.mustWait(user, event)) this.join.park(user, event, out);
    else this.#applyInteraction(user, event, out);
    return null;
  }

  /** Applies an interaction of a known action: outcome, value, popularity, behaviour. */
  #applyInteraction(user: UserState, event: InteractionEvent, out: TaskOutputs): void {
    const policy = this.#actions[event.action];
    if (policy === undefined) return;
    const item = this.item(event.item, event.time);
    this.dirtyItems.add(item);
    const positive = isPositive(policy, event.value);
    const strength = this.#strength(user, item, policy, event.value);
    const wanted = positive || (!policy.explicit && (policy.strength ?? 0) > 0);
    // Before anything counts it: what was taken must not look more popular for it.
    if (strength !== null) {
      this.retrieval.learn(user, item, Math.min(event.time, this.maxTime), strength, wanted);
    }
    if (positive || policy.explicit) {
      const { request, time } = event;
      const reward = positive ? event.value ?? 0 : 0;
      const outcome = { time, label: positive ? 1 : 0, reward, explicit: policy.explicit ?? false } as const;
      this.join.outcome(user, item, request === undefined ? outcome : { ...outcome, request }, out);
    }
    if (policy.surprise && event.value !== undefined) {
      this.statistics.learnValue(user.statistics, item, event.value);
    }
    if (wanted) this.retrieval.raise(item, event.time);
    if (strength === null) return;
    this.#behave(user, { item: item.index, action: event.action, time: event.time, strength });
    if (this.#learnsHistories) this.#sampleHistory(user, out);
  }

  /** Hands a history to the learner when no list has shown that it has grown by a hop. */
  #sampleHistory(user: UserState, out: TaskOutputs): void {
    const { sequences } = this;
    if (sequences.total(user.row) - user.sampledBehaviours < sequences.hop) return;
    user.sampledBehaviours = sequences.total(user.row);
    const time = sequences.lastTime(user.row) ?? 0;
    out.samples.push(historySample(user.id, time, this.#scorer.window(user, time).history));
    this.counters.histories++;
  }

  /** Takes a session's behaviours in. An action that is no behaviour here is skipped. */
  #merge(user: UserState, { behaviours, attributes = {} }: MergeEvent): void {
    user.profile = newest({ ...attributes, ...user.profile });
    const own = behaviours.filter(({ action }) =>
      Object.hasOwn(this.#actions, action) && this.#actions[action]?.strength !== null
    );
    const itemAt = (id: string, time: number) => this.item(id, time).index;
    for (const { index, action, time, strength } of newBehaviours(this.sequences, user.row, own, itemAt)) {
      this.#behave(user, { item: index, action, time, strength });
    }
  }

  /** Puts a behaviour into the sequence, and brings the recurrent state up to date. */
  #behave(user: UserState, behaviour: Behaviour): void {
    const atEnd = this.sequences.insert(user.row, behaviour);
    if (!atEnd) this.counters.late++;
    this.counters.behaviours++;
    carryHidden(user, { ...behaviour, atEnd }, this.#fold);
    carryVariants(user, { ...behaviour, atEnd }, this.#variants.folds);
  }

  /** Refuses what is too late for the sequence, before it changes anything. */
  #tooLate(user: UserState, time: number): Refusal | null {
    const lastTime = Math.min(this.sequences.lastTime(user.row) ?? -Infinity, this.maxTime);
    if (time >= lastTime - this.#latenessMs) return null;
    this.counters.tooLate++;
    return {
      code: "too-late",
      reason: `event time is ${lastTime - time} ms before the user's newest behaviour, ` +
        `allowed are ${this.#latenessMs} ms`,
    };
  }

  #strength(
    user: UserState,
    item: CatalogueItem,
    policy: ActionPolicy,
    value: number | undefined,
  ): number | null {
    if (policy.strength === null) return null;
    if (!policy.surprise) return policy.strength;
    const surprise = this.statistics.valueSurprise(
      user.statistics,
      item.statistics,
      value ?? this.statistics.overall.meanValue,
    );
    return policy.strength * Math.max(-MAX_SURPRISE, Math.min(MAX_SURPRISE, surprise));
  }

  #request(user: UserState, event: RequestEvent, out: TaskOutputs): void {
    this.counters.requests++;
    if (event.candidates === undefined) this.retrieval.state.ask();
    const { recommendation, scored, chosen, unserved } = this.#answerer.answer(user, event);
    if (unserved) this.counters.unservedVariants++;
    for (const { source } of recommendation.items) this.retrieval.sources.list(source);
    out.recommendations.push(recommendation);
    if (chosen.rows.length === 0) return;
    // What was answered counts as shown, or waits for an impression event to say what was.
    if (this.#served) this.#show(user, this.#variants.withStates(user, { ...chosen, shown: true }), out);
    else this.join.open(user, this.#variants.withStates(user, scored()), out);
  }

  #impression(user: UserState, event: ImpressionEvent, offset: number, out: TaskOutputs): Refusal | null {
    const age = this.watermark - (event.time + this.#windowMs);
    if (age > 0) {
      this.counters.tooLate++;
      return { code: "too-late", reason: `the window of its outcomes ended ${age} ms before the watermark` };
    }
    this.counters.impressions++;
    const request = event.request ?? event.id ?? `offset:${offset}`;
    const answered = user.pending.get(request);
    // Its sample is out: to open it again would count its outcomes twice.
    if (answered?.settled || (answered === undefined && this.join.isSettled(user, request))) {
      this.counters.duplicates++;
      return null;
    }
    // Of a list that several models made, the own one takes over what was shown otherwise.
    const scorer = this.#variants.of(answered?.model);
    const known = new Map(answered?.rows.map((row) => [this.catalogue.at(row.item).id, row]));
    // What we answered keeps its prediction and its outcomes; the rest is scored now.
    const others = event.items.filter((item) => !known.has(item));
    const scored = answered === undefined || others.length > 0
      ? scorer.score(user, others, { ...event, request })
      : null;
    others.forEach((item, place) => known.set(item, scored!.rows[place]!));
    const oracle = oracleOf(event);
    const rows = event.items.map((item, place) => {
      const row = known.get(item)!;
      const placed = answered?.shown === true && answered.rows.includes(row);
      const logit = placed ? scorer.unplacedLogit(row) : row.logit;
      const position = event.positions?.[place] ?? place;
      const propensity = event.propensities?.[place] ?? (placed ? row.propensity : 1);
      return {
        ...scorer.place({ ...row, logit }, position, propensity),
        oracle: oracle?.[place] ?? NaN,
      };
    });
    this.#show(user, { ...(answered ?? this.#variants.withStates(user, scored!)), shown: true, rows }, out);
    return null;
  }

  /** Opens what was shown, then applies the interactions that were waiting for it. */
  #show(user: UserState, pending: Pending, out: TaskOutputs): void {
    if (this.#learnsHistories) user.sampledBehaviours = this.sequences.total(user.row);
    this.join.open(user, pending, out);
    rememberShown(user, pending.rows, pending.time, this.#remembered);
    for (const event of this.join.takeParked(user, pending.request)) this.#applyInteraction(user, event, out);
  }

  #forget(user: UserState, out: TaskOutputs): void {
    this.retrieval.state.forget(user.id);
    this.#remove(user);
    this.dirtyUsers.delete(user);
    this.counters.forgotten++;
    out.forgotten.push({ user: user.id, afterSamples: out.samples.length });
  }
}

/** What the states of variants' models cost, apart from the own one's. */
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

/** The attributes that a profile keeps. */
function newest(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).slice(-MAX_ATTRIBUTES));
}

/** Whether something of the user waits for a deadline, for which it has to be in memory. */
export function isWaiting({ pending, parked }: UserState): boolean {
  return pending.size + parked.length > 0;
}

/** True probabilities that a simulator wrote into the impression; for judging only, never a feature. */
function oracleOf(event: ImpressionEvent): readonly number[] | undefined {
  const oracle = (event as { readonly oracle?: unknown }).oracle;
  return Array.isArray(oracle) && oracle.length === event.items.length &&
      oracle.every((p) => typeof p === "number" && p >= 0 && p <= 1)
    ? oracle
    : undefined;
}
