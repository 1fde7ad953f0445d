/**
 * What a log in a file survives.
 *
 * @module
 */

import { choice, number } from "../../../src/options/option.ts";

/**
 * What an acknowledged append survives: the death of the process, kill -9 included (`process`), or a power cut as well
 * (`power`).
 */
export type Durability = "process" | "power";

/** All of {@linkcode Durability}. */
export const DURABILITIES = ["process", "power"] as const satisfies readonly Durability[];

/** An hour: a longer time is none. */
export const LONGEST_SYNC_MS = 3_600_000;

/** The options of a log in a file that stand in a configuration. */
export const SQLITE_OPTIONS = {
  durability: choice(
    DURABILITIES,
    "process",
    "on SQLite: what was acknowledged survives the death of the process, or a power cut too; see [durability](../explanation/log.md#durability)",
  ),
  syncMs: number(
    1000,
    { above: 0, maximum: LONGEST_SYNC_MS },
    "on SQLite: time after which the disk is asked to confirm what was acknowledged",
  ),
};
