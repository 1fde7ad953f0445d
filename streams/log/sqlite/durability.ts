/**
 * What a log in a file survives.
 *
 * @module
 */

/** What survives a resolved append: the death of the process, kill -9 included; or a power cut as well. */
export type Durability = "process" | "power";

/** All of {@linkcode Durability}. */
export const DURABILITIES = ["process", "power"] as const satisfies readonly Durability[];

/** How long what was acknowledged may wait for the disk, milliseconds. */
export const SYNC_MS = 1000;
/** An hour: a longer time is none. */
export const MAX_SYNC_MS = 3_600_000;
