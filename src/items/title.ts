/** The name of an item for people. */

import type { ItemRecord } from "../events/event.ts";
import { attributeOf } from "../features/schema.ts";

/** Most characters kept of a title: it only has to tell items apart. */
const MOST = 60;
/** Replaced by one space: white space, control characters, and characters that change the direction of text. */
const BLANK = /[\s\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu;

/**
 * The title of an item: that of its record, else its attribute `title` or `name`; `null` if it has none. A long
 * title is cut.
 */
export function titleOf({ title, attributes = {} }: Pick<ItemRecord, "title" | "attributes">): string | null {
  const texts = [title, attributeOf(attributes, "title"), attributeOf(attributes, "name")];
  const [found] = texts.map((text) => typeof text === "string" ? text.replaceAll(BLANK, " ").trim() : "")
    .filter((text) => text !== "");
  if (found === undefined) return null;
  const characters = [...found];
  return characters.length <= MOST ? found : `${characters.slice(0, MOST - 1).join("")}…`;
}
