/**
 * What interactions change: the outcome of the list that showed the item, statistics and popularity, what retrieval
 * learns, and the behaviours of the user with the recurrent states that follow them. An interaction that arrives before
 * the impression that it names changes nothing until then; see `impression_join.ts`.
 */

import { dateOf } from "../values/date_of.ts";
import { BANK_BEHAVIOURS } from "../bank/bank_tables.ts";
import { hashString } from "../embeddings/hash.ts";
import { ContextBuffer } from "../retrieval/signals/context.ts";
import type { AliasEvent, InteractionEvent, MergedOutcome, MergeEvent } from "../events/event.ts";
import { type ActionPolicy, isPositive } from "../features/actions.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import { nextSample, preferenceSample } from "../samples/sample.ts";
import type { Retrieval } from "../retrieval/retrieval.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import type { ItemNumbers } from "./item_numbers.ts";
import type { ImpressionJoin, Outcome } from "./impression_join.ts";
import { aliasAfter, aliasAt, withAlias } from "../users/states/aliases.ts";
import { handedOver } from "../users/states/handover.ts";
import { newBehaviours } from "../users/states/merge.ts";
import { FormerItems } from "../users/states/former_items.ts";
import { type Session, sessionsAt, withSession } from "../users/states/sessions.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import type { TaskCounters } from "./task_counters.ts";
import type { TaskOutputs, TaskRejection } from "./task_outputs.ts";
import type { UserLists } from "./user_lists.ts";
import { clearBehaviours, type UserState } from "../users/user_state.ts";
import type { TaskModels } from "./task_models.ts";
import type { TaskSettings } from "./task_options.ts";
import { countBehaviour, rejectUnknown } from "./unknown_items.ts";
import { times } from "../values/times.ts";
import type { Behaviour } from "../users/states/behaviour_slab.ts";

const NO_CATEGORIES: readonly string[] = [];
/** Bounds the strength, so that one absurd value does not dominate a history. */
const MAX_STRENGTH = 10;

/** What interactions change; implemented by `TaskState`. */
export interface InteractionState {
  readonly catalogue: Catalogue;
  /** Finds the impressions that they belong to. */
  readonly join: ImpressionJoin<TaskOutputs>;
  /** Learns values, and measures how surprising one is. */
  readonly statistics: FeatureStatistics;
  /** Learns which items are taken, and which are popular. */
  readonly retrieval: Retrieval;
  /** The behaviours of all users. */
  readonly sequences: SequenceSlab;
  /** Their recurrent states follow behaviours. */
  readonly models: TaskModels;
  readonly counters: TaskCounters;
  /** Collects the items whose numbers change. */
  readonly numbers: ItemNumbers;
  /** Newest event time. */
  readonly maxTime: number;
  /** The item with this id; a new one becomes durable. */
  item(id: string, time: number): CatalogueItem;
  /** Notified of users whose behaviours change; `null` = not needed. */
  readonly userLists: Pick<UserLists, "touch"> | null;
}

export class Interactions {
  readonly #state: InteractionState;
  readonly #settings: TaskSettings;
  /** Scratch: the behaviours before the current one. */
  readonly #before = new ContextBuffer(BANK_BEHAVIOURS);

  /** Applies interactions to `state`. */
  constructor(state: InteractionState, settings: TaskSettings) {
    this.#state = state;
    this.#settings = settings;
  }

