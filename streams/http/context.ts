/**
 * What endpoints work on.
 *
 * @module
 */

import type { RequestEvent } from "../../src/events/event.ts";
import type { Recommendation } from "../../src/events/recommendation.ts";
import type { Log, NewRecord } from "../log/log.ts";
import type { Service } from "../service/service.ts";
import type { Topics } from "../topics/topics.ts";
import type { Recommender } from "./recommender.ts";
import type { Backlog } from "./backlog.ts";
import type { Bodies } from "./bodies.ts";
import { within } from "./deadline.ts";
import type { LogHealth } from "./log_health.ts";
import type { Metrics } from "./metrics.ts";
import { Problem } from "./contract/problem.ts";

/** How long an append may take before the client is told to try again. */
const APPEND_TIMEOUT_MS = 15_000;

/** What the endpoints work on. */
export interface ApiContext {
  /** The log of the deployment. */
  readonly log: Log;
  /** Its topics. */
  readonly topics: Topics;
  /** Partitions of `events`. */
  readonly partitions: number;
  /** The service in this process, if there is one. */
  readonly service: Service | undefined;
  /** Asks for recommendations. */
  readonly recommender: Pick<Recommender, "ask">;
  /** What is answered when the budget of a request is over. May throw a `Problem`. */
  readonly withoutModel: (event: RequestEvent) => Promise<Recommendation>;
  /** How far tasks may fall behind what is sent, where that is for us to say. */
  readonly backlog: Pick<Backlog, "room"> | undefined;
  /** Measures. */
  readonly metrics: Metrics;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A clock in milliseconds that never goes back. */
  readonly clock: () => number;
  /** How long an answer, or a state that knows what was answered before, is waited for; milliseconds. */
  readonly answerTimeoutMs: number;
  /** Whether the log can be written. */
  readonly health: LogHealth;
  /** Reads bodies. */
  readonly bodies: Bodies;
  /** Most entries of a body. */
  readonly maxEntries: number;
  /** Whether we are about to stop. */
  readonly isStopping: () => boolean;
  /** More reasons why the process cannot answer. @default {none} */
  readonly checks?: (() => Promise<readonly string[]>) | undefined;
}

/** Appends, or says that it did not succeed in time; then it may have happened all the same. */
export async function append(
  { log }: Pick<ApiContext, "log">,
  records: readonly NewRecord[],
): Promise<readonly number[]> {
  return await within(log.append(records), APPEND_TIMEOUT_MS, () => {
    const detail = `The log has not answered for ${APPEND_TIMEOUT_MS} ms; what was sent may be appended yet`;
    return new Problem("unavailable", detail, { headers: { "retry-after": "5" } });
  });
}
