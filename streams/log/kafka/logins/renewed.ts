/** A value that is fetched once, and again before it expires. */

import { getLogger } from "@logtape/logtape";

const logger = getLogger(["meander", "kafka"]);

/** A value that is valid for a while. */
export interface Lease<Value> {
  readonly value: Value;
  /** When it ends, epoch milliseconds; `Infinity` = never. */
  readonly until: number;
}

/** Share of its lifetime after which a value is renewed: sessions last no longer than the token they began with. */
const RENEW_AT = 0.8;

/**
 * Returns a function that returns a valid value. After four fifths of its lifetime the value is renewed; if that fails,
 * the old one is used until it expires. Concurrent calls fetch it once.
 *
 * @param ask fetches a new value
 * @param now epoch milliseconds
 */
export function renewed<Value>(
  ask: () => Promise<Lease<Value>>,
  now: () => number = Date.now,
): () => Promise<Value> {
  let held: Lease<Value> | undefined;
  let renewAt = -Infinity;
  let asking: Promise<void> | undefined;
  const renew = async () => {
    const asked = now();
    held = await ask();
    renewAt = asked + (held.until - asked) * RENEW_AT;
  };
  return async () => {
    if (now() >= renewAt) {
      try {
        await (asking ??= renew().finally(() => asking = undefined));
      } catch (error) {
        if (held === undefined || now() >= held.until) throw error;
        const { message } = error as Error; // nothing else is thrown here
        const left = Math.round((held.until - now()) / 1000);
        logger.warn("cannot renew the Kafka login, which expires in {left} s: {reason}", {
          left,
          reason: message,
        });
      }
    }
    return (held as Lease<Value>).value; // without one, the attempt above has thrown
  };
}