  /**
   * Applies an event, or parks it until the impression it names opens.
   *
   * @param isMended whether it was rejected before and is replayed; then no time is too late
   * @returns why it cannot be applied, or `null`
   */
  receive(
    user: UserState,
    event: InteractionEvent,
    out: TaskOutputs,
    isMended = false,
  ): TaskRejection | null {
    const { counters, join } = this.#state;
    counters.interactions++;
    const policy = this.#policy(event.action);
    if (policy === undefined) {
      counters.otherActions++;
      return null;
    }
    const unknown = rejectUnknown(this.#state.catalogue, [event.item], user.id);
    if (unknown !== null) return unknown;
    if (policy.strength !== null && !isMended) {
      const rejection = this.#tooLate(user, event.time);
      if (rejection !== null) return rejection;
    }
    if (user.sessions.length > 0) this.#forwardToSessions(user, event, out);
    if (join.mustWait(user, event)) join.park(user, event, out);
    else this.apply(user, event, out);
    return null;
  }

  /** Forwards what may be the outcome of a session's list to the sessions that this user was before logging in. */
  #forwardToSessions(user: UserState, event: InteractionEvent, out: TaskOutputs): void {
    const { maxTime, join } = this.#state;
    user.sessions = sessionsAt(user.sessions, maxTime - this.#settings.allowedLatenessMs, join.openMs);
    if (!join.hasListOf(user, event)) this.#forward(user, event, user.sessions, out);
  }

  #forward(user: UserState, event: InteractionEvent, sessions: readonly Session[], out: TaskOutputs): void {
    const { item, action, value, request, time } = event;
    const policy = this.#policy(action);
    if (policy === undefined || !(isPositive(policy, value) || policy.explicit)) return;
    const given = { ...(value !== undefined && { value }), ...(request !== undefined && { request }) };
    const base = {
      type: "merge",
      from: user.id,
      behaviours: [],
      outcome: { item, action, time, ...given },
    } as const;
    for (const { id, login } of sessionsAt(sessions, time, this.#state.join.openMs)) {
      out.merges?.push({ ...base, user: id, time: login });
    }
  }

  /** Applies an outcome that a user's task forwarded to a list of their session. */
  outcome(user: UserState, outcome: MergedOutcome, out: TaskOutputs): void {
    const { item, action, value } = outcome;
    const policy = this.#policy(action);
    const known = this.#state.catalogue.get(item);
    if (policy === undefined || known === undefined) return;
    const positive = isPositive(policy, value);
    if (positive || policy.explicit) {
      this.#state.join.outcome(user, known, outcomeOf(outcome, policy, positive), out);
    }
  }

  /** Applies an event of a known action at once: outcome, value, popularity, behaviour. */
  apply(user: UserState, event: InteractionEvent, out: TaskOutputs): void {
    const policy = this.#policy(event.action);
    if (policy === undefined) return;
    const state = this.#state;
    // Not later than the partition's clock: shared statistics must not run ahead of other users.
    const sharedTime = Math.min(event.time, state.maxTime);
    const item = state.item(event.item, sharedTime);
    state.numbers.change(item);
    const positive = isPositive(policy, event.value);
    const strength = this.#strength(user, item, policy, event.value);
    const wanted = positive || (!policy.explicit && (policy.strength ?? 0) > 0);
    // Before `raise`, so that the item does not look more popular in its own preference.
    if (strength !== null) {
      countBehaviour(state, item);
      const behaviour = { user, item, action: event.action, time: sharedTime, strength, wanted };
      const preference = state.retrieval.learn(behaviour);
      if (preference !== null) out.samples.push(preferenceSample(user.id, sharedTime, preference));
    }
    if (positive || policy.explicit) state.join.outcome(user, item, outcomeOf(event, policy, positive), out);
    if (policy.surprise && event.value !== undefined) {
      state.statistics.learnValue(user.statistics, item, event.value);
    }
    if (wanted) state.retrieval.raise(user, item, sharedTime);
    if (strength === null || this.#handOver(user, event, strength, out)) return;
    if (wanted) this.#sampleNext(user, event, sharedTime, out);
    this.#behave(user, { item: item.index, action: event.action, time: event.time, strength });
  }

  /** Hands a behaviour over to the user named by an alias in force at its time. @returns whether there is one */
  #handOver(
    user: UserState,
    { item, action, time }: InteractionEvent,
    strength: number,
    out: TaskOutputs,
  ): boolean {
    const alias = out.merges === undefined ? undefined : aliasAt(user.aliases, time);
    if (alias === undefined) return false;
    const behaviour = { item, action, time, strength: Math.fround(strength) };
    out.merges?.push(...handedOver(user.id, alias, [behaviour], {}));
    return true;
  }

  /**
   * Hands over behaviours and attributes up to the time of an alias. Lists stay open here: the other user's task
   * forwards their outcomes.
   */
  alias(user: UserState, { of, time }: AliasEvent, out: TaskOutputs): void {
    if (of === user.id || out.merges === undefined) return;
    const { sequences, catalogue, userLists } = this.#state;
    const alias = { of, until: time };
    user.aliases = withAlias(user.aliases, alias);
    const all = sequences.behaviours(user.row);
    const own = all.filter((behaviour) => behaviour.time > time);
    const others = all.slice(0, all.length - own.length).map(({ item, ...rest }) => {
      return { item: catalogue.at(item).id, ...rest };
    });
    out.merges.push(...handedOver(user.id, alias, others, user.profile, user.pending.size > 0));
    user.profile = {};
    userLists?.touch(user);
    if (others.length === 0) return;
    sequences.clear(user.row);
    sequences.restore(user.row, own, own.length);
    clearBehaviours(user);
  }

  /** Passes a handover on to the user that an alias names. @returns whether it was passed on */
  passOn(user: UserState, { from, time, behaviours, attributes }: MergeEvent, out: TaskOutputs): boolean {
    const alias = out.merges === undefined ? undefined : aliasAfter(user.aliases, time);
    if (alias === undefined) return false;
    out.merges?.push(...handedOver(from, alias, behaviours, attributes ?? {}));
    return true;
  }

  /** Adds a session's behaviours, except for actions that are not behaviours here. */
  merge(user: UserState, { from, time, behaviours }: MergeEvent, out: TaskOutputs): void {
    if (out.merges !== undefined && from !== user.id) this.#noteSession(user, from, time, out);
    const { sequences } = this.#state;
    const own = behaviours.filter(({ action }) => {
      const policy = this.#policy(action);
      return policy !== undefined && policy.strength !== null;
    }).filter(({ item }) => rejectUnknown(this.#state.catalogue, [item], user.id) === null);
    const itemAt = (id: string, time: number) =>
      this.#state.item(id, Math.min(time, this.#state.maxTime)).index;
    for (const { index, action, time, strength } of newBehaviours(sequences, user.row, own, itemAt)) {
      this.#behave(user, { item: index, action, time, strength: this.#mergedStrength(action, strength) });
    }
  }

  /** Remembers a session, and forwards to it interactions from before its `merge` that still wait for a list. */
  #noteSession(user: UserState, id: string, login: number, out: TaskOutputs): void {
    const { join, maxTime } = this.#state;
    const isKnown = user.sessions.some((session) => session.id === id);
    const known = withSession(user.sessions, { id, login });
    user.sessions = sessionsAt(known, maxTime - this.#settings.allowedLatenessMs, join.openMs);
    if (isKnown) return;
    for (const { event } of user.parked) this.#forward(user, event, [{ id, login }], out);
  }

  /** A strength that was computed elsewhere, clipped to the range possible here. */
  #mergedStrength(action: string, strength: number): number {
    const policy = this.#policy(action);
    const largest = Math.abs(policy?.strength ?? 0) * (policy?.surprise ? MAX_STRENGTH : 1);
    return Math.max(-largest, Math.min(largest, strength));
  }

  #policy(action: string): ActionPolicy | undefined {
    const { actions } = this.#settings;
    return Object.hasOwn(actions, action) ? actions[action] : undefined;
  }

  /** Emits a next-item sample for a share of behaviours, chosen by a hash of the event. */
  #sampleNext(user: UserState, { item, id, time }: InteractionEvent, until: number, out: TaskOutputs): void {
    if (!(this.#settings.learnNext > 0)) return;
    if (hashString(`${user.id}\0${item}\0${time}\0${id ?? ""}`, 0) / 2 ** 32 >= this.#settings.learnNext) {
      return;
    }
    const { sequences, catalogue } = this.#state;
    const before = this.#before;
    sequences.newest(user.row, until, before);
    const places = times(before.size, (t) => before.size - 1 - t);
    out.samples.push(nextSample(user.id, item, until, {
      items: places.map((at) => catalogue.at(before.items[at]!).id),
      categories: places.map(() => NO_CATEGORIES),
      actions: places.map(() => ""),
      times: Float64Array.from(places, (at) => before.times[at]!),
      strengths: Float32Array.from(places, (at) => before.strengths[at]!),
    }));
  }

  /** Puts a behaviour into the sequence, and brings the recurrent states up to date. */
  #behave(user: UserState, behaviour: Behaviour): void {
    const { sequences, counters } = this.#state;
    this.#keepFormer(user, behaviour);
    const atEnd = sequences.insert(user.row, behaviour);
    if (!atEnd) counters.late++;
    counters.behaviours++;
    this.#state.userLists?.touch(user);
    this.#state.models.carry(user, { ...behaviour, atEnd });
  }

  /** Remembers the item that the sequence is about to drop, if lists leave out items that users already had. */
  #keepFormer(user: UserState, { item, time }: Behaviour): void {
    const { sequences, catalogue, retrieval } = this.#state;
    const { row } = user;
    if (!retrieval.leavesOut || sequences.length(row) < sequences.capacity) return;
    const dropped = time < sequences.time(row, 0) ? item : sequences.item(row, 0);
    (user.former ??= new FormerItems()).add(catalogue.at(dropped).id);
  }

