/** Contestants on the leaderboard besides the configured engine: its blend, and its own sources, each alone. */

import type { TaskState } from "../../src/engine/task_state.ts";
import type { RequestEvent } from "../../src/events/event.ts";
import type { Source } from "../../src/retrieval/sources/source.ts";
import { findCandidates } from "../../src/scorer/candidates.ts";

/**
 * The list of a source alone, best first. Call it right after a request, whose inputs the source still holds.
 *
 * @param may Whether an item of the catalogue, by its index, may be on the list
 */
export function listOfSource(
  { catalogue }: TaskState,
  source: Source,
  count: number,
  may: (index: number) => boolean,
): readonly string[] {
  const items = source.propose(count, may);
  const scores = new Float64Array(items.length);
  if (!(source.score(items, scores) > 0)) return [];
  const order = items.map((_, n) => n).filter((n) => scores[n]! > 0);
  order.sort((a, b) => scores[b]! - scores[a]! || catalogue.compare(items[a]!, items[b]!));
  return order.slice(0, count).map((n) => catalogue.at(items[n]!).id);
}

/** The list of the blend alone, best first. @param request one that was just answered */
export function listOfBlend(task: TaskState, request: RequestEvent): readonly string[] {
  const { candidates } = findCandidates(task, task.users.get(request.user)!, request, {
    frequency: null, // nothing that the protocol lists was shown
    most: request.count,
    stacked: false,
    itemOf: (id) => task.item(id, request.time),
  });
  return candidates.map(({ item }) => item.id);
}
