/** Options of retrieval. */

import { absent, count, flag, type OptionsOf, share } from "../options/option.ts";
import { ITEM_LISTS_OPTIONS, type ItemListsOptions } from "./items/item_lists.ts";
import { type CandidateSourceOptions, SOURCE_OPTIONS } from "./sources/parts.ts";

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
   * or of the same category. Turn it off if requests always name candidates: it is most of the cost of a behaviour.
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
   * Whether a pair head, learnt from behaviours alone, rescores the best candidates if the order is `auto`. In a
   * configuration it is on by default, unless another order is set. @default {false}
   */
  readonly head?: boolean | undefined;
}

/** The options of {@linkcode RetrievalOptions} that a configuration may set. */
export const RETRIEVAL_OPTIONS = {
  ...ITEM_LISTS_OPTIONS,
  maxCandidates: count(100, "most candidates of a request"),
  newShare: share(
    0.1,
    "share of them reserved for items that no other source proposes: half the newest, half random",
  ),
  learn: flag(
    true,
    "whether sources learn from behaviours; `false` if every request names candidates",
  ),
  shared: flag(
    true,
    "whether each task learns from the users of all partitions, by the topic `signals`",
  ),
  head: flag(
    absent("whether `ranking` is `auto`", true),
    "whether, with `ranking: auto`, the pair head rescores the best candidates; see [retrieval](../explanation/retrieval.md#the-pair-head)",
  ),
  ...SOURCE_OPTIONS,
} satisfies OptionsOf<Omit<RetrievalOptions, "listSizes">>;
