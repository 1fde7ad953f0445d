/**
 * Why something failed, in words.
 *
 * @module
 */

/** The first failure, if closing something after it failed as well. */
export function firstOf(thrown: unknown): unknown {
  return thrown instanceof SuppressedError ? firstOf(thrown.suppressed) : thrown;
}

/** The message of what was thrown, which need not be an error. */
export function reasonOf(thrown: unknown): string {
  const first = firstOf(thrown);
  return first instanceof Error ? first.message : String(first);
}

export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
