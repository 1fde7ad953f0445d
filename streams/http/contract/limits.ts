/** Limits of the HTTP server. */

import { absent, count, type OptionsOf } from "../../../src/options/option.ts";

/** Limits on the load that clients may cause. */
export interface HttpLimits {
  /** Largest body, bytes, both compressed and decompressed. @default {8388608} */
  readonly maxBodyBytes?: number | undefined;
  /** Bytes of all bodies in progress at a time. @default {67108864} */
  readonly maxInFlightBytes?: number | undefined;
  /** Most events or items in a body. @default {10000} */
  readonly maxEntries?: number | undefined;
  /** How long a request waits for its recommendation, milliseconds. @default {2000} */
  readonly answerTimeoutMs?: number | undefined;
  /** Requests that may wait for a recommendation at a time. @default {1000} */
  readonly maxWaiting?: number | undefined;
  /** Connections that may be open at a time. @default {1000} */
  readonly maxConnections?: number | undefined;
  /**
   * Longest time that tasks may need for the events that were sent, milliseconds, on a log that no other process uses;
   * further senders wait for them.
   *
   * @default {a quarter of `answerTimeoutMs`}
   */
  readonly maxBehindMs?: number | undefined;
}

export const HTTP_LIMITS = {
  maxBodyBytes: count(8_388_608, "largest body, both as sent and decompressed"),
  maxInFlightBytes: count(
    67_108_864,
    "bytes of all bodies in progress, an eighth of them for bodies of at most 8 KB; beyond it, new ones get 503",
  ),
  maxEntries: count(10_000, "most events or items in a body"),
  answerTimeoutMs: count(2000, "longest wait for an answer"),
  maxWaiting: count(
    1000,
    "most requests waiting at a time; beyond it, the caller with the most gets 503",
  ),
  maxConnections: count(
    1000,
    "most open connections; beyond it, the one idle for longest is closed",
  ),
  maxBehindMs: count<number | undefined>(
    absent("a quarter of `answerTimeoutMs`"),
    "on SQLite: longest time that tasks may need for the events received; further senders wait, then get 503",
  ),
} satisfies OptionsOf<HttpLimits>;
