/** A record that is either an event or an item. */

import type { Event, ItemRecord } from "./event.ts";

/** A checked event or item; of a removed item, only the id and the time count. */
export type OwnRecord =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "item"; readonly item: ItemRecord; readonly isRemoved?: true };
