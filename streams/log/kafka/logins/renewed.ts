/**
 * What is asked for once, and again before it expires.
 *
 * @module
 */

/** A value that is valid for a while. */
export interface Lease<Value> {
  readonly value: Value;
  /** When it ends, epoch milliseconds; `Infinity` = never. */
  readonly until: number;
}

/** Share of its life after which a value is renewed: sessions last no longer than the token they began with. */
const RENEW_AT = 0.8;

/**
 * Gives a value that is valid now. After four fifths of its life it is renewed; while that fails the old one serves to
 * its end. Concurrent calls ask once.
 *
 * @param ask for a new one
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
      }
    }
    return (held as Lease<Value>).value;
  };
}
