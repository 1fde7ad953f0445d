/**
 * When this machine was started: what a dead process has written survives if the machine has run ever since.
 *
 * @module
 */

/** Two readings of one start differ by less, two starts by more. */
const TOLERANCE_MS = 10_000;

/** Milliseconds since the epoch; NaN when the process may not know (`--allow-sys=osUptime`). */
export function bootTime(): number {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "osUptime" }); // a request would prompt the user
  return state === "granted" ? Date.now() - 1000 * Deno.osUptime() : NaN;
}

/** Whether both are readings of one start. */
export function isSameBoot(one: number, other: number): boolean {
  return Math.abs(one - other) < TOLERANCE_MS; // false when either is not known
}
