/**
 * Candidates for a request that names none. Many cheap sources propose items, a blend learnt from the log ranks them,
 * and the best `maxCandidates` go on to the model.
 *
 * ```text
 *   behaviour ─▶ neighbours, linear items, sessions, transitions, trends, popularity      every signal, in order
 *             └▶ blend: which candidate was taken?                                        a share of the wanted ones
 *   request   ─▶ sources propose ─▶ union ─▶ blend ─▶ best maxCandidates, some of them new items
 * ```
 *
 * Everything except the bank and the head, which come with versions of the parameters, is a fold over the task's
 * behaviours: same events, same candidates, even after a crash (see `retrieval_state.ts`). What the blend learns about
 * the bank depends on which version was live.
 */

import { settle } from "../options/option.ts";
import type { CatalogueItem } from "../items/catalogue.ts";
import type { Preference } from "../samples/preference.ts";
import type { UserState } from "../users/user_state.ts";
import { Blend } from "./blend.ts";
import { ARRIVALS, Arrivals, FLOOD } from "./signals/arrivals.ts";
import { Choices } from "./choices.ts";
import { type CandidateOptions, Finder, type OrderedCandidates } from "./finder.ts";
import { ContextBuffer, repeatWeight } from "./signals/context.ts";
import { Gatherer, GROUPS, type RetrievalView } from "./gatherer.ts";
import { PairLists } from "./head/pair_lists.ts";
import { PROPERTIES } from "./properties.ts";
import type { CandidateRequest } from "./signals/candidate_request.ts";
import { createSources } from "./sources/registry.ts";
import { type Counts, durable, type SignalFold, type Source } from "./sources/source.ts";
import { type SourceParts, sourceParts } from "./sources/parts.ts";
import { ItemLists } from "./items/item_lists.ts";
import { OCCASION_KINDS } from "./folds/occasions.ts";
import { BestPlaces } from "./best_places.ts";
import { OrderingState } from "./ordering_state.ts";
import { Orders } from "./orders.ts";
import { Past } from "./past.ts";
import { RETRIEVAL_OPTIONS, type RetrievalOptions } from "./retrieval_options.ts";
import { RetrievalState } from "./retrieval_state.ts";
import type { Pace } from "./items/pace.ts";
import { SignalFolds } from "./signal_folds.ts";
import { LEARNT_CONTEXT, type Signal } from "./signals/signal.ts";
import { SourceCounts } from "./source_counts.ts";

/** A behaviour that is not yet in the user's sequence. */
export interface NewBehaviour {
  readonly user: UserState;
  readonly item: CatalogueItem;
  readonly action: string;
  /** Event time, not later than the partition's clock. */
  readonly time: number;
  readonly strength: number;
  /** Whether recommendations aim at such behaviours: blend and pair head learn only from these. */
  readonly wanted: boolean;
}

/** Retrieves candidates, and learns from behaviours which ones users take. */
export class Retrieval {
  /** Lists of popular and new items. */
  readonly lists: ItemLists;
  /** Most candidates per request. */
  readonly maxCandidates: number;
  readonly sources: readonly Source[];
  /** How much each source has contributed since the process began. */
  readonly sourceCounts: SourceCounts;
  /** Everything that is learnt, durable with the task. */
  readonly state: RetrievalState;
  /** The part of it that orders candidates. */
  readonly ordering: OrderingState;
  readonly #view: RetrievalView;
  readonly #learns: boolean;
  /** Reads users' earlier behaviours. */
  readonly past: Past;
  /** Orders the best candidates under `ranking: "auto"`. */
  readonly orders: Orders;
  readonly #finder: Finder;
  readonly #choices: Choices;
  readonly parts: SourceParts;
  /** Scratch: the behaviours before the one that is learnt. */
  readonly #before = new ContextBuffer(LEARNT_CONTEXT);

