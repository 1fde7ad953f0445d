/**
 * The lists of a task: answers to requests, and lists that impression events report as shown. Both are opened in the
 * join, with features and predictions as they are at that moment.
 */

import { dateOf } from "../values/date_of.ts";
import type { ImpressionEvent, RequestEvent } from "../events/event.ts";
import type { Recommendation, RecommendedItem } from "../events/recommendation.ts";
import { Answerer, type AnswererState, type Recommended } from "../scorer/answerer.ts";
import type { Serving } from "../features/serving.ts";
import type { Catalogue } from "../items/catalogue.ts";
import { fieldOf } from "../values/record.ts";
import type { ImpressionJoin } from "./impression_join.ts";
import type { Interactions } from "./interactions.ts";
import { isShown, type Pending, sampleState } from "../users/pending/pending.ts";
import { Rows } from "../samples/rows.ts";
import type { ListFeatures } from "../samples/sample.ts";
import { rememberShown } from "../users/shown_items.ts";
import type { TaskCounters } from "./task_counters.ts";
import type { TaskOutputs, TaskRejection } from "./task_outputs.ts";
import type { UserState } from "../users/user_state.ts";
import type { TaskModels } from "./task_models.ts";
import type { TaskSettings } from "./task_options.ts";
import type { UserMemory } from "../users/user_memory.ts";
import { rejectUnknown } from "./unknown_items.ts";

/** A list that is only computed, not recommended, with what is needed to explain it. */
export interface Preview {
  readonly recommendation: Recommendation;
  /** The model that scored it, or the task's own if there were several. */
  readonly serving: Serving;
  /** The rows that it scored, without positions. */
  readonly list: ListFeatures;
}

/** The parts of an earlier answer that are reused. */
export interface GivenList extends Pick<Recommendation, "exposures"> {
  /** The listed items. */
  readonly items: readonly Pick<RecommendedItem, "item" | "position" | "propensity" | "source">[];
}

/** A list made without a model. */
export interface Unscored extends Pick<Recommendation, "empty"> {
  /** Items that pass the filters, in order. */
  readonly items: readonly Pick<RecommendedItem, "item" | "source">[];
}

/** What {@linkcode Lists} read and change; a `TaskState` is one. */
export interface ListState extends AnswererState {
  readonly memory: UserMemory;
  /** Receives the lists that open. */
  readonly join: ImpressionJoin<TaskOutputs>;
  readonly models: TaskModels;
  readonly counters: TaskCounters;
  /** See `TaskState.watermark`. */
  readonly watermark: number;
}

/** Answers and opens the lists of one task. */
export class Lists {
  readonly #state: ListState;
  readonly #answerer: Answerer;
  readonly #interactions: Interactions;
  readonly #settings: TaskSettings;
  /** Finds an answer of the followed task, by the offset of the request; `null` = this task answers. */
  #givenAt: ((offset: number) => GivenList | null) | null = null;

  constructor(state: ListState, interactions: Interactions, settings: TaskSettings) {
    this.#state = state;
    this.#answerer = new Answerer(state, settings);
    this.#interactions = interactions;
    this.#settings = settings;
  }

  /** Follows another task from now on, see `TaskState.follow`. */
  follow(givenAt: (offset: number) => GivenList | null): void {
    this.#givenAt = givenAt;
  }

