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

/** What an impression is written with: ids and lists that are there more than once are written once. */
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

/** What an impression is read with. */
export interface Read {
  /** The item of a number, as it was when it had these categories and fields. */
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
