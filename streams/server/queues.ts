/**
 * Where those wait who ask for answers or send events: there is one of it behind a server, whatever thread they are in.
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

/** Who waits, and for what. Disposing ends the wait for answers. */
export interface Queues extends Pick<ApiContext, "recommender" | "backlog">, AsyncDisposable {}

/** Opens one. How far tasks fall behind on a log that processes share is for its brokers to bound. */
export function openQueues(
  log: Log,
  { topics, partitions, ...waiting }: Pick<ApiContext, "topics" | "partitions" | "clock" | "isStopping">,
  settings: HttpSettings,
): Queues {
  const { maxWaiting, maxBehind, answerTimeoutMs: timeoutMs } = settle(HTTP_LIMITS, settings);
  const recommender = new Recommender(log, topics, partitions, { timeoutMs, maxWaiting });
  return {
    recommender,
    backlog: isShared(log) ? undefined : new Backlog(log, topics, partitions, { maxBehind, ...waiting }),
    [Symbol.asyncDispose]: () => recommender[Symbol.asyncDispose](),
  };
}
