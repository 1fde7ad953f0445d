/**
 * Options of retrieval, and how eagerly it learns.
 *
 * @module
 */

import { count, flag, type OptionsOf, share, switchOf } from "../options/option.ts";
import { ITEM_LISTS_OPTIONS, type ItemListsOptions } from "./items/item_lists.ts";
import { type CandidateSourceOptions, SOURCE_OPTIONS } from "./sources/parts.ts";

/** Steps of the blend from all behaviours, from every second, from every fourth, ... */
export const EAGER_STEPS = 2000;
/** Before candidates were ever requested it learns from one wanted behaviour in this many. */
export const UNASKED_EVERY = 64;
/** The head learns from all wanted behaviours among so many behaviours, then from 1/2 after twice, 1/3 after three times as many, ... */
export const EAGER_SIGNALS = 32_768;

/** Options of the pair head, see `pair_head.ts`. */
export interface HeadOptions {
  /**
   * It learns from one wanted behaviour in this many, which ones is drawn; each costs as much as a request. After
   * n · {@linkcode EAGER_SIGNALS} behaviours from one in n times as many. @default {1}
   */
  readonly every?: number | undefined;
}

/** The options of {@linkcode HeadOptions}. */
export const HEAD_OPTIONS = {
  every: count(1, "the pair head learns from one wanted behaviour in so many at first, then from fewer"),
} satisfies OptionsOf<HeadOptions>;

/** Options of `Retrieval`. */
export interface RetrievalOptions extends ItemListsOptions, CandidateSourceOptions {
  /** Most candidates per request. @default {100} */
  readonly maxCandidates?: number | undefined;
  /**
   * Share of candidates reserved for exploration, in [0, 1]: half for the newest items, half for a draw from the
   * catalogue. @default {0.1}
   */
  readonly newShare?: number | undefined;
  /**
   * Whether co-visits, linear items, sessions, transitions and trends learn. Without them candidates are popular, new,
   * or of the same category. Turn it off where requests always name candidates: it is most of the cost of a behaviour.
   *
   * @default {true}
   */
  readonly learn?: boolean | undefined;
  /**
   * Whether it also learns from users of other partitions; see `docs/decisions/0012-signals-reach-every-task.md`. No
   * effect with one partition. @default {true}
   */
  readonly shared?: boolean | undefined;
  /**
   * The blend learns from one wanted behaviour in this many; a step costs as much as a request. It starts with all, and
   * halves their share after each {@linkcode EAGER_STEPS} steps. @default {16}
   */
  readonly learnEvery?: number | undefined;
  /** Orders the best candidates once more, by what behaviours alone have taught. @default {false} */
  readonly head?: boolean | HeadOptions | undefined;
}

/** The options of {@linkcode RetrievalOptions} that stand in a configuration. */
export const RETRIEVAL_OPTIONS = {
  ...ITEM_LISTS_OPTIONS,
  maxCandidates: count(100, "candidates a request gets"),
  newShare: share(0.1, "share of them that is kept for the newest items and, half of it, for drawn ones"),
  learn: flag(
    true,
    "whether the sources that learn item by item do; `false` when every request names candidates",
  ),
  shared: flag(
    true,
    "whether each task learns from the users of all partitions, by the topic `signals`",
  ),
  learnEvery: count(16, "the blend learns from every so many wanted behaviours; from all at first"),
  head: switchOf(
    HEAD_OPTIONS,
    false,
    "whether the best candidates are ordered by what behaviours alone teach; see [retrieval](../explanation/retrieval.md#the-pair-head)",
  ),
  ...SOURCE_OPTIONS,
} satisfies OptionsOf<Omit<RetrievalOptions, "listSizes">>;
