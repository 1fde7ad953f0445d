/** What orders the candidates of a request, by its kind and the settings of the user's variant. */

import type { VariantSettings } from "../assignment/experiment.ts";
import type { RequestEvent } from "../events/event.ts";
import type { OrderedBy } from "../events/recommendation.ts";
import type { Stacked } from "../retrieval/stack/stack.ts";
import type { CandidateOrder } from "./ordering.ts";

/** Whether a request is for a list with an order of its own. */
export function hasOwnOrder({ list = "personal" }: RequestEvent): boolean {
  return list !== "personal";
}

/** Whether a request is for the best of all items for the user, not of given ones nor of those like an item. */
function isForUser(event: RequestEvent): boolean {
  const { candidates, item, like } = event;
  return candidates === undefined && item === undefined && like === undefined && !hasOwnOrder(event);
}

/** A request as a variant answers it: the variant may replace a personal list by one with an order of its own. */
export function asVariant(event: RequestEvent, { retrieval }: VariantSettings): RequestEvent {
  return isForUser(event) && retrieval?.list !== undefined ? { ...event, list: retrieval.list } : event;
}

/** What orders the candidates of a request. @param usual unless the user's variant sets it */
export function rankingOf(
  event: RequestEvent,
  { retrieval }: VariantSettings,
  usual: CandidateOrder,
): CandidateOrder {
  if (event.candidates !== undefined) return "model";
  return isForUser(event) ? retrieval?.ranking ?? usual : "blend";
}

/** How a list was ordered. */
export interface ListOrder {
  readonly ranking: CandidateOrder;
  /** The model's share in its logits. */
  readonly share: number;
  /** Which parts of the stack ordered; `null` = it did not. */
  readonly stacked: Stacked | null;
}

/** What ordered a list, in the words of a recommendation. */
export function orderedByOf(event: RequestEvent, { ranking, share, stacked }: ListOrder): OrderedBy {
  if (event.candidates === undefined && hasOwnOrder(event)) return "list";
  const [part = "blend", ...others] = ranking === "auto" ? stacked?.parts ?? [] : [ranking];
  if (others.length > 0 || part === "head" || part === "bank") return "stack";
  if (part !== "model" || share === 1) return part;
  return share === 0 ? "prior" : "mix";
}
