/**
 * Scores a list of items for a user, and keeps everything that the sample will need: features, history and prediction,
 * as they are at this moment.
 *
 * @module
 */

import type { Attributes } from "../events/event.ts";
import { contextValues, type FeatureSchema, fieldValues } from "../features/schema.ts";
import { UserStatistics } from "../features/kept_statistics.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import { TRANSITION_OPTIONS } from "../features/transitions.ts";
import { Rows } from "../samples/rows.ts";
import type { EarlierBehaviours, SampleHistory } from "../samples/sample.ts";
import { type Pending, type PendingState, sampleState } from "../users/pending/pending.ts";
import type { SequenceSlab } from "../users/states/sequence.ts";
import { type FoldContext, stateOf } from "../users/hidden_state.ts";
import type { UserState } from "../users/user_state.ts";
import { POOLED_NAMES } from "../features/pooled/pair_statistics.ts";
import { POOLED_BEHAVIOURS, type PooledPairs, type WritePooled } from "../features/pooled/pooled_pairs.ts";
import { ContextBuffer } from "../retrieval/signals/context.ts";
import { ScoredRows } from "./scored_rows.ts";
import type { Serving } from "../features/serving.ts";

/** The request or impression that a list belongs to. */
export interface ListContext {
  readonly request: string;
  /** Event time. */
  readonly time: number;
  /** Number of the scored items that are requested. @default {all} */
  readonly count?: number;
  readonly surface?: string;
  readonly context?: Attributes;
}

/** The behaviours that models read. */
export interface Window {
  /** Oldest first. */
  readonly history: SampleHistory;
  /** Index of its first behaviour in the user's sequence. */
  readonly first: number;
  /** How often each item, by index, is among them. */
  readonly seen: ReadonlyMap<number, number>;
}

/** Statistics of all users if the schema has none of users; never written to. */
const NOBODY = new UserStatistics();

export class ListScorer {
  readonly #schema: FeatureSchema;
  readonly #catalogue: Catalogue;
  readonly #sequences: SequenceSlab;
  readonly #statistics: FeatureStatistics;
  readonly #pooled: PooledPairs | null;
  /** Scratch: the newest behaviours. */
  readonly #newest = new ContextBuffer(POOLED_BEHAVIOURS);
  readonly #serving: Serving;
  readonly #fold: FoldContext;
  readonly #isOwn: boolean;
  readonly #windowMs: number;
  /** The rows of the newest list. */
  readonly #rows: Rows;
  #lists = 0;

  /**
   * @param windowMs How long after the impression an outcome counts.
   * @param isOwn Whether the deployment's own model scores, not that of a variant.
   */
  constructor(
    state: {
      readonly catalogue: Catalogue;
      readonly statistics: FeatureStatistics;
      readonly pooled?: PooledPairs | null;
    },
    fold: FoldContext,
    windowMs: number,
    isOwn: boolean,
  ) {
    this.#schema = state.catalogue.schema;
    this.#catalogue = state.catalogue;
    this.#sequences = fold.sequences;
    this.#statistics = state.statistics;
    this.#pooled = state.pooled ?? null;
    this.#serving = fold.serving;
    this.#fold = fold;
    this.#windowMs = windowMs;
    this.#isOwn = isOwn;
    this.#rows = new Rows(0, state.statistics.count);
  }

  /** How its users' states are kept. */
  get fold(): FoldContext {
    return this.#fold;
  }

  get serving(): Serving {
    return this.#serving;
  }

  /** The window of a user as of `time`: it leaves out later behaviours, even those that are already in the sequence. */
  window(user: UserState, time: number): Window {
    const sequences = this.#sequences;
    const start = sequences.windowStart(user.row);
    let length = sequences.length(user.row) - start;
    while (length > 0 && sequences.time(user.row, start + length - 1) > time) length--;
    const seen = new Map<number, number>();
    for (let i = 0; i < length; i++) {
      const item = sequences.item(user.row, start + i);
      seen.set(item, (seen.get(item) ?? 0) + 1);
    }
    const history = this.#openHistory(user, start, length) ?? this.#history(user, start, length);
    const earlier = this.#earlier(user, { start, time, history });
    return {
      history: earlier === undefined && history.earlier === undefined ? history : { ...history, earlier },
      first: start,
      seen,
    };
  }

