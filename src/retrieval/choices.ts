/**
 * Learns from what users take: before a wanted behaviour is applied, candidates are gathered as for a request, and
 * blend, stack and pair head learn which of them was taken.
 */

import { hash32 } from "../draws/random.ts";
import type { Catalogue, CatalogueItem } from "../items/catalogue.ts";
import type { Preference } from "../samples/preference.ts";
import type { UserState } from "../users/user_state.ts";
import type { Gatherer } from "./gatherer.ts";
import type { OrderingState } from "./ordering_state.ts";
import type { Orders } from "./orders.ts";
import type { Past } from "./past.ts";
import type { Arrivals } from "./signals/arrivals.ts";
import type { Returns } from "./signals/returns.ts";
import type { SourceCounts } from "./source_counts.ts";

/** Every so many steps, the share of wanted behaviours that make a step is halved. */
const EAGER_STEPS = 2000;
/** Before the first request for candidates, one wanted behaviour in this many makes a step. */
const EVERY_BEFORE_REQUESTS = 64;
/** Finally, one in this many does; where few arrive, {@linkcode SLOW_FACTOR} times as many at every stage. */
const LEARN_EVERY = 16;
const SLOW_FACTOR = 4;
/** Steps per second of event time up to which few arrive: a step takes as long as a request. */
const FEW_PER_SECOND = 0.5;
/** About the most steps per second of event time, since behaviours are drawn: in a flood, more would leave no time for requests. */
const MOST_PER_SECOND = 12;

export interface ChoicesParts {
  readonly catalogue: Catalogue;
  readonly ordering: OrderingState;
  /** How fast wanted behaviours have arrived for some time. */
  readonly arrivals: Arrivals;
  /** How fast they arrive just now. */
  readonly flood: Arrivals;
  readonly past: Past;
  readonly returns: Returns;
  readonly gatherer: Gatherer;
  readonly orders: Orders;
  /** Counts which sources had proposed the item that was taken. */
  readonly counts: SourceCounts;
}

/** Learns from what users choose. */
export class Choices {
  readonly #with: ChoicesParts;

  constructor(parts: ChoicesParts) {
    this.#with = parts;
  }

  /**
   * One wanted behaviour in this many makes a step: few before the first request, then all, later fewer again. Where
   * few arrive, {@linkcode SLOW_FACTOR} times as many, as long as they are no more than {@linkcode FEW_PER_SECOND};
   * where very many do, no more than {@linkcode MOST_PER_SECOND}.
   */
  #every(time: number): number {
    const { ordering: { hasRequests, blend: { steps } }, arrivals, flood } = this.#with;
    const bearable = Math.ceil(flood.perSecond(time) / MOST_PER_SECOND);
    if (!hasRequests) return Math.max(EVERY_BEFORE_REQUESTS, bearable);
    const usual = Math.min(LEARN_EVERY, 2 ** Math.floor(steps / EAGER_STEPS));
    const affordable = Math.ceil(arrivals.perSecond(time) / FEW_PER_SECOND);
    return Math.max(1, usual / SLOW_FACTOR, Math.min(usual, affordable), bearable);
  }

  /** Learns from an item that was taken, if a step is due. @returns The preference for the pair head */
  learn(user: UserState, item: CatalogueItem, time: number): Preference | null {
    const draw = drawOf(user, item, time);
    // By a hash, not every n-th: where kinds of events alternate, that would always pick the same kind.
    if (draw % this.#every(time) !== 0) return null;
    const { catalogue, ordering, past, returns, gatherer, orders, counts } = this.#with;
    const context = past.context(user, time);
    const excluded = returns.expected ? new Uint32Array() : past.items(user, time);
    if (excluded.includes(item.index) || past.hadBefore(user, item)) return null;
    const allowed = (other: CatalogueItem) =>
      catalogue.offers(other) && other.expires > time && !past.hadBefore(user, other);
    const request = { user, context, time, excluded, allowed };
    gatherer.propose(request, true);
    const place = gatherer.placeOf(item.index);
    counts.countTaken(gatherer.proposersOf(item.index));
    if (place < 0) return null;
    const features = gatherer.features(request);
    // First, since it uses the blend's scores from before this step.
    const preference = orders.learn({ request, features, place, draw });
    ordering.learnBlend(features, place);
    return preference;
  }
}

/** 32 bits that depend on the behaviour alone. */
function drawOf(user: UserState, item: CatalogueItem, time: number): number {
  return hash32(`${user.id}\0${item.id}\0${time}`);
}
