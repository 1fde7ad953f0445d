/**
 * Where requests wait for recommendations, and events for room: one pair per server, shared by its threads.
 *
 * @module
 */

import { isShared } from "../log/capabilities.ts";
import type { Log } from "../log/log.ts";
import { Recommender } from "../http/recommender.ts";
import { HTTP_LIMITS } from "../http/contract/limits.ts";
import { settle } from "../../src/options/option.ts";
import { Backlog } from "../http/backlog.ts";
import type { ApiContext } from "../http/context.ts";
import type { HttpSettings } from "../http/contract/settings.ts";

/** The queues of a server. Disposing ends the wait for recommendations. */
export interface Queues extends Pick<ApiContext, "recommender" | "backlog">, AsyncDisposable {}

export interface QueueOptions extends Pick<ApiContext, "topics" | "partitions" | "clock" | "isStopping"> {
  /** The log that the tasks currently read, and their number. @default {the log, one task per partition} */
  readonly following?: () => { readonly log: Log; readonly partitions: number };
}

/** Opens the queues. On a log that processes share, its brokers bound how far tasks fall behind. */
export function openQueues(
  log: Log,
  { topics, partitions, following = () => ({ log, partitions }), ...waiting }: QueueOptions,
  settings: HttpSettings,
): Queues {
  const { maxWaiting, maxBehind, answerTimeoutMs: timeoutMs } = settle(HTTP_LIMITS, settings);
  const recommender = new Recommender(log, topics, partitions, { timeoutMs, maxWaiting });
  return {
    recommender,
    backlog: isShared(log) ? undefined : new Backlog(following, topics, { maxBehind, ...waiting }),
    [Symbol.asyncDispose]: () => recommender[Symbol.asyncDispose](),
  };
}
