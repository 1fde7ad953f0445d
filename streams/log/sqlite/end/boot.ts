/**
 * When this machine was started: what a dead process had written survives if the machine has run ever since.
 *
 * @module
 */

/** Two readings of the same start differ by less than this; different starts differ by more. */
const TOLERANCE_MS = 10_000;

/** When the machine was started, milliseconds since the epoch; NaN without permission (`--allow-sys=osUptime`). */
export function bootTime(): number {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "osUptime" }); // a request would prompt the user
  return state === "granted" ? Date.now() - 1000 * Deno.osUptime() : NaN;
}

/** Whether both are readings of the same start. */
export function isSameBoot(one: number, other: number): boolean {
  return Math.abs(one - other) < TOLERANCE_MS; // false if either is NaN
}
