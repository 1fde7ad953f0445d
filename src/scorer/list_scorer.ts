/**
 * Scores a list of items for a user, and keeps everything that the sample will need: features, history and prediction,
 * as they are at this moment.
 */

import { contextValues, type FeatureSchema, fieldValues } from "../features/schema.ts";
import { UserStatistics } from "../features/kept_statistics.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import { Rows } from "../samples/rows.ts";
import { type Pending, type PendingState, sampleState } from "../users/pending/pending.ts";
import { type FoldContext, stateOf } from "../users/hidden_state.ts";
import type { RecurrentState, UserState } from "../users/user_state.ts";
import { POOLED_NAMES } from "../features/pooled/pair_statistics.ts";
import { POOLED_BEHAVIOURS, type PooledPairs, type WritePooled } from "../features/pooled/pooled_pairs.ts";
import { ContextBuffer } from "../retrieval/signals/context.ts";
import { ScoredRows } from "./scored_rows.ts";
import { type Window, windowOf } from "./window.ts";
import type { Serving } from "../features/serving.ts";

/** The request or impression that a list belongs to. */
export interface ListContext {
  readonly request: string;
  /** Event time. */
  readonly time: number;
  /** Number of the scored items that are requested. @default {all} */
  readonly count?: number;
}

/** Stands for every user's statistics if the schema has no user ids; never written to. */
const NOBODY = new UserStatistics();

/** The state that a {@linkcode ListScorer} reads. */
export interface ListScorerView {
  readonly catalogue: Catalogue;
  readonly statistics: FeatureStatistics;
  /** Pairs of behaviours and candidates, if the schema has any. */
  readonly pooled?: PooledPairs | null;
}

export interface ListScorerOptions {
  /** How the states of the model's users are kept. */
  readonly fold: FoldContext;
  /** How long after the impression an outcome counts, milliseconds. */
  readonly windowMs: number;
  /** Whether the deployment's own model scores, not that of a variant. */
  readonly isOwn: boolean;
}

export class ListScorer {
  readonly serving: Serving;
  /** How its users' states are kept. */
  readonly fold: FoldContext;
  readonly #view: ListScorerView;
  readonly #schema: FeatureSchema;
  /** Scratch: the newest behaviours. */
  readonly #newest = new ContextBuffer(POOLED_BEHAVIOURS);
  readonly #isOwn: boolean;
  readonly #windowMs: number;
  /** The rows of the newest list. */
  readonly #rows: Rows;
  #lists = 0;

  constructor(view: ListScorerView, { fold, windowMs, isOwn }: ListScorerOptions) {
    this.#view = view;
    this.#schema = view.catalogue.schema;
    this.serving = fold.serving;
    this.fold = fold;
    this.#windowMs = windowMs;
    this.#isOwn = isOwn;
    this.#rows = new Rows(0, view.statistics.count);
  }

  /** The state that its model learns from when another model scored the list; see `Sample.otherStates`. */
  stateToLearn(user: UserState, length: number): PendingState | null {
    const recurrent = this.#recurrentOf(user);
    if (recurrent === undefined) return null;
    return stateOf(recurrent, this.fold, this.fold.sequences.windowStart(user.row), length);
  }

  /** The user's state of this model; `undefined` = a variant's model has none yet. */
  #recurrentOf(user: UserState): RecurrentState | undefined {
    return this.#isOwn ? user : user.variants.get(this.serving.model);
  }

  /**
   * Scores items in the given order; they have no places yet. The next list overwrites the rows: most candidates need
   * only their logits.
   */
  score(user: UserState, items: readonly CatalogueItem[], at: ListContext): ScoredRows {
    const schema = this.#schema;
    const { history, first, seen } = windowOf(this.fold, user, at.time);
    const recurrent = this.#recurrentOf(user);
    const state = recurrent && stateOf(recurrent, this.fold, first, history.items.length) || undefined;
    const features = {
      time: at.time,
      history,
      userFields: fieldValues(schema.userFields, user.profile),
      contextFields: contextValues(schema, at, Math.min(items.length, at.count ?? Infinity)),
    };
    const rows = this.#fill(user, items, { history, seen, time: at.time });
    const logits = rows.length === 0
      ? new Float32Array(0)
      : this.serving.score({ ...features, user: user.id, state: state && sampleState(state), rows });
    const head: Omit<Pending, "rows"> = {
      ...features,
      request: at.request,
      stage: "unconfirmed",
      deadline: at.time + this.#windowMs,
      sequence: 0,
      version: this.serving.version,
      newUser: history.items.length === 0,
      state,
    };
    const list = ++this.#lists;
    return new ScoredRows({ head, share: this.serving.share }, rows, logits, () => this.#lists === list);
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
    const { statistics, pooled = null } = this.#view;
    const write = statistics.numericsFor(facts, time);
    const pool = pooled === null ? null : this.#poolFor(pooled, user, time);
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
    this.fold.sequences.newest(row, time, this.#newest);
    return pooled.poolFor(this.#newest, time);
  }
}
