/** Durability of a log in a file. */

import { choice, number, type OptionsOf } from "../../../src/options/option.ts";

/**
 * What an acknowledged append survives: the death of the process, even by kill -9 (`process`), or also a power cut
 * (`power`).
 */
export type Durability = "process" | "power";

const DURABILITIES = ["process", "power"] as const satisfies readonly Durability[];

/** Maximum of {@linkcode DurabilityOptions.syncMs}: an hour. */
export const LONGEST_SYNC_MS = 3_600_000;

/** How durable a log in a file is. */
export interface DurabilityOptions {
  /**
   * What an acknowledged append or commit survives. `process`: the death of the process, even by kill -9. `power`:
   * also the death of the machine, at the cost of one fsync per write. @default {"process"}
   */
  readonly durability?: Durability | undefined;
  /**
   * Time between syncs to disk, milliseconds. With `process`, the death of the machine loses what was acknowledged
   * since the last completed sync began. @default {1000}
   */
  readonly syncMs?: number | undefined;
}

export const SQLITE_OPTIONS = {
  durability: choice(
    DURABILITIES,
    "process",
    "on SQLite: whether acknowledged records survive the death of the process only, or also a power cut; see [durability](../explanation/log.md#durability)",
  ),
  syncMs: number(
    1000,
    { above: 0, maximum: LONGEST_SYNC_MS },
    "on SQLite: time after which acknowledged records are synced to disk",
  ),
} satisfies OptionsOf<DurabilityOptions>;
