/**
 * Events and items together.
 *
 * @module
 */

import type { Event, ItemRecord } from "./event.ts";

/** An event or an item that was checked; of an item that is removed only its id and the time count. */
export type OwnRecord =
  | { readonly kind: "event"; readonly event: Event }
  | { readonly kind: "item"; readonly item: ItemRecord; readonly isRemoved?: true };
