/**
 * What sources are made of, with nothing learnt.
 *
 * @module
 */

import type { Catalogue } from "../../items/catalogue.ts";
import type { ItemLists } from "../items/item_lists.ts";
import { settle } from "../../options/option.ts";
import { Neighbours, NEIGHBOURS_OPTIONS, type NeighboursOptions } from "./neighbours.ts";
import { PairScores } from "./pair_scores.ts";
import type { SessionsOptions } from "./sessions.ts";
import type { SourceParts } from "./source.ts";
import { Trends } from "../items/trends.ts";

/** Options of {@linkcode sourceParts}. */
export interface SourcePartsOptions {
  /** Which items go together. */
  readonly neighbours: NeighboursOptions;
  /** Sessions like the user's. */
  readonly sessions: SessionsOptions;
  /** Half-life of what is in demand now, milliseconds of event time. */
  readonly trendHalfLifeMs: number;
  /** Whether what the user had already may come again. */
  readonly revisits: boolean;
  /** The bank of the served version. @default {none} */
  readonly bank?: SourceParts["bank"];
}

/** Parts over a catalogue and its lists. */
export function sourceParts(
  catalogue: Catalogue,
  lists: ItemLists,
  { neighbours: options, sessions, trendHalfLifeMs, revisits, bank = () => null }: SourcePartsOptions,
): SourceParts {
  const neighbours = new Neighbours(options);
  const { bytes, halfLifeMs } = settle(NEIGHBOURS_OPTIONS, options);
  const byId = (a: number, b: number) => catalogue.compare(a, b);
  return {
    catalogue,
    lists,
    neighbours,
    sessions,
    revisits,
    bank,
    pairs: new PairScores(neighbours, catalogue),
    trends: new Trends(trendHalfLifeMs, byId),
    hour: new Trends(trendHalfLifeMs / 24, byId),
    followerBytes: bytes / 4,
    pairHalfLifeMs: halfLifeMs,
  };
}