  /** Answers a request, and opens the list. */
  request(user: UserState, event: RequestEvent, offset: number, out: TaskOutputs): void {
    const { counters, retrieval } = this.#state;
    counters.requests++;
    if (this.#givenAt !== null) return this.#answered(user, event, this.#givenAt(offset), out);
    const { recommendation, list, candidates, unserved } = this.#answer(user, event);
    if (unserved) counters.unservedVariants++;
    for (const { source } of recommendation.items) retrieval.sourceCounts.countListed(source);
    out.recommendations.push(recommendation);
    if (list.rows.length === 0) return;
    this.#recommend(user, list, candidates, out);
  }

  /**
   * Applies a request with the answer it was given earlier: users may have seen that list, so it is not computed anew.
   *
   * @param given the answer; `null` = it is unknown
   */
  #answered(user: UserState, event: RequestEvent, given: GivenList | null, out: TaskOutputs): void {
    const { retrieval, catalogue } = this.#state;
    if (event.candidates === undefined) retrieval.ordering.noteRequest();
    if (this.#answerer.isStacked(user, event)) retrieval.ordering.noteStackRequest();
    const items = (given?.items ?? []).filter(({ item }) =>
      rejectUnknown(catalogue, [item], user.id) === null
    );
    for (const { source } of items) retrieval.sourceCounts.countListed(source);
    if (given === null || items.length === 0) return;
    const shown = this.#shown(user, asImpression(event, items), undefined);
    const list = { ...shown, exposures: given.exposures };
    this.#recommend(user, list, () => list, out);
  }

  /**
   * Applies an impression event.
   *
   * @param offset Position of the event in its partition; identifies the impression if it has no request and no id.
   * @returns Why it cannot be applied, or `null`.
   */
  impression(
    user: UserState,
    event: ImpressionEvent,
    offset: number,
    out: TaskOutputs,
  ): TaskRejection | null {
    const { counters, join } = this.#state;
    const age = this.#endedBefore(event);
    if (age > 0) {
      counters.tooLate++;
      const { watermark } = this.#state;
      const reason = `its outcome window ended at ${dateOf(watermark - age)}, before the watermark, ${
        dateOf(watermark)
      }`;
      return { code: "too-late", reason };
    }
    const unknown = rejectUnknown(this.#state.catalogue, event.items, user.id);
    if (unknown !== null) return unknown;
    const request = event.request ?? event.id ?? `offset:${offset}`;
    const answered = user.pending.get(request);
    // Its sample has been emitted: opening it again would count its outcomes twice.
    const isRepeat = answered?.stage === "settled" || answered === undefined && join.isSettled(user, request);
    // The other half is reserved for our own lists.
    const most = this.#settings.maxOpenItems / 2;
    if (!isRepeat && answered === undefined && join.openItems >= most) {
      const reason =
        `there are ${join.openItems} items in open lists, and no more are opened from ${most} on; ` +
        "see maxOpenItems";
      return { code: "too-many-open", reason };
    }
    counters.impressions++;
    if (isRepeat) {
      counters.duplicates++;
      return null;
    }
    const shown = this.#shown(user, { ...event, request }, answered);
    this.#show(user, answered === undefined ? this.#state.models.withStates(user, shown) : shown, out);
    return null;
  }

  /** The rows of an impression event: items of our answer keep prediction and outcomes; the others are scored now. */
  #shown(
    user: UserState,
    event: ImpressionEvent & { readonly request: string },
    answered: Pending | undefined,
  ): Pending {
    const { catalogue } = this.#state;
    // If several models made the list, the task's own model scores the other items.
    const scorer = this.#state.models.of(answered?.model);
    const others = event.items.filter((item) => rowOf(answered?.rows, catalogue, item) < 0);
    const scored = answered === undefined || others.length > 0
      ? scorer.score(user, others.map((id) => this.#state.item(id, event.time)), event)
      : null;
    const oracle = oracleOf(event);
    const rows = new Rows(event.items.length, (answered ?? scored!).rows.width);
    for (const [place, item] of event.items.entries()) {
      const own = rowOf(answered?.rows, catalogue, item);
      const from = own >= 0 ? answered!.rows : scored!.rows;
      const at = own >= 0 ? own : rowOf(from, catalogue, item);
      const placed = own >= 0 && isShown(answered!);
      const logit = placed ? scorer.serving.unplace(from.logit(at), from.position(at)) : from.logit(at);
      const position = event.positions?.[place] ?? place;
      const row = rows.copy(from, at);
      rows.setLogit(row, scorer.serving.place(logit, position));
      rows.place(row, position, event.propensities?.[place] ?? (placed ? from.propensity(at) : 1));
      rows.setOracle(row, oracle?.[place] ?? NaN);
    }
    return { ...(answered ?? scored!.head), stage: "open", rows };
  }

  /**
   * Opens a recommended list, unless it is too old.
   *
   * @param list the items that were recommended, if recommendations count as shown
   * @param candidates all that were scored; an impression event will say which were shown
   */
  #recommend(user: UserState, list: Pending, candidates: () => Pending, out: TaskOutputs): void {
    const { counters, join } = this.#state;
    const served = this.#settings.impressions === "served";
    const isLate = this.#endedBefore(list) > 0;
    if (isLate || join.openItems >= this.#settings.maxOpenItems) {
      // A late list would be settled at once, and learnt as ignored.
      counters[isLate ? "tooLate" : "unopened"]++;
      if (served) this.#remember(user, list);
      return;
    }
    const recommended = this.#state.models.withStates(user, {
      ...(served ? list : candidates()),
      recommended: true,
    });
    if (served) this.#show(user, { ...recommended, stage: "open" }, out);
    else join.open(user, { ...recommended, stage: "unconfirmed" }, out);
  }