  /** Rejects a behaviour that is too late for the sequence, before anything changes. */
  #tooLate(user: UserState, time: number): TaskRejection | null {
    const { sequences, counters, maxTime } = this.#state;
    const lastTime = Math.min(sequences.lastTime(user.row) ?? -Infinity, maxTime);
    if (time >= lastTime - this.#settings.allowedLatenessMs) return null;
    counters.tooLate++;
    return {
      code: "too-late",
      reason:
        `event time, ${dateOf(time)}, is earlier than the user's newest behaviour, ${dateOf(lastTime)}, by ` +
        `more than allowedLatenessMs (${this.#settings.allowedLatenessMs}); \`rejected replay\` would take it`,
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
    const surprise = this.#state.statistics.valueSurprise(user.statistics, item.statistics, value);
    return policy.strength * Math.max(-MAX_STRENGTH, Math.min(MAX_STRENGTH, surprise));
  }
}

/** What an interaction says about the item of a list. */
function outcomeOf(
  { request, time, value = 0 }: Pick<InteractionEvent, "request" | "time" | "value">,
  { explicit = false }: ActionPolicy,
  positive: boolean,
): Outcome {
  const outcome = { time, label: positive ? 1 : 0, reward: positive ? value : 0, explicit } as const;
  return request === undefined ? outcome : { ...outcome, request };
}
