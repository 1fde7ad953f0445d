/** The context that the impressions of a user's record share when they are written and read. */

import type { Dictionary } from "../../codec/dictionary.ts";
import type { ListDictionary } from "../../codec/list_dictionary.ts";
import type { ItemFeatures } from "../../samples/rows.ts";
import type { SampleHistory } from "../../samples/sample.ts";
import type { StoredState } from "../states/stored_state.ts";

/** Behaviours of a user, oldest first. */
export interface Behaviours extends Pick<SampleHistory, "items" | "actions" | "times" | "strengths"> {
  /** How many there are; the columns may have room for more. */
  readonly length: number;
}

/** A history within the bytes of the record, `[start, end)`: the lists between two behaviours share it. */
export interface HistoryBytes {
  readonly history: SampleHistory;
  readonly start: number;
  readonly end: number;
}

/** Context for writing impressions: repeated ids and lists are written once. */
export interface Written {
  /** The number of an item in the record, assigned at its first use. */
  readonly numberOf: (index: number) => number;
  readonly strings: Dictionary;
  readonly lists: ListDictionary;
  /** The behaviours in the same record. */
  readonly behaviours: Behaviours;
  /** Collects states to be written: one that several impressions share, once. */
  readonly states: (StoredState | null)[];
  /** The history that was written last, if it refers to the behaviours. */
  last: HistoryBytes | null;
}

export interface Read {
  /** Features of the item with this number, with the categories and fields it had then. */
  readonly itemAt: (
    at: number,
    categories: readonly string[],
    fields: readonly (string | null)[],
  ) => ItemFeatures;
  readonly strings: (at: number) => string;
  readonly lists: (at: number) => readonly (string | null)[];
  /** The behaviours in the same record. */
  readonly behaviours: Behaviours;
  /** The states that {@linkcode Written} collected. */
  readonly states: readonly (StoredState | null)[];
  /** The history that was read last, if it refers to the behaviours. */
  last: HistoryBytes | null;
}
