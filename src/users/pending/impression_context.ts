/**
 * What the impressions of a user's record share when they are written and read.
 *
 * @module
 */

import type { Dictionary } from "../../codec/dictionary.ts";
import type { ListDictionary } from "../../codec/list_dictionary.ts";
import type { ItemFeatures } from "../../samples/rows.ts";
import type { StoredState } from "../states/stored_state.ts";

/** Behaviours of a user, oldest first. */
export interface Behaviours {
  readonly length: number;
  /** Id of the item of one. */
  item(at: number): string;
  action(at: number): string;
  /** Event time. */
  time(at: number): number;
  strength(at: number): number;
}

/** Context for writing impressions: repeated ids and lists are written once. */
export interface Written {
  /** Number of an item, which it has from now on. */
  readonly numberOf: (index: number) => number;
  readonly strings: Dictionary;
  readonly lists: ListDictionary;
  /** Those of the same record. */
  readonly behaviours: Behaviours;
  /** Gets the states; one that several impressions share is written once. */
  readonly states: (StoredState | null)[];
}

/** Context for reading impressions. */
export interface Read {
  /** Features of the item of a number, with the categories and fields of that time. */
  readonly itemAt: (
    at: number,
    categories: readonly string[],
    fields: readonly (string | null)[],
  ) => ItemFeatures;
  readonly strings: (at: number) => string;
  readonly lists: (at: number) => readonly (string | null)[];
  /** Those of the same record. */
  readonly behaviours: Behaviours;
  /** Those that {@linkcode Written} got. */
  readonly states: readonly (StoredState | null)[];
}
