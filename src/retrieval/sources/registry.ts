/** All sources. A new source needs its file and a line here. */

import { CATEGORY, NEXT_CATEGORY } from "./category.ts";
import { LIKE_SESSIONS } from "./like_sessions.ts";
import { LINEAR } from "./linear_items.ts";
import { CO_VISITED, SAME_PAGE, TOGETHER_LIKED } from "./pairs.ts";
import { FOLLOWS } from "./followers.ts";
import { NEXT } from "./next.ts";
import { POPULAR, THIS_HOUR, TRENDING } from "./popular.ts";
import { RE_VISIT } from "./revisit.ts";
import type { SourceParts } from "./parts.ts";
import type { Source, SourceKind } from "./source.ts";

/** All sources, in the order in which they propose and learn. */
export const SOURCES: readonly SourceKind[] = [
  CO_VISITED,
  SAME_PAGE,
  TOGETHER_LIKED,
  FOLLOWS,
  LINEAR,
  LIKE_SESSIONS,
  CATEGORY,
  NEXT_CATEGORY,
  POPULAR,
  TRENDING,
  THIS_HOUR,
  RE_VISIT,
  NEXT,
];

export const SOURCE_NAMES: readonly string[] = SOURCES.map(({ name }) => name);

/** Sources that have learnt nothing. */
export function createSources(parts: SourceParts, kinds: readonly SourceKind[] = SOURCES): readonly Source[] {
  return kinds.map(({ create, ...fields }) => ({ ...fields, ...create(parts) }));
}
