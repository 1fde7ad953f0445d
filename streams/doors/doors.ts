/** Doors: the HTTP calls of other systems, so that their clients work with another address. */

import type { Endpoint } from "../http/endpoint.ts";
import type { ApiContext } from "../http/context.ts";
import type { HttpSettings } from "../http/contract/settings.ts";
import type { ItemMirror } from "../http/routes/item_mirror.ts";
import { gorseEndpoints } from "./gorse.ts";
import { metarankEndpoints } from "./metarank.ts";

/** The endpoints of the doors that the settings open. */
export function doorEndpoints(
  context: ApiContext,
  { doors = [], gorse }: HttpSettings,
  items: ItemMirror,
): readonly Endpoint[] {
  return [
    ...(doors.includes("gorse") ? gorseEndpoints(context, items, gorse) : []),
    ...(doors.includes("metarank") ? metarankEndpoints(context) : []),
  ];
}
