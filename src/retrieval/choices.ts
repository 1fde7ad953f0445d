/**
 * Learns from what users take: before a wanted behaviour is applied, candidates are gathered as for a request, and
 * blend, stack and pair head learn which of them was taken.
 *
 * @module
 */

import { hash32 } from "../draws/random.ts";
import type { CatalogueItem } from "../items/catalogue.ts";
import type { Preference } from "../samples/preference.ts";
import type { UserState } from "../users/user_state.ts";
import type { Gatherer } from "./gatherer.ts";
import type { Orders } from "./orders.ts";
import type { Past } from "./past.ts";
import { EAGER_STEPS, EVERY_BEFORE_REQUESTS } from "./retrieval_options.ts";
import type { RetrievalState } from "./retrieval_state.ts";
import type { Returns } from "./signals/returns.ts";
import type { SourceCounts } from "./source_counts.ts";

export interface ChoicesParts {
  readonly state: RetrievalState;
  readonly past: Past;
  readonly returns: Returns;
  readonly gatherer: Gatherer;
  readonly orders: Orders;
  /** Counts which sources had proposed the item that was taken. */
  readonly counts: SourceCounts;
  /** After many steps, one wanted behaviour in this many makes another. */
  readonly learnEvery: number;
}

/** Learns from what users choose. */
export class Choices {
  readonly #with: ChoicesParts;

  constructor(parts: ChoicesParts) {
    this.#with = parts;
  }

  /** One wanted behaviour in this many makes a step: few before the first request, then all, later fewer again. */
  get #every(): number {
    const { state: { hasRequests, blend }, learnEvery } = this.#with;
    return hasRequests
      ? Math.min(learnEvery, 2 ** Math.floor(blend.steps / EAGER_STEPS))
      : EVERY_BEFORE_REQUESTS;
  }

  /** Learns from an item that was taken, if a step is due. @returns The preference for the pair head */
  learn(user: UserState, item: CatalogueItem, time: number): Preference | null {
    const draw = drawOf(user, item, time);
    // Not every n-th one, which would always hit the same kind of event where kinds alternate.
    if (draw % this.#every !== 0) return null;
    const { state, past, returns, gatherer, orders, counts } = this.#with;
    const context = past.context(user, time);
    const excluded = returns.expected ? new Uint32Array() : past.items(user, time);
    if (excluded.includes(item.index) || past.hadBefore(user, item)) return null;
    const allowed = (other: CatalogueItem) =>
      !other.withheld && other.expires > time && !past.hadBefore(user, other);
    const request = { user, context, time, excluded, allowed };
    const features = gatherer.gather(request, true);
    const place = gatherer.placeOf(item.index);
    counts.countTaken(gatherer.proposersOf(item.index));
    if (place < 0) return null;
    // First, since it uses the blend's scores from before this step.
    const preference = orders.learn({ request, features, place, draw });
    state.learnBlend(features, place);
    return preference;
  }
}

/** 32 bits that depend on the behaviour alone. */
function drawOf(user: UserState, item: CatalogueItem, time: number): number {
  return hash32(`${user.id}\0${item.id}\0${time}`);
}
