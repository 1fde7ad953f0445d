/**
 * Replaces `node:timers/promises` in a simulated world.
 *
 * @module
 */

import { nextTurn } from "../globals.ts";

/** See Node. */
export function setImmediate(): Promise<void> {
  return new Promise((resolve) => void nextTurn(resolve));
}

/** See Node. */
function delay<Value>(
  ms?: number,
  value?: Value,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(new DOMException("The operation was aborted", "AbortError"));
    };
    const timer = globalThis.setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve(value as Value);
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}

export { delay as setTimeout };
