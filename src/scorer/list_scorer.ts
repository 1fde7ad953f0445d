/**
 * Scores a list of items for a user as of now, and keeps all that the sample will need: features, history and
 * prediction, as they are at this moment.
 *
 * @module
 */

import type { Attributes } from "../events/event.ts";
import { contextValues, type FeatureSchema, fieldValues } from "../features/schema.ts";
import type { FeatureStatistics } from "../features/statistics.ts";
import type { Catalogue, CatalogueItem } from "../state/catalogue.ts";
import type { Pending, PendingRow } from "../state/pending.ts";
import type { SequenceSlab } from "../state/sequence.ts";
import type { UserState } from "../state/user_state.ts";
import type { Serving } from "./serving.ts";

/** Where a list is asked for or shown. */
export interface ListContext {
  readonly request: string;
  /** Event time. */
  readonly time: number;
  readonly surface?: string;
  readonly context?: Attributes;
}

/** The behaviours that models read. */
export interface Window {
  /** Oldest first. */
  readonly items: readonly CatalogueItem[];
  readonly strengths: Float32Array;
  /** How often each item, by index, is among them. */
  readonly seen: ReadonlyMap<number, number>;
}

/** Scores lists against the state of one task. */
export class ListScorer {
  readonly #schema: FeatureSchema;
  readonly #catalogue: Catalogue;
  readonly #sequences: SequenceSlab;
  readonly #statistics: FeatureStatistics;
  readonly #serving: Serving;
  readonly #windowMs: number;

  /** @param windowMs How long after the impression an outcome counts. */
  constructor(
    state: {
      readonly catalogue: Catalogue;
      readonly sequences: SequenceSlab;
      readonly statistics: FeatureStatistics;
    },
    serving: Serving,
    windowMs: number,
  ) {
    this.#schema = state.catalogue.schema;
    this.#catalogue = state.catalogue;
    this.#sequences = state.sequences;
    this.#statistics = state.statistics;
    this.#serving = serving;
    this.#windowMs = windowMs;
  }

  /** The window of a user. */
  window(user: UserState): Window {
    const sequences = this.#sequences;
    const start = sequences.windowStart(user.row);
    const length = sequences.length(user.row) - start;
    const items: CatalogueItem[] = [];
    const strengths = new Float32Array(length);
    const seen = new Map<number, number>();
    for (let i = 0; i < length; i++) {
      const item = this.#catalogue.at(sequences.item(user.row, start + i));
      items.push(item);
      strengths[i] = sequences.strength(user.row, start + i);
      seen.set(item.index, (seen.get(item.index) ?? 0) + 1);
    }
    return { items, strengths, seen };
  }

  /** Scores items in the given order; they are not shown and have no positions yet. */
  score(user: UserState, ids: readonly string[], at: ListContext): Pending {
    const schema = this.#schema;
    const window = this.window(user);
    const facts = {
      statistics: user.statistics,
      historyLength: window.items.length,
      lastTime: this.#sequences.lastTime(user.row),
    };
    const items = ids.map((id) => this.#catalogue.intern(id, at.time));
    const userFields = fieldValues(schema.userFields, user.profile);
    const contextFields = contextValues(schema, at);
    const historyCategories = window.items.map((item) => item.categories);
    const rows = items.map((item) => {
      const numerics = this.#statistics.numerics(facts, item, at.time, window.seen.get(item.index) ?? 0);
      return {
        item: item.id,
        categories: item.categories,
        fields: item.fields,
        numerics,
        offset: numerics[0]!,
        position: -1,
      };
    });
    const logits = rows.length === 0 ? new Float32Array(0) : this.#serving.score({
      user: user.id,
      userFields,
      contextFields,
      history: {
        items: window.items.map((item) => item.id),
        categories: historyCategories,
        strengths: window.strengths,
      },
      rows,
    });
    return {
      request: at.request,
      shown: false,
      time: at.time,
      deadline: at.time + this.#windowMs,
      sequence: 0,
      version: this.#serving.version,
      newUser: this.#sequences.total(user.row) === 0,
      userFields,
      contextFields,
      historyItems: Uint32Array.from(window.items, (item) => item.index),
      historyCategories,
      historyStrengths: window.strengths,
      rows: rows.map((row, place) => ({
        item: items[place]!.index,
        categories: row.categories,
        fields: row.fields,
        numerics: row.numerics,
        offset: row.offset,
        logit: logits[place]!,
        label: null,
        position: 0,
        propensity: 1,
        oracle: NaN,
      })),
    };
  }

  /** The row at its place in the list: the position's first-order weight joins the prediction. */
  place(row: PendingRow, position: number, propensity: number): PendingRow {
    return { ...row, logit: row.logit + this.#serving.positionWeight(position), position, propensity };
  }

  /** The logit of a placed row without its position's weight. */
  unplacedLogit(row: PendingRow): number {
    return row.logit - this.#serving.positionWeight(row.position);
  }
}
