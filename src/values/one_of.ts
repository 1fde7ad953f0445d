/**
 * Words from a closed list.
 *
 * @module
 */

export function isOneOf<T>(list: readonly T[], value: unknown): value is T {
  return list.some((one) => one === value);
}