  /** Retrieval over a task's items and users that has learnt nothing. */
  constructor(view: RetrievalView, options: RetrievalOptions = {}) {
    this.#view = view;
    this.lists = new ItemLists(view.catalogue, options);
    const settled = settle(RETRIEVAL_OPTIONS, options);
    this.maxCandidates = settled.maxCandidates;
    this.#learns = settled.learn;
    const { catalogue } = view;
    const parts = this.parts = sourceParts(catalogue, this.lists, settled, () => view.models?.bank ?? null);
    const sources = this.sources = createSources(parts);
    const counts = this.sourceCounts = new SourceCounts(sources);
    const blend = new Blend([...sources, ...PROPERTIES], GROUPS);
    const { pooled = null } = view;
    const [arrivals, flood] = [new Arrivals(ARRIVALS), new Arrivals(FLOOD)];
    // The pace advances before anything is counted.
    const learning = settled.learn
      ? [paceFold(parts.pace), ...sources, foldOf(parts.occasions), foldOf(arrivals), foldOf(flood)]
      : [];
    const folds = [...learning, ...(pooled === null ? [] : [foldOf(pooled)])];
    const ordering = this.ordering = new OrderingState(blend, parts.returns);
    this.state = new RetrievalState({
      catalogue,
      folds: new SignalFolds({ catalogue, lists: this.lists, folds }),
      ordering,
    });
    const { lists, maxCandidates } = this;
    const gatherer = new Gatherer(view, sources, parts, maxCandidates);
    const best = new BestPlaces(catalogue);
    const past = this.past = new Past(view.sequences, parts.returns);
    // The head reads no occasions: the blend's score covers them, and the head sees too few lists to do better.
    const pairLists = options.head === true ? new PairLists(parts, gatherer.names, OCCASION_KINDS) : null;
    const shared = { view, ordering, past, gatherer, best, maxCandidates };
    const orders = this.orders = new Orders({ ...shared, pairLists });
    this.#finder = new Finder({ ...shared, sources, blend, lists, orders, newShare: settled.newShare });
    const { returns } = parts;
    this.#choices = new Choices({ ...shared, catalogue, arrivals, flood, returns, orders, counts });
  }

  /** Whether items of the user's behaviours may be recommended again now. */
  get revisits(): boolean {
    return this.parts.returns.expected;
  }

  /** Whether lists leave out such items now, or may do so later, so that they have to be remembered. */
  get leavesOut(): boolean {
    return this.parts.returns.learns || !this.revisits;
  }

  /**
   * Learns from a behaviour, before it is in the user's sequence.
   *
   * @returns The preference that the pair head learns from; `null` if there is none
   */
  learn(behaviour: NewBehaviour): Preference | null {
    const { user, item, time, wanted } = behaviour;
    const preference = this.#learns && wanted ? this.#choices.learn(user, item, time) : null;
    if (this.#learns || this.#isDetailed) this.state.learn(this.#signalOf(behaviour));
    if (this.#learns && wanted) this.#learnReturn(behaviour);
    return preference;
  }

  /** Whether signals have details, from which the pooled pairs learn. */
  get #isDetailed(): boolean {
    return (this.#view.pooled ?? null) !== null;
  }

  #signalOf({ user, item, time, strength, wanted }: NewBehaviour): Signal {
    const context = this.#before;
    this.#view.sequences.newest(user.row, time, context);
    const from = context.size === 0 ? undefined : this.#view.catalogue.at(context.items[0]!).categories[0];
    const to = item.categories[0];
    const step = from === undefined || to === undefined ? null : [from, to] as const;
    const detail = this.#isDetailed ? { strength: Math.fround(strength), category: to ?? null } : undefined;
    return { user: user.id, item: item.index, time, liked: strength > 0, wanted, context, step, detail };
  }

  /** Learns whether people return to items. */
  #learnReturn({ user, item, action }: NewBehaviour): void {
    const before = this.#view.sequences.total(user.row);
    if (!this.parts.returns.learns || before === 0) return;
    this.ordering.learnReturn(this.past.did(user, action, item), before);
  }

  /** Counts a positive of an item, for this task and the others. A repeat counts less: it is dated back. */
  raise(user: UserState, item: CatalogueItem, time: number): void {
    const context = this.#before;
    this.#view.sequences.newest(user.row, time, context);
    const counted = time + Math.round(this.lists.halfLifeMs * Math.log2(repeatWeight(context, item.index)));
    this.lists.raise(item, counted);
    this.state.raised(item.index, counted);
  }

  /** The best candidates, best first. */
  candidates(request: CandidateRequest, options?: CandidateOptions): OrderedCandidates {
    return this.#finder.find(request, options);
  }

  /** The best of a list that is the same for everybody, at most `maxCandidates`. */
  listed(list: "popular" | "trending" | "new", allowed: (item: CatalogueItem) => boolean): CatalogueItem[] {
    const named = this.sources.find(({ name }) => name === list);
    const items = list === "new" ? this.lists.fresh() : named?.list?.() ?? [];
    return Array.from(items, (index) => this.#view.catalogue.at(index)).filter(allowed)
      .slice(0, this.maxCandidates);
  }
}

function paceFold(pace: Pace): SignalFold {
  return {
    ...foldOf(pace),
    // Older states, and the items' own records with them, have counts by event time.
    catchUp: (begins) => pace.catchUp(begins),
  };
}

function foldOf(counts: Counts & { readonly name: string; learn(signal: Signal): void }): SignalFold {
  return { name: counts.name, learn: (signal) => counts.learn(signal), ...durable(counts) };
}