  /** Opens a list that was shown, then applies the interactions that were waiting for it. */
  #show(user: UserState, pending: Pending, out: TaskOutputs): void {
    const { join } = this.#state;
    const before = user.pending.get(pending.request);
    join.open(user, pending, out);
    this.#remember(user, pending, before !== undefined && isShown(before) ? before.rows : undefined);
    for (const event of join.takeParked(user, pending.request)) this.#interactions.apply(user, event, out);
  }

  #remember(user: UserState, list: Pick<Pending, "rows" | "time">, before?: Rows): void {
    rememberShown(user, list, before, this.#settings.frequency?.remembered ?? 0);
  }

  /** How long before the watermark a list's outcome window ended, milliseconds; not positive while it is open. */
  #endedBefore({ time }: { readonly time: number }): number {
    return this.#state.watermark - (time + this.#settings.outcomeWindowMs);
  }

  /**
   * The answer that a request would be given now, with its explanation; changes nothing. Leaves out unknown candidates.
   *
   * @param user `null` = a user without a past
   */
  preview(user: UserState | null, event: RequestEvent): Preview {
    if (user === null) return this.#asNobody(event, (nobody) => this.preview(nobody, event));
    const { catalogue } = this.#state;
    const candidates = event.candidates?.filter((id) => catalogue.get(id) !== undefined);
    const asked = candidates === undefined ? event : { ...event, candidates };
    const { recommendation, list } = this.#answerer.answer(user, asked);
    const { serving } = this.#state.models.of(recommendation.model);
    const { userFields, contextFields, time, history, state, rows } = list;
    for (let row = 0; row < rows.length; row++) rows.place(row, -1, 1);
    const features = { user: user.id, userFields, contextFields, time, history, rows };
    return { recommendation, serving, list: { ...features, state: state && sampleState(state) } };
  }

  /** The list that a user would be given now. It does not count as shown, and no outcome is awaited. */
  withoutOutcome(user: UserState, event: RequestEvent): Recommendation {
    return this.#answer(user, event).recommendation;
  }

  /** Answers a request. Parts of retrieval that only requests need learn from the first such request on. */
  #answer(user: UserState, event: RequestEvent): Recommended {
    const { retrieval } = this.#state;
    if (event.candidates === undefined) retrieval.ordering.noteRequest();
    const recommended = this.#answerer.answer(user, event);
    if (recommended.stacked) retrieval.ordering.noteStackRequest();
    return recommended;
  }

  /**
   * The answer to a request without a model: its candidates, or popular items, filtered.
   *
   * @param user `null` = a user without a past
   */
  withoutModel(user: UserState | null, event: RequestEvent): Unscored {
    if (user === null) return this.#asNobody(event, (nobody) => this.withoutModel(nobody, event));
    const asked = event.candidates === undefined ? { ...event, list: "popular" } as const : event;
    const { catalogue } = this.#state;
    const itemOf = (id: string) => catalogue.get(id) ?? catalogue.unknown(id, event.time);
    const { candidates } = this.#answerer.candidates(user, asked, { itemOf });
    const items = candidates.map(({ item, source }) => ({ item: item.id, source }));
    return items.length > 0 ? { items } : { items, empty: this.#answerer.whyEmpty(user, asked) };
  }

  #asNobody<View>({ user }: RequestEvent, view: (nobody: UserState) => View): View {
    return this.#state.memory.viewNobody(user, view);
  }
}

/** An earlier answer to a request, as the impression of the whole list. */
function asImpression(
  { request, user, time, context, surface }: RequestEvent,
  items: GivenList["items"],
): ImpressionEvent & { readonly request: string } {
  return {
    type: "impression",
    user,
    request,
    time,
    context,
    surface,
    items: items.map(({ item }) => item),
    positions: items.map(({ position }) => position),
    propensities: items.map(({ propensity }) => propensity),
  } as ImpressionEvent & { readonly request: string }; // absent where undefined
}

/** The row of an item; −1 = there is none. */
function rowOf(rows: Rows | undefined, catalogue: Catalogue, id: string): number {
  const item = catalogue.get(id);
  return rows === undefined || item === undefined ? -1 : rows.find(item.index);
}

/** True probabilities that a simulator wrote into the impression; for evaluation only, never a feature. */
function oracleOf(event: ImpressionEvent): readonly number[] | undefined {
  const oracle = fieldOf(event, "oracle");
  return Array.isArray(oracle) && oracle.length === event.items.length &&
      oracle.every((p) => typeof p === "number" && p >= 0 && p <= 1)
    ? oracle
    : undefined;
}