  #history({ row }: UserState, start: number, length: number): SampleHistory {
    const sequences = this.#sequences;
    const items = new Array<string>(length);
    const categories = new Array<readonly string[]>(length);
    const actions = new Array<string>(length);
    const times = new Float64Array(length);
    const strengths = new Float32Array(length);
    for (let i = 0; i < length; i++) {
      const item = this.#catalogue.at(sequences.item(row, start + i));
      items[i] = item.id;
      categories[i] = item.categories;
      actions[i] = sequences.action(row, start + i);
      times[i] = sequences.time(row, start + i);
      strengths[i] = sequences.strength(row, start + i);
    }
    return { items, categories, actions, times, strengths, earlier: undefined };
  }

  /** The history of the user's newest open list if it is still current, so that open lists share it. */
  #openHistory({ row, pending }: UserState, start: number, length: number): SampleHistory | null {
    let newest: Pending | undefined;
    for (const each of pending.values()) newest = each;
    if (newest === undefined || newest.history.items.length !== length) return null;
    const { history } = newest;
    const sequences = this.#sequences;
    for (let i = length - 1; i >= 0; i--) {
      const item = this.#catalogue.at(sequences.item(row, start + i));
      if (history.times[i] !== sequences.time(row, start + i) || history.items[i] !== item.id) return null;
      if (history.categories[i] !== item.categories) return null;
      if (history.actions[i] !== sequences.action(row, start + i)) return null;
      if (history.strengths[i] !== sequences.strength(row, start + i)) return null;
    }
    return history;
  }

  /** The newest behaviour in each category that ended a search before the window, if it is still kept. */
  #earlier(
    { row }: UserState,
    { start, time, history }: {
      readonly start: number;
      readonly time: number;
      readonly history: SampleHistory;
    },
  ): EarlierBehaviours | undefined {
    const { transitions } = this.#schema;
    if (transitions === null || start === 0) return undefined;
    const ends = transitions?.ends ?? TRANSITION_OPTIONS.ends.value;
    const sequences = this.#sequences;
    const known = new Set<string>();
    const isNew = (action: string, categories: readonly string[]): boolean => {
      const before = known.size;
      for (const category of categories) known.add(`${action}:${category}`);
      return known.size > before;
    };
    history.actions.forEach((action, t) => {
      if (ends.includes(action)) isNew(action, history.categories[t]!);
    });
    const places: number[] = [];
    for (let i = start - 1; i >= 0; i--) {
      const action = sequences.action(row, i);
      if (!ends.includes(action) || sequences.time(row, i) > time) continue;
      if (isNew(action, this.#catalogue.at(sequences.item(row, i)).categories)) places.push(i);
    }
    if (places.length === 0) return undefined;
    places.reverse();
    const items = places.map((i) => this.#catalogue.at(sequences.item(row, i)));
    return {
      items: items.map(({ id }) => id),
      categories: items.map(({ categories }) => categories),
      actions: places.map((i) => sequences.action(row, i)),
      times: Float64Array.from(places, (i) => sequences.time(row, i)),
    };
  }

  /** The state that its model learns from when another model scored the list; see `Sample.state`. */
  learnt(user: UserState, length: number): PendingState | null {
    const recurrent = this.#isOwn ? user : user.variants.get(this.#serving.model);
    if (recurrent === undefined) return null;
    return stateOf(recurrent, this.#fold, this.#sequences.windowStart(user.row), length);
  }

  /** Scores items in the given order; they are not shown and have no places yet. */
  score(user: UserState, items: readonly CatalogueItem[], at: ListContext): Pending {
    const scored = this.list(user, items, at);
    return { ...scored.head, rows: scored.awaitingPlaces() };
  }

  /** Like {@linkcode ListScorer.score}, with rows that the next list overwrites: most candidates need only their logits. */
  list(user: UserState, items: readonly CatalogueItem[], at: ListContext): ScoredRows {
    const schema = this.#schema;
    const { history, first, seen } = this.window(user, at.time);
    const recurrent = this.#isOwn ? user : user.variants.get(this.#serving.model);
    const state = recurrent && stateOf(recurrent, this.#fold, first, history.items.length) || undefined;
    const of = {
      time: at.time,
      history,
      userFields: fieldValues(schema.userFields, user.profile),
      contextFields: contextValues(schema, at, Math.min(items.length, at.count ?? Infinity)),
    };
    const rows = this.#fill(user, items, { history, seen, time: at.time });
    const logits = rows.length === 0
      ? new Float32Array(0)
      : this.#serving.score({ ...of, user: user.id, state: state && sampleState(state), rows });
    const head: Omit<Pending, "rows"> = {
      ...of,
      request: at.request,
      stage: "unconfirmed",
      deadline: at.time + this.#windowMs,
      sequence: 0,
      version: this.#serving.version,
      newUser: history.items.length === 0,
      state,
    };
    const list = ++this.#lists;
    return new ScoredRows({ head, share: this.#serving.share }, rows, logits, () => this.#lists === list);
  }

  /** The rows of candidates; the next list overwrites them. */
  #fill(
    user: UserState,
    items: readonly CatalogueItem[],
    { history, seen, time }: Pick<Window, "history" | "seen"> & { readonly time: number },
  ): Rows {
    const facts = {
      statistics: this.#schema.userIds === false ? NOBODY : user.statistics,
      historyLength: history.items.length,
      lastTime: history.times.at(-1) ?? null,
    };
    const statistics = this.#statistics;
    const write = statistics.numericsFor(facts, time);
    const pool = this.#pooled === null ? null : this.#poolFor(this.#pooled, user, time);
    const rateLogit = this.#schema.offset === "rate" ? statistics.rateLogit : null;
    const rows = this.#rows;
    rows.clear(items.length);
    const { numerics, width } = rows;
    for (let c = 0; c < items.length; c++) {
      const item = items[c]!;
      write(item, seen.get(item.index) ?? 0, numerics, c * width);
      pool?.(item.index, numerics, (c + 1) * width - POOLED_NAMES.length);
      rows.add(item.features, rateLogit ?? numerics[c * width]!, 0);
    }
    return rows;
  }

  #poolFor(pooled: PooledPairs, { row }: UserState, time: number): WritePooled {
    this.#sequences.newest(row, time, this.#newest);
    return pooled.poolFor(this.#newest, time);
  }

  /** The logit of an item at its place in the list, which includes the position's first-order weight. */
  placedLogit(logit: number, position: number): number {
    return this.#serving.place(logit, position);
  }

  /** The logit of a placed item without its position's weight. */
  unplacedLogit(logit: number, position: number): number {
    return this.#serving.unplace(logit, position);
  }
}
