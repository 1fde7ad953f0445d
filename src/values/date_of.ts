/**
 * Times in messages.
 *
 * @module
 */

/** A time as a date of ISO 8601 in UTC. @param time finite, milliseconds since 1970 */
export function dateOf(time: number): string {
  return new Date(time).toISOString();
}
