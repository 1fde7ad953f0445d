/** Memory budget of a process, from the limit of its container or unit. */

import process from "node:process";

/** Memory that a service needs in addition to states and embeddings: code, heaps, the log. */
const BESIDE_BYTES = 384 << 20;
/** Half of the rest is left for garbage. */
const SHARE = 0.5;
const LEAST_BYTES = 64 << 20;
/** Deno reports the absence of a limit as 0, or as nearly the largest integer. */
const NO_LIMIT_BYTES = 2 ** 60;

/** Flags of a command that takes memory. */
interface MemoryFlags {
  /** Memory for states and embeddings, bytes. */
  readonly memory?: number;
}

/** Memory for states and embeddings under a limit of the whole process, bytes. */
export function budgetOf(limitBytes: number): number {
  return Math.max(LEAST_BYTES, Math.floor((limitBytes - BESIDE_BYTES) * SHARE));
}

/** Memory limit of this process, by its control group, bytes; `null` = none, or it may not be read. */
function limitOf(): number | null {
  if (Deno.permissions.querySync({ name: "sys", kind: "systemMemoryInfo" }).state !== "granted") return null;
  const bytes = process.constrainedMemory();
  return bytes > 0 && bytes < NO_LIMIT_BYTES ? bytes : null;
}

/**
 * Sets the flag `memory` by the limit of the control group, unless it is given.
 *
 * @param say called with a line about the choice
 */
export function withMemoryBudget<Flags extends MemoryFlags>(
  flags: Flags,
  say: (line: string) => void,
): Flags {
  if (flags.memory !== undefined) return flags;
  const limit = limitOf();
  if (limit === null) return flags;
  const memory = budgetOf(limit);
  const mb = (bytes: number) => Math.round(bytes / 2 ** 20);
  const least = BESIDE_BYTES + LEAST_BYTES / SHARE;
  const warning = limit < least
    ? `; with less than ${mb(least)} MB the system may kill the process (137)`
    : "";
  say(
    `uses ${mb(memory)} MB for states and embeddings, because its limit is ${
      mb(limit)
    } MB; --memory overrides it${warning}`,
  );
  return { ...flags, memory };
}
