/**
 * Words from a closed list.
 *
 * @module
 */

/** Whether a value is one of a list. */
export function isOneOf<T>(list: readonly T[], value: unknown): value is T {
  return list.some((one) => one === value);
}
