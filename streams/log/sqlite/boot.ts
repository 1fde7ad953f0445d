/**
 * When this machine was started: what a process has written before it died is there as long as the machine has run since.
 *
 * @module
 */

/** Two readings of one start differ by less, and starts by more. */
const TOLERANCE_MS = 10_000;

/** Milliseconds since the epoch; NaN when the process may not know (`--allow-sys=osUptime`). */
export function bootTime(): number {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "osUptime" }); // asking would have it ask people
  return state === "granted" ? Date.now() - 1000 * Deno.osUptime() : NaN;
}

/** Whether the machine has run from one to the other. */
export function isSameBoot(one: number, other: number): boolean {
  return Math.abs(one - other) < TOLERANCE_MS; // false when either is not known
}
