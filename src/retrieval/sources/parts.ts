/** The parts that sources share, and their options. */

import type { ServedBank } from "../../bank/served_bank.ts";
import type { Catalogue } from "../../items/catalogue.ts";
import { absent, flag, group, type OptionsOf, positive } from "../../options/option.ts";
import type { ItemLists } from "../items/item_lists.ts";
import { Occasions } from "../folds/occasions.ts";
import { Trends } from "../items/trends.ts";
import { Returns } from "../signals/returns.ts";
import { Neighbours, NEIGHBOURS_OPTIONS, type NeighboursOptions } from "../folds/neighbours.ts";
import { PairScores } from "../folds/pair_scores.ts";
import type { Pace } from "../items/pace.ts";
import { SESSIONS_OPTIONS, type SessionsOptions } from "../folds/sessions.ts";

/** Options of sources. */
export interface CandidateSourceOptions {
  /** Whether items of the user's behaviours may be recommended again. @default {if people return to items} */
  readonly revisits?: boolean | undefined;
  /** Half-life of trends, milliseconds of the stream's time (`pace.ts`). @default {86400000} */
  readonly trendHalfLifeMs?: number | undefined;
  /** Counts of items that occur together. */
  readonly neighbours?: NeighboursOptions | undefined;
  /** Sessions like the user's. */
  readonly sessions?: SessionsOptions | undefined;
}

export const SOURCE_OPTIONS = {
  revisits: flag(
    absent<boolean | undefined>("if people return to items", undefined),
    "whether items that the user already had may be recommended again",
  ),
  trendHalfLifeMs: positive(86_400_000, "half-life of trends, in the stream's time"),
  neighbours: group(NEIGHBOURS_OPTIONS),
  sessions: group(SESSIONS_OPTIONS),
} satisfies OptionsOf<CandidateSourceOptions>;

export interface SettledCandidateSourceOptions extends CandidateSourceOptions {
  readonly trendHalfLifeMs: number;
  readonly neighbours: NeighboursOptions;
  readonly sessions: SessionsOptions;
}

/** The parts that several sources read; a part that only one source needs is made by it from `options`. */
export interface SourceParts {
  readonly catalogue: Catalogue;
  /** Popular items, overall and by category; moved to the time of the request before sources are asked. */
  readonly lists: ItemLists;
  /** How fast the stream runs. */
  readonly pace: Pace;
  /** Whether lists may contain items that the user already had. */
  readonly returns: Returns;
  /** Counts of items that occur together. */
  readonly neighbours: Neighbours;
  /** Scores by these counts for a request. */
  readonly pairs: PairScores;
  /** Items in demand now. */
  readonly trends: Trends;
  /** On which occasions items are taken. */
  readonly occasions: Occasions;
  /** The bank of the served version; `null` if there is none. */
  readonly bank: () => ServedBank | null;
  readonly options: SettledCandidateSourceOptions;
}

/** Parts over a catalogue and its lists that have learnt nothing. */
export function sourceParts(
  catalogue: Catalogue,
  lists: ItemLists,
  options: SourceParts["options"],
  bank: SourceParts["bank"] = () => null,
): SourceParts {
  const { pace } = lists;
  const neighbours = new Neighbours(options.neighbours, pace);
  return {
    catalogue,
    lists,
    pace,
    returns: new Returns(options.revisits),
    neighbours,
    pairs: new PairScores(neighbours, catalogue),
    trends: new Trends(options.trendHalfLifeMs, (a, b) => catalogue.compare(a, b), pace),
    occasions: new Occasions(pace),
    bank,
    options,
  };
}
