/**
 * A list that was scored: the logits of all its items at once, and the rest of what is to be remembered of an item when
 * somebody asks for it. Of 100 candidates 20 are shown.
 *
 * @module
 */

import type { InstanceRow } from "../features/instance.ts";
import { PRIOR_NUMERIC } from "../features/schema.ts";
import type { CatalogueItem } from "../items/catalogue.ts";
import type { Pending } from "../users/pending/pending.ts";
import { PendingRows } from "../users/pending/pending_rows.ts";

/** A row that is written again for each list. */
type ScratchRow = { -readonly [Field in keyof InstanceRow]: InstanceRow[Field] };

/** What models read of the items of one list at a time. */
export class ScratchRows {
  /** How many numeric features a row has. */
  readonly numerics: number;
  readonly #made: ScratchRow[] = [];
  readonly #taken: ScratchRow[] = [];
  #lists = 0;

  /** No rows yet. */
  constructor(numerics: number) {
    this.numerics = numerics;
  }

  /** How many lists there were. */
  get lists(): number {
    return this.#lists;
  }

  /** Rows to be filled, valid until others are taken. */
  take(count: number): readonly ScratchRow[] {
    this.#lists++;
    const made = this.#made, taken = this.#taken;
    while (made.length < count) {
      const numerics = new Float32Array(this.numerics);
      made.push({ item: "", categories: [], fields: [], numerics, offset: 0, position: -1 });
    }
    if (taken.length > count) taken.length = count;
    while (taken.length < count) taken.push(made[taken.length]!);
    return taken;
  }

  /** The row of an item of the newest list. */
  at(place: number): InstanceRow {
    return this.#taken[place]!;
  }
}

/** A scored list. Its rows can be had until its scorer scores another one. */
export class ScoredList {
  /** All but the rows. */
  readonly head: Omit<Pending, "rows">;
  /** The items in their order. */
  readonly items: readonly CatalogueItem[];
  /** Their logits by the model, which are frozen as predictions whoever orders. */
  readonly logits: Float64Array;
  /** What orders the items: these logits, as far as the model has proved itself, and those of the causal prior. */
  readonly ordering: Float64Array;
  /** Share of the model in that, in [0, 1]. */
  readonly share: number;
  readonly #rows: ScratchRows;
  readonly #list: number;

  /**
   * @param rows what the model has read
   * @param logits what it made of it; no number where it has run away, for which the prior stands in
   * @param share of the model in what orders the items
   */
  constructor(
    head: Omit<Pending, "rows">,
    items: readonly CatalogueItem[],
    rows: ScratchRows,
    logits: Float32Array,
    share = 1,
  ) {
    this.share = share;
    this.head = head;
    this.items = items;
    this.#rows = rows;
    this.#list = rows.lists;
    this.logits = new Float64Array(items.length);
    for (let c = 0; c < items.length; c++) {
      this.logits[c] = Number.isFinite(logits[c]) ? logits[c]! : rows.at(c).offset;
    }
    this.ordering = share === 1 ? this.logits : this.logits.map((logit, c) => {
      const prior = rows.at(c).numerics[PRIOR_NUMERIC]!;
      return prior + share * (logit - prior);
    });
  }

  /** Room for so many of its rows. */
  room(rows: number): PendingRows {
    return new PendingRows(rows, this.#rows.numerics);
  }

  /**
   * Adds what is to be remembered of an item to a list, with the logit that it has there.
   *
   * @returns Its row.
   * @throws Error when the scorer has scored another list since
   */
  addRow(to: PendingRows, place: number, logit: number): number {
    if (this.#rows.lists !== this.#list) {
      throw new Error("Cannot take a row of a scored list: its scorer has scored another one since");
    }
    return to.add(this.#rows.at(place), this.items[place]!.index, logit);
  }

  /** All of it, not placed. */
  pending(): Pending {
    const rows = this.room(this.items.length);
    for (let place = 0; place < this.items.length; place++) this.addRow(rows, place, this.logits[place]!);
    return { ...this.head, rows };
  }
}
