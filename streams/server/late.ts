/** Answers a request whose time budget has run out. */

import { getLogger } from "@logtape/logtape";
import type { RequestEvent } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import { reasonOf } from "../../src/values/reason.ts";
import { partitionOf } from "../log/partitioner.ts";
import { type ApiContext, append } from "../http/context.ts";
import { Problem } from "../http/contract/problem.ts";
import { impressionRecords } from "../http/impression.ts";

/** Score and propensity of items that were not scored. */
const UNSCORED = { score: 0, propensity: 1 };

const logger = getLogger(["meander", "http"]);

/**
 * Makes a list without a model: the given candidates in their order, or popular items, filtered as usual. The task
 * answers, too, and would assume that its own list was shown; an impression event names the list that really was.
 *
 * @throws Problem `answer-timeout` when this process has no state
 */
export async function withoutModel(
  context: Omit<ApiContext, "withoutModel">,
  event: RequestEvent,
): Promise<Recommendation> {
  const { service, partitions } = context;
  const [any] = service?.tasks.values() ?? [];
  const task = service?.tasks.get(partitionOf(event.user, partitions)) ?? any;
  if (task === undefined) {
    const detail =
      "The time budget has run out, and this process has no state to answer from; the request is on the log";
    throw new Problem("answer-timeout", detail, { headers: { "retry-after": "1" } });
  }
  const { request, user, time, count } = event;
  const { state } = task;
  const found = await task.users.peek(user, (known) => state.lists.withoutModel(known, event)) ??
    state.lists.withoutModel(null, event);
  const items = found.items.slice(0, count);
  const answer: Recommendation = {
    request,
    user,
    time,
    model: "none",
    version: 0,
    stateVersion: 0,
    tookMicros: 0,
    degraded: "late",
    empty: found.empty,
    items: items.map(({ item, source }, position) => ({ item, position, source, ...UNSCORED })),
  };
  const shown = impressionRecords(context, answer, items.map(({ item }) => item));
  if (shown.length > 0) {
    append(context, shown).catch((error) =>
      logger.warn("cannot record what was shown for request {request}: {reason}", {
        request,
        reason: reasonOf(error),
      })
    );
  }
  context.metrics.degraded("late");
  return answer;
}
